// Tensors: metadata, memory in and out, lifetime.
#include "door_internal.h"

using namespace door;

namespace {
inline Impl* I(door_tensor h) { return static_cast<Impl*>(h); }
}

extern "C" {
int door_from_blob(void* data, const int64_t* sizes, const int64_t* strides, int ndim, int dtype, int dt, int di,
                   door_deleter del, void* user, door_tensor* out) {
  return guard([&] {
    auto opts = at::TensorOptions()
                    .dtype(static_cast<at::ScalarType>(dtype))
                    .device(at::Device(static_cast<at::DeviceType>(dt), static_cast<c10::DeviceIndex>(di)));
    at::IntArrayRef sz(sizes, static_cast<size_t>(ndim));
    auto d = [del, user](void*) {
      if (del) del(user);
    };
    at::AutoDispatchBelowADInplaceOrView nograd;
    *out = give(strides ? at::from_blob(data, sz, at::IntArrayRef(strides, static_cast<size_t>(ndim)), d, opts)
                        : at::from_blob(data, sz, d, opts));
  });
}
void door_release(door_tensor h) {
  if (h) {
    try {
      Ptr::reclaim(static_cast<Impl*>(h));
    } catch (...) {
    }
  }
}
door_tensor door_retain(door_tensor h) { return give(borrow(h)); }
int door_ndim(door_tensor h) { return static_cast<int>(I(h)->dim()); }
int64_t door_numel(door_tensor h) { return I(h)->numel(); }
int door_sizes(door_tensor h, int64_t* o) {
  return guard([&] {
    auto s = I(h)->sizes();
    for (size_t k = 0; k < s.size(); k++) o[k] = s[k];
  });
}
int door_strides(door_tensor h, int64_t* o) {
  return guard([&] {
    auto s = I(h)->strides();
    for (size_t k = 0; k < s.size(); k++) o[k] = s[k];
  });
}
int door_dtype(door_tensor h) {
  int type = -1;  // a type that has no number
  guard([&] { type = static_cast<int>(c10::typeMetaToScalarType(I(h)->dtype())); });
  return type;
}
int door_device(door_tensor h, int* t, int* i) {
  return guard([&] {
    auto d = I(h)->device();
    *t = static_cast<int>(d.type());
    *i = d.index();
  });
}
int64_t door_storage_bytes(door_tensor h) {
  return I(h)->has_storage() ? static_cast<int64_t>(I(h)->storage().nbytes()) : 0;
}
void* door_storage_ptr(door_tensor h) {
  return I(h)->has_storage() ? static_cast<void*>(I(h)->storage().unsafeGetStorageImpl()) : nullptr;
}
void* door_data_ptr(door_tensor h) {
  void* p = nullptr;
  guard([&] { p = borrow(h).data_ptr(); });
  return p;
}
int door_is_contiguous(door_tensor h) { return I(h)->is_contiguous(); }
int door_item(door_tensor h, double* d, int64_t* i, int* integral) {
  return guard([&] {
    auto s = borrow(h).item();
    *integral = !s.isFloatingPoint();
    if (s.isFloatingPoint()) {
      *d = s.toDouble();
      *i = 0;
    } else {
      *i = s.toLong();
      *d = static_cast<double>(*i);
    }
  });
}}  // extern "C"
