// Attention of one head without ever holding all of its scores (Rabe and Staats 2021; Dao et al. 2022), float32.
#pragma once

namespace attention {
constexpr long MaxWidth = 256;  // of queries and values

// Rows of one head: row i begins at at + i · stride.
struct Rows {
  float* at;
  long stride;
};
struct Head {
  long s, t, d, e;  // queries, keys, width of both, width of values
  float scale;
  Rows q, k, v, y;
  float* weight;  // [s] logarithm of the sum of e^score of each query
};
// Gradients of one head: of the output, of the three inputs, and Σ dy · y of each query [s].
struct HeadGradients {
  Rows dy, dq, dk, dv;
  const float* dot;
};
struct Passes {
  long lanes;
  long block;  // queries or keys that a call works on
  // Outputs and weights of queries from `from` on, one block.
  void (*forward)(const Head& h, long from);
  // Gradients of one block of queries; of one block of keys and values.
  void (*queries)(const Head& h, const HeadGradients& g, long from);
  void (*keys)(const Head& h, const HeadGradients& g, long from);
};
const Passes* passes();  // null as few_rows::products() is
#if defined(DOOR_X86)
extern const Passes avx512, avx2;
#endif
}  // namespace attention
