// The products of few_rows.h with AVX-512.
#define LANES 16
#define SET avx512
#include "few_rows_kernel.h"
