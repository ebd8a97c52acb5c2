// Products and attention with AVX2.
#define LANES 8
#define SET avx2
#include "attention_kernel.h"
#include "few_rows_kernel.h"
