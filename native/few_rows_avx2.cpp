// The products of few_rows.h with AVX2.
#define LANES 8
#define SET avx2
#include "few_rows_kernel.h"
