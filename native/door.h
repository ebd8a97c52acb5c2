/* door.h - the one C door into libtorch (1.13 and 2.x).
 *
 * Rules at the boundary
 *  - every function returning int gives 0 on success, a DOOR_E_* code otherwise; the text is door_last_error()
 *    (thread-local, valid until the next failing call on that thread). No C++ exception leaves the library.
 *  - a door_tensor is a c10::TensorImpl* that owns one reference. Whoever receives one frees it with door_release.
 *    Handles passed IN are borrowed. An in-place op returns a new reference to the same pointer.
 *  - arrays returned in a door_value (lists, strings) are malloc'ed; free with door_value_free (which also releases
 * tensors).
 */
#ifndef DOOR_H
#define DOOR_H
#include <stdint.h>
#include <stddef.h>
#ifdef __cplusplus
extern "C" {
#endif

#define DOOR_API __attribute__((visibility("default")))

typedef void* door_tensor; /* c10::TensorImpl*, owning one reference; NULL = undefined */
typedef struct door_op_s* door_op;

enum {
  DOOR_OK = 0,
  DOOR_E_GENERIC = 1,
  DOOR_E_INDEX = 2,
  DOOR_E_VALUE = 3,
  DOOR_E_TYPE = 4,
  DOOR_E_NOTIMPL = 5,
  DOOR_E_OOM = 6,
  DOOR_E_LINALG = 7,
  DOOR_E_NOOP = 8,
  DOOR_E_ARGS = 9,
  DOOR_E_CALLBACK = 10
};

enum {
  DOOR_NONE = 0,
  DOOR_TENSOR = 1,
  DOOR_INT = 2,
  DOOR_DOUBLE = 3,
  DOOR_BOOL = 4,
  DOOR_INT_LIST = 5,
  DOOR_DOUBLE_LIST = 6,
  DOOR_TENSOR_LIST = 7,
  DOOR_STRING = 8,
  DOOR_DTYPE = 9,
  DOOR_DEVICE = 10,
  DOOR_LAYOUT = 11,
  DOOR_MEMORY_FORMAT = 12,
  DOOR_BOOL_LIST = 13,
  DOOR_OPT_TENSOR_LIST = 14 /* NULL entries = None */,
  DOOR_DEFAULT = 15 /* take the schema's default */,
  DOOR_SCALAR_LIST = 16 /* doubles */,
  DOOR_COMPLEX = 17 /* ptr: double[2] */,
  DOOR_OTHER = 18
};

typedef struct door_value {
  int32_t tag;
  int32_t aux; /* DOOR_DEVICE: device index (-1 = current); results: for DOOR_TENSOR the argument index it aliases by
                  pointer, else -1 */
  int64_t n;   /* number of elements of a list, bytes of a string */
  union {
    int64_t i;
    double d;
    void* p;
  } u;        /* scalar, handle, or pointer to elements; device type for DOOR_DEVICE */
} door_value; /* 24 bytes, blittable */

/* --- library --------------------------------------------------------------------------------------- */
DOOR_API const char* door_last_error(void);
DOOR_API void door_set_error(const char* text); /* for callbacks: message of a managed exception */
DOOR_API const char* door_version(void);        /* "2.13.0" of the headers */
DOOR_API const char* door_runtime_config(void); /* torch::show_config: run-time library's own words; malloc'ed once */
DOOR_API int door_get_num_threads(void);
DOOR_API int door_set_num_threads(int n);
// Numbers of one vector register that the door's own products use: 16 (AVX-512), 8 (AVX2), or 0 where libtorch does all.
// Setting takes the largest that the processor has and that is not above `most`.
DOOR_API int door_get_lanes(void);
DOOR_API void door_set_lanes(int most);
DOOR_API int door_manual_seed(int64_t seed);
DOOR_API int door_rng_get_state(int device_type, int device_index, door_tensor* out);
DOOR_API int door_rng_set_state(int device_type, int device_index, door_tensor state);
DOOR_API void door_set_flush_denormal(int on);
DOOR_API int door_set_deterministic(int on);

/* --- operators ------------------------------------------------------------------------------------- */
DOOR_API int door_find(const char* name, const char* overload, door_op* out); /* cached for ever; never free */
DOOR_API const char* door_schema(door_op op);                                 /* schema text, owned by op */
/* args: positional in schema order (keyword-only ones too); missing trailing ones and DOOR_DEFAULT use the schema
   default. out: room for so many values; an operator that returns more is not called. */
DOOR_API int door_call(door_op op, const door_value* args, int nargs, door_value* out, int room);
DOOR_API void door_value_free(door_value* v);
DOOR_API void door_free(void* p);

/* --- tensors --------------------------------------------------------------------------------------- */
typedef void (*door_deleter)(void* user);
DOOR_API int door_from_blob(void* data, const int64_t* sizes, const int64_t* strides /* or NULL */, int ndim, int dtype,
                            int device_type, int device_index, door_deleter del, void* user, door_tensor* out);
DOOR_API void door_release(door_tensor t);
DOOR_API door_tensor door_retain(door_tensor t);
DOOR_API int door_ndim(door_tensor t);
DOOR_API int64_t door_numel(door_tensor t);
DOOR_API int door_sizes(door_tensor t, int64_t* out);
DOOR_API int door_strides(door_tensor t, int64_t* out);
DOOR_API int door_dtype(door_tensor t);
DOOR_API int door_device(door_tensor t, int* type, int* index);
DOOR_API int64_t door_storage_bytes(door_tensor t);
DOOR_API void* door_storage_ptr(door_tensor t); /* identity of the storage: to find aliases */
DOOR_API void* door_data_ptr(door_tensor t);
DOOR_API int door_is_contiguous(door_tensor t);
DOOR_API int door_item(door_tensor t, double* d, int64_t* i, int* is_integral);

/* --- autograd -------------------------------------------------------------------------------------- */
DOOR_API int door_requires_grad(door_tensor t);
DOOR_API int door_set_requires_grad(door_tensor t, int on);
DOOR_API int door_is_leaf(door_tensor t);
DOOR_API int door_grad(door_tensor t, door_tensor* out);  /* *out = NULL when there is none */
DOOR_API int door_set_grad(door_tensor t, door_tensor g); /* g may be NULL: zero_grad(set_to_none) */
DOOR_API int door_backward(const door_tensor* tensors, const door_tensor* grads /* or NULL */, int n, int retain,
                           int create, const door_tensor* inputs /* or NULL */, int ninputs);
DOOR_API int door_autograd_grad(const door_tensor* outputs, const door_tensor* grads, int n, const door_tensor* inputs,
                                int ninputs, int retain, int create, int allow_unused, door_tensor* out);
DOOR_API int door_grad_enabled(void);
DOOR_API void door_set_grad_enabled(int on); /* this thread */

/* gradient checkpointing. fn is called now without gradients and again, with gradients, in backward (possibly on
   another thread: the autograd device thread when a GPU is in the graph). in: borrowed (nin inputs, then nparams
   parameters); out: owned references it creates; returns their number, or -DOOR_E_… after door_set_error. params are
   connected to the graph, so their gradients flow out of one backward, without a nested accumulation. Autocast and the
   generators' states (preserve_rng: CPU, and the accelerators of the inputs) are those of the first call. */
typedef int (*door_ckpt_fn)(void* user, int recompute, const door_tensor* in, int nin, door_tensor* out, int max_out);
DOOR_API int door_checkpoint(door_ckpt_fn fn, void* user, door_deleter drop, const door_tensor* inputs, int nin,
                             const door_tensor* params, int nparams, int preserve_rng, door_tensor* out, int max_out,
                             int* nout);

/* --- autocast -------------------------------------------------------------------------------------- */
DOOR_API int door_autocast_get(int device_type, int* enabled, int* dtype);
DOOR_API int door_autocast_set(int device_type, int enabled, int dtype, int cache);

/* --- memory ---------------------------------------------------------------------------------------- */
DOOR_API int door_cpu_counting(int on); /* install a counting CPU allocator; call before any tensor exists */
DOOR_API int64_t door_cpu_live(void);
DOOR_API int64_t door_cpu_peak(void);
DOOR_API void door_cpu_reset_peak(void);
DOOR_API void door_cpu_limit(int64_t bytes); /* 0 = none; over it: DOOR_E_OOM instead of the kernel's OOM killer */

/* --- accelerator, without CUDA headers (generic device guard), usable when libtorch_cuda is loaded ---- */
DOOR_API int door_cuda_available(void);
DOOR_API int door_cuda_device_count(void);
DOOR_API int door_device_synchronize(int device_type, int index);

/* --- distributed (Gloo), when built with DOOR_C10D ---------------------------------------------------- */
typedef struct door_pg_s* door_pg;
DOOR_API int door_pg_gloo(const char* file_or_host, int port /* <0: file store */, int rank, int size, int timeout_s,
                          door_pg* out);
DOOR_API int door_pg_allreduce(door_pg pg, const door_tensor* t, int n,
                               int op /* 0 sum 1 avg(sum then divide) 3 max */);
DOOR_API int door_pg_broadcast(door_pg pg, const door_tensor* t, int n, int root);
DOOR_API int door_pg_barrier(door_pg pg);
DOOR_API void door_pg_free(door_pg pg);

#ifdef __cplusplus
}
#endif
#endif
