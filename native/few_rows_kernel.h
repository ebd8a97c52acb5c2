// The products of few_rows.h for one instruction set: included by a file that defines LANES and SET. No standard
// library here: its inline functions would be compiled for this instruction set and then be used everywhere.
#include "few_rows.h"
#include "vector.h"

namespace few_rows {
namespace {
typedef float Four __attribute__((vector_size(16)));
typedef float FourAnywhere __attribute__((vector_size(16), aligned(4), may_alias));

// Tiles as large as the registers allow: 32 of them with AVX-512, 16 with AVX2.
constexpr int DotRows = LANES == 16 ? 6 : 3, OuterRows = 6, OuterVecs = LANES == 16 ? 4 : 2;
// Numbers of k, and rows of w, at a time: what is used again stays in the first cache.
constexpr long DotDepth = 1024, OuterDepth = 64;

inline Four fold(Vec v) {
#if LANES == 16
  typedef float Half __attribute__((vector_size(32)));
  Half h = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
           __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
#else
  Vec h = v;
#endif
  return __builtin_shufflevector(h, h, 0, 1, 2, 3) + __builtin_shufflevector(h, h, 4, 5, 6, 7);
}
// The sum of each, side by side.
inline Four sums(Four a, Four b, Four c, Four d) {
  Four ab = __builtin_shufflevector(a, b, 0, 4, 1, 5) + __builtin_shufflevector(a, b, 2, 6, 3, 7);
  Four cd = __builtin_shufflevector(c, d, 0, 4, 1, 5) + __builtin_shufflevector(c, d, 2, 6, 3, 7);
  return __builtin_shufflevector(ab, cd, 0, 1, 4, 5) + __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
}
inline float sum(Vec v) {
  Four q = fold(v);
  return (q[0] + q[2]) + (q[1] + q[3]);
}

// y[s, r] += x[s, :] · w[r, :] for S rows of x and R of w; the rows of w that come next are called into the cache.
template <int R, int S>
inline void dot(const float* w, const float* x, long k, long depth, const float* ahead, float* y, long n) {
  Vec acc[S][R] = {};
  for (long i = 0; i < depth; i += LANES) {
    Vec a[R];
    for (int r = 0; r < R; r++) a[r] = load(w + r * k + i);
    if (ahead)
      for (int r = 0; r < R; r++) __builtin_prefetch(ahead + r * k + i, 0, 2);
#pragma GCC unroll 8
    for (int s = 0; s < S; s++) {
      Vec b = load(x + s * k + i);
#pragma GCC unroll 8
      for (int r = 0; r < R; r++) acc[s][r] += a[r] * b;
    }
  }
  for (int s = 0; s < S; s++)
    if (R == 4)
      *reinterpret_cast<FourAnywhere*>(y + s * n) +=
          sums(fold(acc[s][0]), fold(acc[s][1 % R]), fold(acc[s][2 % R]), fold(acc[s][3 % R]));
    else
      for (int r = 0; r < R; r++) y[s * n + r] += sum(acc[s][r]);
}

template <int R>
inline void dots(long s, const float* w, const float* x, long k, long depth, const float* ahead, float* y, long n) {
  switch (s) {
    case 1:
      return dot<R, 1>(w, x, k, depth, ahead, y, n);
    case 2:
      return dot<R, 2>(w, x, k, depth, ahead, y, n);
    case 3:
      return dot<R, 3>(w, x, k, depth, ahead, y, n);
#if LANES == 16
    case 4:
      return dot<R, 4>(w, x, k, depth, ahead, y, n);
    case 5:
      return dot<R, 5>(w, x, k, depth, ahead, y, n);
    case 6:
      return dot<R, 6>(w, x, k, depth, ahead, y, n);
#endif
  }
}

void forward(const float* x, const float* w, float* y, long m, long n, long k, long n0, long n1) {
  const long pieces = (k + DotDepth - 1) / DotDepth, piece = (k / LANES + pieces - 1) / pieces * LANES;
  const long tiles = (m + DotRows - 1) / DotRows;
  for (long at = 0; at < k; at += piece) {
    const long depth = least(piece, k - at);
    for (long j = n0, r; j < n1; j += r) {
      r = n1 - j >= 4 ? 4 : 1;
      const float* rows = w + j * k + at;
      const float* next = j + 2 * r <= n1 ? rows + r * k : nullptr;
      for (long t = 0, i = 0, s; t < tiles; t++, i += s) {
        s = (m - i + tiles - t - 1) / (tiles - t);
        (r == 4 ? dots<4> : dots<1>)(s, rows, x + i * k + at, k, depth, t ? nullptr : next, y + i * n + j, n);
      }
    }
  }
}

// c[s, :] += Σ over depth of d[s, j] w[j, :] for S rows of d and V vectors of w.
template <int S, int V>
inline void outer(const float* d, long n, const float* w, long k, long depth, const float* ahead, float* c) {
  Vec acc[S][V];
  for (int s = 0; s < S; s++)
    for (int v = 0; v < V; v++) acc[s][v] = load(c + s * k + v * LANES);
  for (long j = 0; j < depth; j++) {
    Vec b[V];
    for (int v = 0; v < V; v++) b[v] = load(w + j * k + v * LANES);
    if (ahead)
      for (int v = 0; v < V; v++) __builtin_prefetch(ahead + j * k + v * LANES, 0, 2);
#pragma GCC unroll 8
    for (int s = 0; s < S; s++) {
      Vec a = d[s * n + j] - Vec{};
#pragma GCC unroll 8
      for (int v = 0; v < V; v++) acc[s][v] += a * b[v];
    }
  }
  for (int s = 0; s < S; s++)
    for (int v = 0; v < V; v++) store(c + s * k + v * LANES, acc[s][v]);
}

template <int V>
inline void outers(long s, const float* d, long n, const float* w, long k, long depth, const float* ahead, float* c) {
  switch (s) {
    case 1:
      return outer<1, V>(d, n, w, k, depth, ahead, c);
    case 2:
      return outer<2, V>(d, n, w, k, depth, ahead, c);
    case 3:
      return outer<3, V>(d, n, w, k, depth, ahead, c);
    case 4:
      return outer<4, V>(d, n, w, k, depth, ahead, c);
    case 5:
      return outer<5, V>(d, n, w, k, depth, ahead, c);
    case 6:
      return outer<6, V>(d, n, w, k, depth, ahead, c);
  }
}

void backward(const float* d, const float* w, float* c, long m, long n, long k, long k0, long k1) {
  const long tiles = (m + OuterRows - 1) / OuterRows;
  for (long j = 0; j < n; j += OuterDepth) {
    const long depth = least(OuterDepth, n - j);
    for (long q = k0, v; q < k1; q += v * LANES) {
      v = least(OuterVecs, (k1 - q) / LANES);
      const float* block = w + j * k + q;
      // the next block to the right, or else the first one of the rows below
      const float* next = q + 2 * v * LANES <= k1   ? block + v * LANES
                          : j + 2 * OuterDepth <= n ? w + (j + OuterDepth) * k + k0
                                                    : nullptr;
      for (long t = 0, i = 0, s; t < tiles; t++, i += s) {
        s = (m - i + tiles - t - 1) / (tiles - t);
        const float *di = d + i * n + j, *ahead = t ? nullptr : next;
        float* ci = c + i * k + q;
        if (v == 1)
          outers<1>(s, di, n, block, k, depth, ahead, ci);
        else if (v == 2)
          outers<2>(s, di, n, block, k, depth, ahead, ci);
#if LANES == 16
        else if (v == 3)
          outers<3>(s, di, n, block, k, depth, ahead, ci);
        else
          outers<4>(s, di, n, block, k, depth, ahead, ci);
#endif
      }
    }
  }
}
}  // namespace

extern const Products SET;
const Products SET = {LANES, forward, backward};
}  // namespace few_rows
