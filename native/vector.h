// Vectors of LANES floats for the one file that defines LANES. No standard library in what includes this: its inline
// functions would be compiled for this instruction set and then be used everywhere.
#pragma once

namespace {
typedef float Vec __attribute__((vector_size(LANES * 4)));
typedef int Ints __attribute__((vector_size(LANES * 4)));
typedef float Anywhere __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

inline Vec load(const float* p) { return *reinterpret_cast<const Anywhere*>(p); }
inline void store(float* p, Vec v) { *reinterpret_cast<Anywhere*>(p) = v; }
inline Vec all(float x) { return x - Vec{}; }
inline Vec larger(Vec a, Vec b) { return a > b ? a : b; }
inline long least(long a, long b) { return a < b ? a : b; }

// e^x to about one unit in the last place; x up to 88, below −87 it is e^−87. NaN stays NaN. Cephes' polynomial.
inline Vec exponential(Vec x) {
  x = x < all(-87) ? all(-87) : x;
  const Vec round = all(12582912);  // 1.5 · 2²³: adding it leaves a whole number
  Vec n = x * 1.44269504f + round - round;
  Vec r = x - n * 0.693359375f + n * 2.12194440e-4f;
  Vec p = all(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  Ints power = (__builtin_convertvector(n, Ints) + 127) << 23;
  return p * reinterpret_cast<Vec&>(power);
}
}  // namespace
