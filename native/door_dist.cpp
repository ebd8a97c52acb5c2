// Data parallel over Gloo; NCCL needs a CUDA build. The binding has no use for it yet: docs/log.md, gaps of the engine.
#include "door_internal.h"

#if defined(DOOR_C10D)
#ifndef USE_C10D_GLOO  // 2.x and Debian's targets define it through find_package(Torch)
#define USE_C10D_GLOO
#endif
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <torch/csrc/distributed/c10d/FileStore.hpp>

using namespace door;

struct door_pg_s {
  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> pg;
  int rank, size;
};

// Later releases of 2.x let a device wait with its socket (lazy); which ones is not in their version alone.
template <class Gloo>
static auto loopback(int) -> decltype(Gloo::createDeviceForHostname("127.0.0.1", false)) {
  return Gloo::createDeviceForHostname("127.0.0.1", false);
}
template <class Gloo>
static auto loopback(long) -> decltype(Gloo::createDeviceForHostname("127.0.0.1")) {
  return Gloo::createDeviceForHostname("127.0.0.1");
}

extern "C" {
int door_pg_gloo(const char* where, int port, int rank, int size, int timeout_s, door_pg* out) {
  return guard([&] {
    auto* p = new door_pg_s();
    p->rank = rank;
    p->size = size;
    std::chrono::milliseconds to(timeout_s * 1000);
    if (port < 0)
      p->store = c10::make_intrusive<c10d::FileStore>(std::string(where), size);
    else {
      c10d::TCPStoreOptions o;
      o.port = static_cast<uint16_t>(port);
      o.isServer = rank == 0;
      o.numWorkers = static_cast<size_t>(size);
      o.timeout = to;
      p->store = c10::make_intrusive<c10d::TCPStore>(std::string(where), o);
    }
    auto opt = c10d::ProcessGroupGloo::Options::create();
    opt->timeout = to;
    opt->devices.push_back(loopback<c10d::ProcessGroupGloo>(0));
    p->pg = c10::make_intrusive<c10d::ProcessGroupGloo>(p->store, rank, size, opt);
    *out = p;
  });
}
int door_pg_allreduce(door_pg g, const door_tensor* t, int n, int op) {
  return guard([&] {
    c10d::AllreduceOptions o;
    o.reduceOp = op == 3 ? c10d::ReduceOp::MAX : c10d::ReduceOp::SUM;
    for (int k = 0; k < n; k++) {
      std::vector<Tensor> v{borrow(t[k])};
      g->pg->allreduce(v, o)->wait();
      if (op == 1) {
        at::NoGradGuard ng;
        v[0].div_(g->size);
      }
    }
  });
}
int door_pg_broadcast(door_pg g, const door_tensor* t, int n, int root) {
  return guard([&] {
    for (int k = 0; k < n; k++) {
      std::vector<Tensor> v{borrow(t[k])};
      c10d::BroadcastOptions o;
      o.rootRank = root;
      g->pg->broadcast(v, o)->wait();
    }
  });
}
int door_pg_barrier(door_pg g) {
  return guard([&] { g->pg->barrier()->wait(); });
}
void door_pg_free(door_pg g) { delete g; }
}
#endif
