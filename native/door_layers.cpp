// Linear and convolution layers with frozen weights, as operators of their own (lora::): where an input has so few rows
// that a product waits for the weights, libtorch's way (weights packed or reordered anew in each call) costs more than
// the product. Same meaning as aten's, which they call in every other case.
#include "door_internal.h"
#include "few_rows.h"

#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <atomic>

using namespace door;
using at::IntArrayRef;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace few_rows {
namespace {
const Products* best(int most) {
#if defined(DOOR_X86)
  if (most >= 16 && __builtin_cpu_supports("avx512f")) return &avx512;
  if (most >= 8 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &avx2;
#endif
  (void)most;
  return nullptr;
}
std::atomic<const Products*> chosen{best(16)};
}  // namespace

const Products* products() { return chosen.load(std::memory_order_relaxed); }
}  // namespace few_rows

namespace {
// Rows up to which these products were faster than OpenBLAS and oneDNN (docs/log.md).
constexpr int64_t ForwardRows = 128, BackwardRows = 256, ConvolutionRows = 64;
// Multiplications worth a thread.
constexpr int64_t Worth = 1 << 18;

bool plain(const Tensor& t) {
  return t.defined() && t.device().is_cpu() && t.scalar_type() == at::kFloat && t.layout() == at::kStrided &&
         !t.is_quantized();
}
bool frozen(const Tensor& t) { return plain(t) && t.is_contiguous() && !t.requires_grad(); }

bool autocast() {
#if TV >= 204
  return at::autocast::is_autocast_enabled(at::kCPU);
#else
  return at::autocast::is_cpu_enabled();
#endif
}

// Whether these products may take a layer of weight [n, k].
bool fits(const Tensor& x, const Tensor& w, const Opt<Tensor>& b, int64_t k) {
  const auto* p = few_rows::products();
  return p && plain(x) && frozen(w) && (!b || !b->defined() || frozen(*b)) && k > 0 && k % p->lanes == 0 &&
         w.numel() > 0 && x.numel() > 0 && !autocast();
}

// x [m, k] · w [n, k]ᵀ + b → [m, n], as a tensor of this shape; never a view, which autograd would not let be written
// into
Tensor forward(const Tensor& x, const Tensor& w, const Opt<Tensor>& b, IntArrayRef shape) {
  const int64_t n = w.size(0), k = w.size(1), m = x.numel() / k;
  auto y = at::empty(shape, x.options());
  if (b && b->defined())
    y.copy_(*b);
  else
    y.zero_();
  const float *px = x.data_ptr<float>(), *pw = w.data_ptr<float>();
  auto* py = y.data_ptr<float>();
  // whole groups of 16 columns: two threads never write into one line of the cache
  at::parallel_for(0, (n + 15) / 16, std::max<int64_t>(1, Worth / (16 * m * k)), [&](int64_t from, int64_t to) {
    few_rows::products()->forward(px, pw, py, m, n, k, from * 16, std::min(to * 16, n));
  });
  return y;
}

// d [m, n] · w [n, k] → [m, k], as a tensor of this shape
Tensor backward(const Tensor& d, const Tensor& w, IntArrayRef shape) {
  const int64_t n = w.size(0), k = w.size(1), m = d.numel() / n;
  auto c = at::zeros(shape, d.options());
  const float *pd = d.data_ptr<float>(), *pw = w.data_ptr<float>();
  auto* pc = c.data_ptr<float>();
  at::parallel_for(0, (k + 31) / 32, std::max<int64_t>(1, Worth / (32 * m * n)), [&](int64_t from, int64_t to) {
    few_rows::products()->backward(pd, pw, pc, m, n, k, from * 32, std::min(to * 32, k));
  });
  return c;
}

struct Linear : torch::autograd::Function<Linear> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& w, const Opt<Tensor>& b) {
    ctx->save_for_backward({w});
    return run(x, w, b);
  }
  static Tensor run(const Tensor& x, const Tensor& w, const Opt<Tensor>& b) {
    const int64_t k = w.size(1);
    if (x.numel() / k > ForwardRows) return at::linear(x, w, b);
    auto shape = x.sizes().vec();
    shape.back() = w.size(0);
    return ::forward(x.contiguous(), w, b, shape);
  }
  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    auto w = ctx->get_saved_variables()[0];
    const auto& d = gradients[0];
    if (!d.defined()) return {Tensor(), Tensor(), Tensor()};
    if (at::GradMode::is_enabled() || !plain(d)) return {at::matmul(d, w), Tensor(), Tensor()};
    auto shape = d.sizes().vec();
    shape.back() = w.size(1);
    return {::backward(d.contiguous(), w, shape), Tensor(), Tensor()};
  }
};

Tensor linear(const Tensor& x, const Tensor& w, const Opt<Tensor>& b) {
  if (w.dim() != 2 || x.dim() < 1 || x.size(-1) != w.size(1) || !fits(x, w, b, w.size(1)) ||
      x.numel() / w.size(1) > BackwardRows)
    return at::linear(x, w, b);
  return at::GradMode::is_enabled() && x.requires_grad() ? Linear::apply(x, w, b) : Linear::run(x, w, b);
}

// Where a convolution reads: input [b, c, h, w], kernel, stride, padding and output.
struct Window {
  int64_t b, c, h, w, kh, kw, sh, sw, ph, pw, oh, ow;
  int64_t rows() const { return b * oh * ow; }
  int64_t depth() const { return c * kh * kw; }

  Window(IntArrayRef x, IntArrayRef weight, IntArrayRef stride, IntArrayRef padding)
      : b(x[0]),
        c(x[1]),
        h(x[2]),
        w(x[3]),
        kh(weight[2]),
        kw(weight[3]),
        sh(stride[0]),
        sw(stride.back()),
        ph(padding[0]),
        pw(padding.back()),
        oh((h + 2 * ph - kh) / sh + 1),
        ow((w + 2 * pw - kw) / sw + 1) {}

  // Calls visit(place in a channel of the picture, place in the kernel) for all that one row reads inside the picture.
  template <class Visit>
  void each(int64_t row, Visit visit) const {
    const int64_t y = row / ow % oh * sh - ph, x = row % ow * sw - pw;
    for (int64_t i = std::max<int64_t>(0, -y); i < kh && y + i < h; i++)
      for (int64_t j = std::max<int64_t>(0, -x); j < kw && x + j < w; j++) visit((y + i) * w + x + j, i * kw + j);
  }
};

// Picture [b, c, h, w] → what each output point reads, [b·oh·ow, c·kh·kw].
Tensor rows_of(const Tensor& x, const Window& g) {
  auto rows = at::zeros({g.rows(), g.depth()}, x.options());
  const float* px = x.data_ptr<float>();
  auto* pr = rows.data_ptr<float>();
  const int64_t area = g.h * g.w, taps = g.kh * g.kw, points = g.oh * g.ow;
  at::parallel_for(0, g.rows(), std::max<int64_t>(1, 16384 / g.depth()), [&](int64_t from, int64_t to) {
    for (int64_t row = from; row < to; row++) {
      const float* source = px + row / points * g.c * area;
      float* target = pr + row * g.depth();
      for (int64_t c = 0; c < g.c; c++, source += area, target += taps)
        g.each(row, [=](int64_t place, int64_t tap) { target[tap] = source[place]; });
    }
  });
  return rows;
}

// The other way: adds up what each point of the picture was read for.
Tensor picture_of(const Tensor& rows, const Window& g) {
  auto x = at::zeros({g.b, g.c, g.h, g.w}, rows.options());
  const float* pr = rows.data_ptr<float>();
  auto* px = x.data_ptr<float>();
  const int64_t area = g.h * g.w, taps = g.kh * g.kw, points = g.oh * g.ow;
  at::parallel_for(0, g.b * g.c, std::max<int64_t>(1, 16384 / (points * taps)), [&](int64_t from, int64_t to) {
    for (int64_t plane = from; plane < to; plane++) {
      float* target = px + plane * area;
      for (int64_t p = 0, row = plane / g.c * points; p < points; p++, row++) {
        const float* source = pr + row * g.depth() + plane % g.c * taps;
        g.each(row, [=](int64_t place, int64_t tap) { target[place] += source[tap]; });
      }
    }
  });
  return x;
}

struct Convolution : torch::autograd::Function<Convolution> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& w, const Opt<Tensor>& b,
                        IntArrayRef stride, IntArrayRef padding) {
    ctx->save_for_backward({w});
    ctx->saved_data["shape"] = x.sizes().vec();
    ctx->saved_data["stride"] = stride.vec();
    ctx->saved_data["padding"] = padding.vec();
    return run(x, w, b, Window(x.sizes(), w.sizes(), stride, padding));
  }
  static Tensor run(const Tensor& x, const Tensor& w, const Opt<Tensor>& b, const Window& g) {
    const int64_t n = w.size(0), points = g.oh * g.ow;
    auto rows = ::forward(rows_of(x.contiguous(), g), w.view({n, g.depth()}), b, {g.b, points, n});
    auto y = at::empty({g.b, n, g.oh, g.ow}, x.options());
    y.view({g.b, n, points}).copy_(rows.transpose(1, 2));
    return y;
  }
  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    auto w = ctx->get_saved_variables()[0];
    const auto &d = gradients[0], none = Tensor();
    if (!d.defined()) return {none, none, none, none, none};
    auto shape = ctx->saved_data["shape"].toIntVector(), stride = ctx->saved_data["stride"].toIntVector(),
         padding = ctx->saved_data["padding"].toIntVector();
    const Window g(shape, w.sizes(), stride, padding);
    const int64_t n = w.size(0);
    auto rows = d.reshape({g.b, n, g.oh * g.ow}).transpose(1, 2).contiguous().view({g.rows(), n});
    auto read = ::backward(rows, w.view({n, g.depth()}), {g.rows(), g.depth()});
    return {picture_of(read, g), none, none, none, none};
  }
};

Tensor conv2d(const Tensor& x, const Tensor& w, const Opt<Tensor>& b, IntArrayRef stride, IntArrayRef padding) {
  auto other = [&] { return at::conv2d(x, w, b, stride, padding); };
  if (x.dim() != 4 || w.dim() != 4 || x.size(1) != w.size(1) || stride.empty() || padding.empty() || stride[0] < 1 ||
      stride.back() < 1 || padding[0] < 0 || padding.back() < 0)
    return other();
  const Window g(x.sizes(), w.sizes(), stride, padding);
  if (g.oh < 1 || g.ow < 1 || g.rows() > ConvolutionRows || !fits(x, w, b, g.depth())) return other();
  return at::GradMode::is_enabled() && x.requires_grad() ? Convolution::apply(x, w, b, stride, padding)
                                                         : Convolution::run(x, w, b, g);
}
}  // namespace

extern "C" {
int door_get_lanes(void) {
  const auto* p = few_rows::products();
  return p ? static_cast<int>(p->lanes) : 0;
}
void door_set_lanes(int most) { few_rows::chosen = few_rows::best(most); }
}

TORCH_LIBRARY_FRAGMENT(lora, m) {
  m.def("linear_frozen(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor", &linear);
  m.def("conv2d_frozen(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, int[2] padding=0) -> Tensor",
        &conv2d);
}
