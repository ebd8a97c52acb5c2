// Library-wide state: errors, threads, seeds, autocast, memory, accelerators.
#include "door_internal.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <malloc.h>
#include <torch/cuda.h>
#include <torch/utils.h>

#include <atomic>
#include <mutex>

#define DOOR_STR2(x) #x
#define DOOR_STR(x) DOOR_STR2(x)

using namespace door;

namespace door {

std::string& error_text() {
  static thread_local std::string text;
  return text;
}

int caught() noexcept {
  std::string& text = error_text();
  try {
    throw;
  } catch (const c10::OutOfMemoryError& e) {
    text = e.what_without_backtrace();
    return DOOR_E_OOM;
  } catch (const c10::IndexError& e) {
    text = e.what_without_backtrace();
    return DOOR_E_INDEX;
  } catch (const c10::ValueError& e) {
    text = e.what_without_backtrace();
    return DOOR_E_VALUE;
  } catch (const c10::TypeError& e) {
    text = e.what_without_backtrace();
    return DOOR_E_TYPE;
  } catch (const c10::NotImplementedError& e) {
    text = e.what_without_backtrace();
    return DOOR_E_NOTIMPL;
  } catch (const c10::LinAlgError& e) {
    text = e.what_without_backtrace();
    return DOOR_E_LINALG;
  } catch (const c10::Error& e) {
    text = e.what_without_backtrace();
    // the CPU allocator throws a plain Error
    return text.find("can't allocate memory") != std::string::npos ? DOOR_E_OOM : DOOR_E_GENERIC;
  } catch (const CallbackError& e) {
    std::string copy = e.what();
    text = std::move(copy);
    return e.code;
  } catch (const std::bad_alloc&) {
    text = "std::bad_alloc";
    return DOOR_E_OOM;
  } catch (const std::exception& e) {
    text = e.what();
    return DOOR_E_GENERIC;
  } catch (...) {
    text = "unknown C++ exception";
    return DOOR_E_GENERIC;
  }
}

at::Generator generator(int type, int index) {
  return at::globalContext().defaultGenerator(
      at::Device(static_cast<at::DeviceType>(type), static_cast<c10::DeviceIndex>(index)));
}

std::vector<Tensor> borrow_all(const door_tensor* p, int n) {
  std::vector<Tensor> r;
  r.reserve(static_cast<size_t>(n));
  for (int k = 0; k < n; k++) r.push_back(borrow(p[k]));
  return r;
}

}  // namespace door

extern "C" {
const char* door_last_error(void) { return error_text().c_str(); }
void door_set_error(const char* t) { error_text() = t ? t : ""; }
const char* door_version(void) {
  return DOOR_STR(TORCH_VERSION_MAJOR) "." DOOR_STR(TORCH_VERSION_MINOR) "." DOOR_STR(TORCH_VERSION_PATCH);
}
const char* door_runtime_config(void) {
  static std::string s = torch::show_config();
  return s.c_str();
}
int door_get_num_threads(void) { return at::get_num_threads(); }
int door_set_num_threads(int n) {
  return guard([&] { at::set_num_threads(n); });
}
int door_manual_seed(int64_t s) {
  return guard([&] { torch::manual_seed(static_cast<uint64_t>(s)); });
}
int door_rng_get_state(int type, int index, door_tensor* out) {
  return guard([&] {
    auto g = generator(type, index);
    std::lock_guard<std::mutex> l(g.mutex());
    *out = give(g.get_state());
  });
}
int door_rng_set_state(int type, int index, door_tensor st) {
  return guard([&] {
    auto g = generator(type, index);
    std::lock_guard<std::mutex> l(g.mutex());
    g.set_state(borrow(st));
  });
}
void door_set_flush_denormal(int on) { at::globalContext().setFlushDenormal(on != 0); }
int door_set_deterministic(int on) {
  return guard([&] { at::globalContext().setDeterministicAlgorithms(on != 0, false); });
}
void door_free(void* p) { free(p); }
int door_autocast_get(int type, int* en, int* dt) {
  return guard([&] {
    auto d = static_cast<at::DeviceType>(type);
#if TV >= 204
    *en = at::autocast::is_autocast_enabled(d);
    *dt = static_cast<int>(at::autocast::get_autocast_dtype(d));
#else
    if (d == at::kCPU) {
      *en = at::autocast::is_cpu_enabled();
      *dt = static_cast<int>(at::autocast::get_autocast_cpu_dtype());
    } else {
      *en = at::autocast::is_enabled();
      *dt = static_cast<int>(at::autocast::get_autocast_gpu_dtype());
    }
#endif
  });
}
int door_autocast_set(int type, int en, int dt, int cache) {
  return guard([&] {
    auto d = static_cast<at::DeviceType>(type);
    auto s = static_cast<at::ScalarType>(dt);
#if TV >= 204
    at::autocast::set_autocast_dtype(d, s);
    at::autocast::set_autocast_enabled(d, en != 0);
#else
    if (d == at::kCPU) {
      at::autocast::set_autocast_cpu_dtype(s);
      at::autocast::set_cpu_enabled(en != 0);
    } else {
      at::autocast::set_autocast_gpu_dtype(s);
      at::autocast::set_enabled(en != 0);
    }
#endif
    at::autocast::set_autocast_cache_enabled(cache != 0);
    at::autocast::clear_cache();  // casts of weights that may have changed since
  });
}
}  // extern "C"

// ---- memory: a counting CPU allocator with a limit
namespace {
static std::atomic<int64_t> g_live{0}, g_peak{0}, g_limit{0};
struct Counting final : c10::Allocator {
  static void del(void* p) {
    if (p) {
      g_live -= static_cast<int64_t>(malloc_usable_size(p));
      c10::free_cpu(p);
    }
  }
#if TV >= 203
  c10::DataPtr allocate(size_t n) override {
#else
  c10::DataPtr allocate(size_t n) const override {
#endif
    int64_t lim = g_limit.load(std::memory_order_relaxed);
    if (lim && g_live.load() + static_cast<int64_t>(n) > lim)
      throw c10::OutOfMemoryError({__func__, __FILE__, static_cast<uint32_t>(__LINE__)},
                                  "CPU tensor memory over the set limit: " + std::to_string(g_live.load()) + " + " +
                                      std::to_string(n) + " > " + std::to_string(lim));
    void* p = c10::alloc_cpu(n);
    if (p) {
      int64_t now = (g_live += static_cast<int64_t>(malloc_usable_size(p)));
      int64_t pk = g_peak.load();
      while (now > pk && !g_peak.compare_exchange_weak(pk, now)) {
      }
    }
    return {p, p, &Counting::del, c10::Device(c10::DeviceType::CPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &Counting::del; }
#if TV >= 203
  void copy_data(void* d, const void* s, std::size_t n) const override { default_copy_data(d, s, n); }
#endif
};
}  // namespace

extern "C" {
int door_cpu_counting(int on) {
  return guard([&] {
    static Counting c;
    c10::SetCPUAllocator(on ? static_cast<c10::Allocator*>(&c) : c10::GetDefaultCPUAllocator(), 1);
  });
}
int64_t door_cpu_live(void) { return g_live; }
int64_t door_cpu_peak(void) { return g_peak; }
void door_cpu_reset_peak(void) { g_peak = g_live.load(); }
void door_cpu_limit(int64_t b) { g_limit = b; }
// ---- accelerators
int door_cuda_available(void) {
  int r = 0;
  guard([&] { r = torch::cuda::is_available(); });
  return r;
}
int door_cuda_device_count(void) {
  int r = 0;
  guard([&] { r = static_cast<int>(torch::cuda::device_count()); });
  return r;
}
int door_device_synchronize(int t, int i) {
  return guard([&] {
    if (static_cast<at::DeviceType>(t) == at::kCUDA) {
      torch::cuda::synchronize(i);
      return;
    }
  });
}
}
