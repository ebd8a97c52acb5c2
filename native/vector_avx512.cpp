// Products and attention with AVX-512.
#define LANES 16
#define SET avx512
#include "attention_kernel.h"
#include "few_rows_kernel.h"
