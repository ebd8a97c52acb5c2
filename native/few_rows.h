// Products with a large matrix w of few rows x, without packing w: each number of w is read from memory once and used
// for all rows. All matrices are row-major float32 without gaps; k is a multiple of the lanes.
#pragma once

namespace few_rows {
struct Products {
  long lanes;  // numbers of one vector register
  // y[m, n] += x[m, k] · w[n, k]ᵀ in columns n0 to n1 of y; n0 is a multiple of 4
  void (*forward)(const float* x, const float* w, float* y, long m, long n, long k, long n0, long n1);
  // c[m, k] += d[m, n] · w[n, k] in columns k0 to k1 of c, both multiples of the lanes
  void (*backward)(const float* d, const float* w, float* c, long m, long n, long k, long k0, long k1);
};
// For the processor that this runs on; null when it has neither AVX-512 nor AVX2.
const Products* products();
#if defined(DOOR_X86)
extern const Products avx512, avx2;
#endif
}  // namespace few_rows
