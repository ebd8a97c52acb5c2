// Autograd: leaves, backward, grad mode, and gradient checkpointing by callback.
#include "door_internal.h"

#include <ATen/Parallel.h>
#include <ATen/ThreadLocalState.h>
#include <ATen/autocast_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/engine.h>

#include <mutex>

using namespace door;
using torch::autograd::variable_list;

extern "C" {
int door_requires_grad(door_tensor h) { return borrow(h).requires_grad(); }
int door_set_requires_grad(door_tensor h, int on) {
  return guard([&] { borrow(h).set_requires_grad(on != 0); });
}
int door_is_leaf(door_tensor h) { return borrow(h).is_leaf(); }
int door_grad(door_tensor h, door_tensor* o) {
  return guard([&] { *o = give(borrow(h).grad()); });
}
int door_set_grad(door_tensor h, door_tensor g) {
  return guard([&] { borrow(h).mutable_grad() = borrow(g); });
}
int door_backward(const door_tensor* t, const door_tensor* g, int n, int retain, int create, const door_tensor* in,
                  int nin) {
  return guard([&] {
    torch::autograd::backward(borrow_all(t, n), g ? borrow_all(g, n) : variable_list{}, Opt<bool>(retain != 0),
                              create != 0, in ? borrow_all(in, nin) : variable_list{});
  });
}
int door_autograd_grad(const door_tensor* outs, const door_tensor* g, int n, const door_tensor* in, int nin, int retain,
                       int create, int allow_unused, door_tensor* o) {
  return guard([&] {
    auto r = torch::autograd::grad(borrow_all(outs, n), borrow_all(in, nin), g ? borrow_all(g, n) : variable_list{},
                                   Opt<bool>(retain != 0), create != 0, allow_unused != 0);
    for (int k = 0; k < nin; k++) o[k] = give(std::move(r[static_cast<size_t>(k)]));
  });
}
int door_grad_enabled(void) { return c10::GradMode::is_enabled(); }
void door_set_grad_enabled(int on) { c10::GradMode::set_enabled(on != 0); }
}  // extern "C"

namespace {
struct User {
  void* p;
  door_deleter drop;
  User(void* a, door_deleter b) : p(a), drop(b) {}
  User(const User&) = delete;
  ~User() {
    if (drop) drop(p);
  }
};
// ---- checkpointing: forward without gradients; backward recomputes on detached inputs and differentiates that piece
// alone.

// What ThreadLocalState leaves out of autocast: a thread's dtypes and whether it keeps its casts.
struct CastState {
  at::ScalarType cpu, cuda;
  bool keep;
  static CastState now() {
#if TV >= 204
    return {at::autocast::get_autocast_dtype(at::kCPU), at::autocast::get_autocast_dtype(at::kCUDA),
            at::autocast::is_autocast_cache_enabled()};
#else
    return {at::autocast::get_autocast_cpu_dtype(), at::autocast::get_autocast_gpu_dtype(),
            at::autocast::is_autocast_cache_enabled()};
#endif
  }
  void set() const {
#if TV >= 204
    at::autocast::set_autocast_dtype(at::kCPU, cpu);
    at::autocast::set_autocast_dtype(at::kCUDA, cuda);
#else
    at::autocast::set_autocast_cpu_dtype(cpu);
    at::autocast::set_autocast_gpu_dtype(cuda);
#endif
    at::autocast::set_autocast_cache_enabled(keep);
  }
};
// Autocast as another thread or time had it, without its cache: a cast kept in a recomputation would outlive the
// optimizer's step, and the next forward pass would use the weights of before it.
struct CastGuard {
  CastState before = CastState::now();
  explicit CastGuard(CastState s) {
    s.keep = false;
    s.set();
  }
  CastGuard(const CastGuard&) = delete;
  ~CastGuard() {
    before.set();
    at::autocast::clear_cache();
  }
};

// A generator's state at one time.
struct Draws {
  int type, index;
  Tensor state;
  static Draws now(int type, int index) {
    auto g = generator(type, index);
    std::lock_guard<std::mutex> l(g.mutex());
    return {type, index, g.get_state()};
  }
  void set() const {
    auto g = generator(type, index);
    std::lock_guard<std::mutex> l(g.mutex());
    g.set_state(state);
  }
};
// Draws the numbers of another time again, and goes on with the present ones afterwards, also after an exception.
struct DrawsGuard {
  std::vector<Draws> before;
  explicit DrawsGuard(const std::vector<Draws>& then) {
    for (const auto& d : then) before.push_back(Draws::now(d.type, d.index));
    for (const auto& d : then) d.set();
  }
  DrawsGuard(const DrawsGuard&) = delete;
  ~DrawsGuard() {
    for (const auto& d : before) {
      try {
        d.set();
      } catch (...) {
      }
    }
  }
};

struct CkptHolder : torch::CustomClassHolder {
  door_ckpt_fn fn;
  User user;
  int nin, nparams, max_out;
  bool rng;
  std::vector<Draws> draws;  // of the CPU and of each accelerator that an input lies on
  at::ThreadLocalState tls;
  CastState cast = CastState::now();
  CkptHolder(door_ckpt_fn f, void* u, door_deleter d, int a, int b, int m, bool r)
      : fn(f), user(u, d), nin(a), nparams(b), max_out(m), rng(r) {}
  void note_draws(const variable_list& in) {
    if (!rng) return;
    draws.push_back(Draws::now(0, -1));
    for (const auto& t : in) {
      if (!t.defined() || !t.is_cuda()) continue;
      const int index = t.device().index();
      bool there = false;
      for (const auto& d : draws) there = there || (d.type != 0 && d.index == index);
      if (!there) draws.push_back(Draws::now(static_cast<int>(at::kCUDA), index));
    }
  }
};
static variable_list call_ckpt(CkptHolder& h, int recompute, const variable_list& in) {
  std::vector<door_tensor> hin;
  for (const auto& t : in) hin.push_back(t.defined() ? t.unsafeGetTensorImpl() : nullptr);
  std::vector<door_tensor> ho(static_cast<size_t>(h.max_out), nullptr);
  int n = h.fn(h.user.p, recompute, hin.data(), h.nin, ho.data(), h.max_out);
  if (n < 0) throw CallbackError(-n);
  variable_list out;
  for (int k = 0; k < n; k++) out.push_back(adopt(ho[static_cast<size_t>(k)]));
  return out;
}
struct Ckpt : torch::autograd::Function<Ckpt> {
  // at::TensorList, not variable_list: apply() would take a std::vector for a plain value and cut it off the graph
  // without a word
  static variable_list forward(torch::autograd::AutogradContext* ctx, at::TensorList list,
                               c10::intrusive_ptr<CkptHolder> h) {
    variable_list in(list.begin(), list.end());
    h->note_draws(in);
    ctx->save_for_backward(in);
    ctx->saved_data["h"] = IValue::make_capsule(h);
    ctx->set_materialize_grads(false);
    at::AutoGradMode off(false);
    CastGuard cast(h->cast);
    auto out = call_ckpt(*h, 0, in);
    for (auto& t : out)
      if (t.defined() && (t.requires_grad())) t = t.detach();
    return out;
  }
  static variable_list backward(torch::autograd::AutogradContext* ctx, variable_list gout) {
    auto h = c10::static_intrusive_pointer_cast<CkptHolder>(ctx->saved_data["h"].toCapsule());
    auto in = ctx->get_saved_variables();
    variable_list use, want;
    std::vector<int> where;
    for (int k = 0; k < (int)in.size(); k++) {
      const auto& t = in[static_cast<size_t>(k)];
      if (k < h->nin && t.defined()) {
        auto d = t.detach();
        d.set_requires_grad(t.requires_grad());
        use.push_back(d);
      } else
        use.push_back(t);  // parameters: the very leaves, so the managed closure may also hold them
      if (t.defined() && t.requires_grad()) {
        want.push_back(use.back());
        where.push_back(k);
      }
    }
    variable_list out;
    {
      // autocast, inference flags … as at forward time (the engine may use another thread), for the recomputation alone
      at::ThreadLocalStateGuard tls(h->tls);
      CastGuard cast(h->cast);
      DrawsGuard again(h->draws);
      at::AutoGradMode on(true);
      out = call_ckpt(*h, 1, use);
    }
    variable_list o2, g2;
    for (size_t k = 0; k < out.size() && k < gout.size(); k++)
      if (gout[k].defined() && out[k].defined() && out[k].requires_grad()) {
        o2.push_back(out[k]);
        g2.push_back(gout[k]);
      }
    variable_list r(in.size() + 1);  // one slot for the holder argument
    if (!o2.empty() && !want.empty()) {
      auto g = torch::autograd::grad(o2, want, g2, Opt<bool>(), false, true);
      for (size_t k = 0; k < where.size(); k++) r[static_cast<size_t>(where[k])] = g[k];
    }
    return r;
  }
};
}  // namespace

extern "C" int door_checkpoint(door_ckpt_fn fn, void* user, door_deleter drop, const door_tensor* in, int nin,
                               const door_tensor* params, int nparams, int preserve_rng, door_tensor* out, int max_out,
                               int* nout) {
  return guard([&] {
    auto h = c10::make_intrusive<CkptHolder>(fn, user, drop, nin, nparams, max_out, preserve_rng != 0);
    auto v = borrow_all(in, nin);
    for (int k = 0; k < nparams; k++) v.push_back(borrow(params[k]));
    auto r = Ckpt::apply(at::TensorList(v), h);
    *nout = static_cast<int>(r.size());
    for (size_t k = 0; k < r.size(); k++) out[k] = give(std::move(r[k]));
  });
}
