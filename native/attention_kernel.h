// The passes of attention.h for one instruction set: included by a file that defines LANES and SET. The vectors run
// over one side (queries, or keys for the keys' gradients), so that sums and maxima need no reduction; loops run over
// the other side.
#include "attention.h"
#include "vector.h"

extern "C" float logf(float);

namespace attention {
namespace {
constexpr long Wide = 2 * LANES;  // of the side in the vectors
constexpr long Deep = 64;         // rows of the other side at a time
using Block = float[MaxWidth][Wide];
using Scores = float[Deep][Wide];

// Columns [d, Wide] of up to Wide rows, times a factor; missing rows are zero.
inline void columns(Block& to, Rows from, long first, long count, long d, float factor) {
  for (long c = 0; c < d; c++)
    for (long i = 0; i < Wide; i++) to[c][i] = i < count ? from.at[(first + i) * from.stride + c] * factor : 0;
}
inline void rows(Rows to, long first, long count, const Block& from, long d, const float* factor) {
  for (long i = 0; i < count; i++)
    for (long c = 0; c < d; c++) to.at[(first + i) * to.stride + c] = from[c][i] * factor[i];
}

// out[j] = Σ over c of b[j, c] a[c]
template <int J>
inline void product(const float* b, long stride, const Block& a, long d, float (*out)[Wide]) {
  Vec sum[J][2] = {};
  for (long c = 0; c < d; c++) {
    const Vec low = load(a[c]), high = load(a[c] + LANES);
#pragma GCC unroll 8
    for (int j = 0; j < J; j++) {
      const Vec x = all(b[j * stride + c]);
      sum[j][0] += x * low;
      sum[j][1] += x * high;
    }
  }
  for (int j = 0; j < J; j++) store(out[j], sum[j][0]), store(out[j] + LANES, sum[j][1]);
}
inline void products(Rows b, long first, long count, const Block& a, long d, Scores& out) {
  long j = 0;
  for (; j + 4 <= count; j += 4) product<4>(b.at + (first + j) * b.stride, b.stride, a, d, out + j);
  for (; j < count; j++) product<1>(b.at + (first + j) * b.stride, b.stride, a, d, out + j);
}

// out[c] += Σ over j of b[j, c] p[j]
template <int C>
inline void mixture(const float* b, long stride, long count, const Scores& p, float (*out)[Wide]) {
  Vec sum[C][2];
  for (int c = 0; c < C; c++) sum[c][0] = load(out[c]), sum[c][1] = load(out[c] + LANES);
  for (long j = 0; j < count; j++) {
    const Vec low = load(p[j]), high = load(p[j] + LANES);
#pragma GCC unroll 8
    for (int c = 0; c < C; c++) {
      const Vec x = all(b[j * stride + c]);
      sum[c][0] += x * low;
      sum[c][1] += x * high;
    }
  }
  for (int c = 0; c < C; c++) store(out[c], sum[c][0]), store(out[c] + LANES, sum[c][1]);
}
inline void mixtures(Rows b, long first, long count, const Scores& p, long d, Block& out) {
  const float* at = b.at + first * b.stride;
  long c = 0;
  for (; c + 4 <= d; c += 4) mixture<4>(at + c, b.stride, count, p, out + c);
  for (; c < d; c++) mixture<1>(at + c, b.stride, count, p, out + c);
}

inline void clear(Block& block, long d) {
  for (long c = 0; c < d; c++)
    for (long i = 0; i < Wide; i += LANES) store(block[c] + i, Vec{});
}

void forward(const Head& h, long from) {
  alignas(64) Block q, y;
  alignas(64) Scores p;
  alignas(64) float most[Wide], total[Wide];
  const long count = least(Wide, h.s - from);
  columns(q, h.q, from, count, h.d, h.scale);
  clear(y, h.e);
  for (long i = 0; i < Wide; i++) most[i] = -__builtin_inff(), total[i] = 0;
  for (long j = 0; j < h.t; j += Deep) {
    const long depth = least(Deep, h.t - j);
    products(h.k, j, depth, q, h.d, p);
    for (long i = 0; i < Wide; i += LANES) {
      const Vec before = load(most + i);
      Vec peak = before;
      for (long r = 0; r < depth; r++) peak = larger(load(p[r] + i), peak);
      const Vec shrink = exponential(before - peak);  // what was summed so far was relative to the peak before
      Vec sum = load(total + i) * shrink;
      for (long r = 0; r < depth; r++) {
        const Vec x = exponential(load(p[r] + i) - peak);
        store(p[r] + i, x);
        sum += x;
      }
      if (j > 0)
        for (long c = 0; c < h.e; c++) store(y[c] + i, load(y[c] + i) * shrink);
      store(most + i, peak);
      store(total + i, sum);
    }
    mixtures(h.v, j, depth, p, h.e, y);
  }
  for (long i = 0; i < count; i++) {
    h.weight[from + i] = most[i] + logf(total[i]);
    total[i] = 1 / total[i];
  }
  rows(h.y, from, count, y, h.e, total);
}

void queries(const Head& h, const HeadGradients& g, long from) {
  alignas(64) Block q, dy, dq;
  alignas(64) Scores p, dp;
  alignas(64) float weight[Wide], dot[Wide], scale[Wide];
  const long count = least(Wide, h.s - from);
  columns(q, h.q, from, count, h.d, h.scale);
  columns(dy, g.dy, from, count, h.e, 1);
  clear(dq, h.d);
  for (long i = 0; i < Wide; i++) {
    weight[i] = i < count ? h.weight[from + i] : 0;
    dot[i] = i < count ? g.dot[from + i] : 0;
    scale[i] = h.scale;
  }
  for (long j = 0; j < h.t; j += Deep) {
    const long depth = least(Deep, h.t - j);
    products(h.k, j, depth, q, h.d, p);
    products(h.v, j, depth, dy, h.e, dp);
    for (long r = 0; r < depth; r++)
      for (long i = 0; i < Wide; i += LANES)
        store(dp[r] + i, exponential(load(p[r] + i) - load(weight + i)) * (load(dp[r] + i) - load(dot + i)));
    mixtures(h.k, j, depth, dp, h.d, dq);
  }
  rows(g.dq, from, count, dq, h.d, scale);
}

void keys(const Head& h, const HeadGradients& g, long from) {
  alignas(64) Block k, v, dk, dv;
  alignas(64) Scores p, dp;
  alignas(64) float one[Wide], scale[Wide];
  const long count = least(Wide, h.t - from);
  columns(k, h.k, from, count, h.d, h.scale);
  columns(v, h.v, from, count, h.e, 1);
  clear(dk, h.d);
  clear(dv, h.e);
  for (long i = 0; i < Wide; i++) one[i] = 1, scale[i] = h.scale;
  for (long j = 0; j < h.s; j += Deep) {
    const long depth = least(Deep, h.s - j);
    products(h.q, j, depth, k, h.d, p);
    products(g.dy, j, depth, v, h.e, dp);
    for (long r = 0; r < depth; r++) {
      const Vec weight = all(h.weight[j + r]), dot = all(g.dot[j + r]);
      for (long i = 0; i < Wide; i += LANES) {
        const Vec x = exponential(load(p[r] + i) - weight);
        store(p[r] + i, x);
        store(dp[r] + i, x * (load(dp[r] + i) - dot));
      }
    }
    mixtures(h.q, j, depth, dp, h.d, dk);
    mixtures(g.dy, j, depth, p, h.e, dv);
  }
  rows(g.dk, from, count, dk, h.d, scale);
  rows(g.dv, from, count, dv, h.e, one);
}
}  // namespace

extern const Passes SET;
const Passes SET = {LANES, Wide, forward, queries, keys};
}  // namespace attention
