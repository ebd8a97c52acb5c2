// What the files behind door.h share: handles, and the guard that lets no exception out.
#pragma once
#include "door.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/variable.h>
#include <torch/version.h>

#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

// libtorch version as one number: 1.13 -> 113, 2.4 -> 204
#define TV (TORCH_VERSION_MAJOR * 100 + TORCH_VERSION_MINOR)

namespace door {

using at::Tensor;
using c10::IValue;
using Impl = c10::TensorImpl;
using Ptr = c10::intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>;

// c10's own class until 2.3, another name of the standard's from then on, gone in the newest
#if TV >= 204
template <class T>
using Opt = std::optional<T>;
#else
template <class T>
using Opt = c10::optional<T>;
#endif

std::string& error_text();  // of this thread

// One more reference for the time of the call.
inline Tensor borrow(door_tensor h) {
  if (!h) return Tensor();
  return Tensor(Ptr::unsafe_reclaim_from_nonowning(static_cast<Impl*>(h)));
}
// Hands one reference to the caller.
inline door_tensor give(Tensor t) {
  if (!t.defined()) return nullptr;
  return t.unsafeReleaseTensorImpl();
}
// Takes over a reference that the caller made.
inline Tensor adopt(door_tensor h) { return h ? Tensor(Ptr::reclaim(static_cast<Impl*>(h))) : Tensor(); }

std::vector<Tensor> borrow_all(const door_tensor* p, int n);
at::Generator generator(int device_type, int device_index);

// Keeps its own copy of the text: the engine may carry it from a device thread to the caller, whose text is another
// one.
struct CallbackError : std::runtime_error {
  int code;
  explicit CallbackError(int code) : std::runtime_error(error_text()), code(code) {}
};

// Turns the exception in flight into a code and this thread's text.
int caught() noexcept;

template <class F>
int guard(F&& f) noexcept {
  try {
    f();
    return DOOR_OK;
  } catch (...) {
    return caught();
  }
}

}  // namespace door
