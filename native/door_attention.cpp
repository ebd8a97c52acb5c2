// Scaled dot-product attention whose scores never leave the cache, as an operator of its own (lora::attention).
#include "attention.h"
#include "door_internal.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>

using namespace door;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace attention {
const Passes* passes() {
#if defined(DOOR_X86)
  switch (door_get_lanes()) {
    case 16:
      return &avx512;
    case 8:
      return &avx2;
  }
#endif
  return nullptr;
}
}  // namespace attention

namespace {
using attention::Head;
using attention::HeadGradients;
using attention::Rows;

// Rows without gaps; heads and batch may lie as they like: [b, h, n, d] seen through [b, n, h·d] is not copied.
Tensor dense(const Tensor& x) { return x.stride(3) == 1 ? x : x.contiguous(); }
// Room for [b, h, n, d] that lies as [b, n, h, d], so that the heads are side by side for the layer behind.
Tensor room(const Tensor& like, int64_t b, int64_t h, int64_t n, int64_t d) {
  return at::empty({b, n, h, d}, like.options()).transpose(1, 2);
}
Rows head(const Tensor& x, int64_t b, int64_t h) {
  return {x.data_ptr<float>() + b * x.stride(0) + h * x.stride(1), static_cast<long>(x.stride(2))};
}

Head head_of(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& y, const Tensor& weight, double scale,
             int64_t index) {
  const int64_t b = index / q.size(1), h = index % q.size(1);
  return {q.size(2),     k.size(2),     q.size(3),     v.size(3),     static_cast<float>(scale),
          head(q, b, h), head(k, b, h), head(v, b, h), head(y, b, h), weight.data_ptr<float>() + index * q.size(2)};
}

// Calls work(head, first row) for each block of n rows of each head.
template <class Work>
void each_block(int64_t heads, int64_t n, Work work) {
  const int64_t size = attention::passes()->block, blocks = (n + size - 1) / size;
  at::parallel_for(0, heads * blocks, 1, [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; i++) work(i / blocks, i % blocks * size);
  });
}

struct Attention : torch::autograd::Function<Attention> {
  static Tensor run(const Tensor& q, const Tensor& k, const Tensor& v, double scale, Tensor& weight) {
    const int64_t b = q.size(0), h = q.size(1);
    auto y = room(q, b, h, q.size(2), v.size(3));
    weight = at::empty({b, h, q.size(2)}, q.options());
    each_block(b * h, q.size(2), [&](int64_t index, int64_t from) {
      attention::passes()->forward(head_of(q, k, v, y, weight, scale, index), from);
    });
    return y;
  }
  // Gives [b, s, h, e]: a whole tensor, no view
  static Tensor forward(AutogradContext* ctx, const Tensor& q, const Tensor& k, const Tensor& v, double scale) {
    Tensor weight;
    auto y = run(q, k, v, scale, weight).transpose(1, 2);
    auto whole = at::empty({0}, q.options()).set_(y.storage(), 0, y.sizes(), y.strides());
    ctx->save_for_backward({q, k, v, whole, weight});
    ctx->saved_data["scale"] = scale;
    return whole;
  }
  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "lora::attention has no second derivative");
    auto saved = ctx->get_saved_variables();
    const auto &q = saved[0], &k = saved[1], &v = saved[2], &weight = saved[4];
    if (!gradients[0].defined()) return {Tensor(), Tensor(), Tensor(), Tensor()};
    const double scale = ctx->saved_data["scale"].toDouble();
    auto y = saved[3].transpose(1, 2), dy = dense(gradients[0].transpose(1, 2));
    const int64_t b = q.size(0), h = q.size(1), d = q.size(3);
    auto dot = (dy * y).sum(-1).contiguous();
    auto dq = room(q, b, h, q.size(2), d), dk = room(q, b, h, k.size(2), d), dv = room(q, b, h, k.size(2), v.size(3));
    auto of = [&](int64_t index) {
      const int64_t i = index / h, j = index % h;
      return HeadGradients{head(dy, i, j), head(dq, i, j), head(dk, i, j), head(dv, i, j),
                           dot.data_ptr<float>() + index * q.size(2)};
    };
    const auto* passes = attention::passes();
    if (ctx->needs_input_grad(0))
      each_block(b * h, q.size(2), [&](int64_t index, int64_t from) {
        passes->queries(head_of(q, k, v, y, weight, scale, index), of(index), from);
      });
    if (ctx->needs_input_grad(1) || ctx->needs_input_grad(2))
      each_block(b * h, k.size(2), [&](int64_t index, int64_t from) {
        passes->keys(head_of(q, k, v, y, weight, scale, index), of(index), from);
      });
    auto given = [&](size_t i, const Tensor& t) { return ctx->needs_input_grad(i) ? t : Tensor(); };
    return {given(0, dq), given(1, dk), given(2, dv), Tensor()};
  }
};

bool fits(const Tensor& x) {
  return x.device().is_cpu() && x.scalar_type() == at::kFloat && x.layout() == at::kStrided && x.dim() == 4 &&
         x.numel() > 0 && x.size(3) <= attention::MaxWidth;
}

Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, double scale) {
  if (!attention::passes() || !fits(q) || !fits(k) || !fits(v)) {
    auto scores = at::matmul(q * scale, k.transpose(-1, -2));
    return at::matmul(at::softmax(scores, -1), v);
  }
  TORCH_CHECK(k.size(0) == q.size(0) && v.size(0) == q.size(0) && k.size(1) == q.size(1) && v.size(1) == q.size(1) &&
                  k.size(3) == q.size(3) && v.size(2) == k.size(2),
              "queries ", q.sizes(), ", keys ", k.sizes(), " and values ", v.sizes(), " do not fit");
  auto a = dense(q), b = dense(k), c = dense(v);
  if (at::GradMode::is_enabled() && (q.requires_grad() || k.requires_grad() || v.requires_grad()))
    return Attention::apply(a, b, c, scale).transpose(1, 2);
  Tensor weight;
  return Attention::run(a, b, c, scale, weight);
}
}  // namespace

TORCH_LIBRARY_FRAGMENT(lora, m) {
  m.def("attention(Tensor query, Tensor key, Tensor value, float scale) -> Tensor", &attend);
}
