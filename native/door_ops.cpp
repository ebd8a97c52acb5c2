// Operators: found by schema name through the dispatcher, called boxed with tagged values.
#include "door_internal.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include <mutex>
#include <unordered_map>

using namespace door;

namespace {
enum Kind : uint8_t { K_TENSOR, K_INT, K_FLOAT, K_BOOL, K_SCALAR, K_STR, K_DEVICE, K_GEN, K_OTHER };
struct ArgInfo {
  Kind kind = K_OTHER;
  bool list = false, optional = false, elem_optional = false, has_default = false;
  int n = 0;
  IValue def;
};
}  // namespace
struct door_op_s {
  c10::OperatorHandle h;
  std::vector<ArgInfo> args;
  int nrets;
  std::string schema;
  explicit door_op_s(c10::OperatorHandle x) : h(x) {}
};

static Kind kind_of(const c10::TypePtr& t) {
  switch (t->kind()) {
    case c10::TypeKind::TensorType:
      return K_TENSOR;
    case c10::TypeKind::IntType:
      return K_INT;
    case c10::TypeKind::FloatType:
      return K_FLOAT;
    case c10::TypeKind::BoolType:
      return K_BOOL;
    case c10::TypeKind::NumberType:
      return K_SCALAR;
    case c10::TypeKind::StringType:
      return K_STR;
    case c10::TypeKind::DeviceObjType:
      return K_DEVICE;
    case c10::TypeKind::GeneratorType:
      return K_GEN;
    // newer versions show real types in schemas; the values are ints all the same
    case c10::TypeKind::ScalarTypeType:
    case c10::TypeKind::LayoutType:
    case c10::TypeKind::MemoryFormatType:
      return K_INT;
    case c10::TypeKind::SymIntType:
      return K_INT;
#if TV >= 200
    case c10::TypeKind::SymFloatType:
      return K_FLOAT;
    case c10::TypeKind::SymBoolType:
      return K_BOOL;
#endif
    default:
      return K_OTHER;
  }
}
static ArgInfo info_of(const c10::Argument& a) {
  ArgInfo r;
  c10::TypePtr t = a.type();
  if (t->kind() == c10::TypeKind::OptionalType) {
    r.optional = true;
    t = t->castRaw<c10::OptionalType>()->getElementType();
  }
  if (t->kind() == c10::TypeKind::ListType) {
    r.list = true;
    t = t->castRaw<c10::ListType>()->getElementType();
    if (t->kind() == c10::TypeKind::OptionalType) {
      r.elem_optional = true;
      t = t->castRaw<c10::OptionalType>()->getElementType();
    }
    r.n = a.N() ? static_cast<int>(*a.N()) : 0;
  }
  r.kind = kind_of(t);
  if (a.default_value()) {
    r.has_default = true;
    r.def = *a.default_value();
  }
  return r;
}

[[noreturn]] static void bad(const door_op_s* op, int i, const char* why) {
  const auto& s = op->h.schema();
  throw c10::TypeError({__func__, __FILE__, static_cast<uint32_t>(__LINE__)},
                       std::string(why) + " for argument " + std::to_string(i) + " '" +
                           (i < (int)s.arguments().size() ? s.arguments()[i].name() : "?") + "' of " + op->schema);
}

static inline bool is_num(int tag) { return tag == DOOR_INT || tag == DOOR_DOUBLE || tag == DOOR_BOOL; }
static IValue to_ivalue(const door_op_s* op, int i, const ArgInfo& a, const door_value& v) {
  if (v.tag == DOOR_NONE) {
    if (!a.optional && a.kind != K_TENSOR && a.kind != K_GEN) bad(op, i, "none");
    return a.kind == K_TENSOR && !a.optional && !a.list ? IValue(Tensor()) : IValue();
  }
  if (a.list) {
    switch (a.kind) {
      case K_TENSOR: {
        if (v.tag != DOOR_TENSOR_LIST && v.tag != DOOR_OPT_TENSOR_LIST) bad(op, i, "expected a tensor list");
        auto** h = static_cast<door_tensor*>(v.u.p);
        if (a.elem_optional) {
          c10::List<Opt<Tensor>> l;
          l.reserve(v.n);
          for (int64_t k = 0; k < v.n; k++) {
            if (h[k])
              l.push_back(Opt<Tensor>(borrow(h[k])));
            else
              l.push_back(Opt<Tensor>());
          }
          return IValue(std::move(l));
        }
        c10::List<Tensor> l;
        l.reserve(v.n);
        for (int64_t k = 0; k < v.n; k++) l.push_back(borrow(h[k]));
        return IValue(std::move(l));
      }
      case K_INT: {
        c10::List<int64_t> l;
        if (v.tag == DOOR_INT) {
          for (int k = 0; k < (a.n ? a.n : 1); k++) l.push_back(v.u.i);
          return IValue(std::move(l));
        }
        if (v.tag != DOOR_INT_LIST) bad(op, i, "expected an int list");
        l.reserve(v.n);
        for (int64_t k = 0; k < v.n; k++) l.push_back(static_cast<int64_t*>(v.u.p)[k]);
        return IValue(std::move(l));
      }
      case K_FLOAT: {
        c10::List<double> l;
        l.reserve(v.n);
        if (v.tag == DOOR_DOUBLE_LIST || v.tag == DOOR_SCALAR_LIST)
          for (int64_t k = 0; k < v.n; k++) l.push_back(static_cast<double*>(v.u.p)[k]);
        else if (v.tag == DOOR_INT_LIST)
          for (int64_t k = 0; k < v.n; k++) l.push_back(static_cast<double>(static_cast<int64_t*>(v.u.p)[k]));
        else
          bad(op, i, "expected a float list");
        return IValue(std::move(l));
      }
      case K_BOOL: {
        if (v.tag != DOOR_BOOL_LIST) bad(op, i, "expected a bool list");
        c10::List<bool> l;
        l.reserve(v.n);
        for (int64_t k = 0; k < v.n; k++) l.push_back(static_cast<uint8_t*>(v.u.p)[k] != 0);
        return IValue(std::move(l));
      }
      case K_SCALAR: {
        c10::List<at::Scalar> l;
        l.reserve(v.n);
        if (v.tag == DOOR_DOUBLE_LIST || v.tag == DOOR_SCALAR_LIST)
          for (int64_t k = 0; k < v.n; k++) l.push_back(at::Scalar(static_cast<double*>(v.u.p)[k]));
        else if (v.tag == DOOR_INT_LIST)
          for (int64_t k = 0; k < v.n; k++) l.push_back(at::Scalar(static_cast<int64_t*>(v.u.p)[k]));
        else
          bad(op, i, "expected a scalar list");
        return IValue(std::move(l));
      }
      default:
        bad(op, i, "unsupported list type");
    }
  }
  switch (a.kind) {
    case K_TENSOR:
      if (v.tag == DOOR_TENSOR) return IValue(borrow(v.u.p));
      if (is_num(v.tag)) {  // like Python: a number becomes a wrapped 0-d tensor
        at::Scalar s = v.tag == DOOR_INT    ? at::Scalar(v.u.i)
                       : v.tag == DOOR_BOOL ? at::Scalar(v.u.i != 0)
                                            : at::Scalar(v.u.d);
        Tensor t = at::scalar_tensor(s, at::TensorOptions().dtype(v.tag == DOOR_DOUBLE ? at::kDouble
                                                                  : v.tag == DOOR_BOOL ? at::kBool
                                                                                       : at::kLong));
        t.unsafeGetTensorImpl()->set_wrapped_number(true);
        return IValue(std::move(t));
      }
      bad(op, i, "expected a tensor");
    case K_INT:
      if (v.tag == DOOR_INT || v.tag == DOOR_DTYPE || v.tag == DOOR_LAYOUT || v.tag == DOOR_MEMORY_FORMAT ||
          v.tag == DOOR_BOOL)
        return IValue(v.u.i);
      bad(op, i, "expected an int");
    case K_FLOAT:
      if (v.tag == DOOR_DOUBLE) return IValue(v.u.d);
      if (v.tag == DOOR_INT) return IValue(static_cast<double>(v.u.i));
      bad(op, i, "expected a float");
    case K_BOOL:
      if (v.tag == DOOR_BOOL || v.tag == DOOR_INT) return IValue(v.u.i != 0);
      bad(op, i, "expected a bool");
    case K_SCALAR:
      if (v.tag == DOOR_DOUBLE) return IValue(v.u.d);
      if (v.tag == DOOR_INT) return IValue(v.u.i);
      if (v.tag == DOOR_BOOL) return IValue(v.u.i != 0);
      if (v.tag == DOOR_COMPLEX) {
        auto* c = static_cast<double*>(v.u.p);
        return IValue(c10::complex<double>(c[0], c[1]));
      }
      bad(op, i, "expected a scalar");
    case K_STR:
      if (v.tag == DOOR_STRING) return IValue(std::string(static_cast<const char*>(v.u.p), static_cast<size_t>(v.n)));
      bad(op, i, "expected a string");
    case K_DEVICE:
      if (v.tag == DOOR_DEVICE)
        return IValue(at::Device(static_cast<at::DeviceType>(v.u.i), static_cast<c10::DeviceIndex>(v.aux)));
      bad(op, i, "expected a device");
    default:
      bad(op, i, "unsupported type");
  }
}

static void from_ivalue(IValue&& x, door_value* o, const door_value* args, int nargs) {
  o->aux = -1;
  o->n = 0;
  o->u.i = 0;
  if (x.isTensor()) {
    Tensor t = std::move(x).toTensor();
    o->tag = t.defined() ? DOOR_TENSOR : DOOR_NONE;
    void* p = give(std::move(t));
    o->u.p = p;
    if (p)
      for (int k = 0; k < nargs; k++)
        if (args[k].tag == DOOR_TENSOR && args[k].u.p == p) {
          o->aux = k;
          break;
        }
  } else if (x.isNone())
    o->tag = DOOR_NONE;
  else if (x.isBool()) {
    o->tag = DOOR_BOOL;
    o->u.i = x.toBool();
  } else if (x.isInt()) {
    o->tag = DOOR_INT;
    o->u.i = x.toInt();
  } else if (x.isDouble()) {
    o->tag = DOOR_DOUBLE;
    o->u.d = x.toDouble();
  } else if (x.isComplexDouble()) {
    auto c = x.toComplexDouble();
    auto* p = static_cast<double*>(malloc(16));
    p[0] = c.real();
    p[1] = c.imag();
    o->tag = DOOR_COMPLEX;
    o->u.p = p;
    o->n = 2;
  } else if (x.isTensorList()) {
    auto l = std::move(x).toTensorVector();
    auto** p = static_cast<door_tensor*>(malloc(sizeof(void*) * (l.size() + 1)));
    for (size_t k = 0; k < l.size(); k++) p[k] = give(std::move(l[k]));
    o->tag = DOOR_TENSOR_LIST;
    o->n = static_cast<int64_t>(l.size());
    o->u.p = p;
  } else if (x.isIntList()) {
    auto l = x.toIntVector();
    auto* p = static_cast<int64_t*>(malloc(8 * (l.size() + 1)));
    for (size_t k = 0; k < l.size(); k++) p[k] = l[k];
    o->tag = DOOR_INT_LIST;
    o->n = static_cast<int64_t>(l.size());
    o->u.p = p;
  } else if (x.isDoubleList()) {
    auto l = x.toDoubleVector();
    auto* p = static_cast<double*>(malloc(8 * (l.size() + 1)));
    for (size_t k = 0; k < l.size(); k++) p[k] = l[k];
    o->tag = DOOR_DOUBLE_LIST;
    o->n = static_cast<int64_t>(l.size());
    o->u.p = p;
  } else if (x.isString()) {
    const auto& s = x.toStringRef();
    auto* p = static_cast<char*>(malloc(s.size() + 1));
    memcpy(p, s.data(), s.size());
    p[s.size()] = 0;
    o->tag = DOOR_STRING;
    o->n = static_cast<int64_t>(s.size());
    o->u.p = p;
  } else if (x.isDevice()) {
    o->tag = DOOR_DEVICE;
    o->u.i = static_cast<int64_t>(x.toDevice().type());
    o->aux = x.toDevice().index();
  } else
    o->tag = DOOR_OTHER;
}

static inline void run_op(door_op op, const door_value* args, int nargs, torch::jit::Stack& st) {
  const int want = static_cast<int>(op->args.size());
  if (nargs > want) bad(op, nargs - 1, "too many arguments");
  st.reserve(static_cast<size_t>(want));
  for (int i = 0; i < want; i++) {
    const ArgInfo& a = op->args[i];
    if (i < nargs && args[i].tag != DOOR_DEFAULT) {
      if (a.kind == K_TENSOR && !a.list && args[i].tag == DOOR_TENSOR)
        st.emplace_back(borrow(args[i].u.p));  // the common case
      else
        st.push_back(to_ivalue(op, i, a, args[i]));
    } else if (a.has_default)
      st.push_back(a.def);
    else if (a.optional)
      st.emplace_back();
    else
      bad(op, i, "missing value");
  }
  op->h.callBoxed(st);
}
extern "C" {
int door_find(const char* name, const char* overload, door_op* out) {
  static std::mutex m;
  static std::unordered_map<std::string, door_op> cache;
  *out = nullptr;
  int rc = guard([&] {
    std::string key = std::string(name) + "|" + (overload ? overload : "");
    std::lock_guard<std::mutex> l(m);
    auto it = cache.find(key);
    if (it != cache.end()) {
      *out = it->second;
      return;
    }
    auto h = c10::Dispatcher::singleton().findSchema({name, overload ? overload : ""});
    if (!h) {
      error_text() = std::string("no operator ") + name + (overload && *overload ? std::string(".") + overload : "");
      return;
    }
    auto* op = new door_op_s(*h);
    const auto& s = h->schema();
    for (const auto& a : s.arguments()) op->args.push_back(info_of(a));
    op->nrets = static_cast<int>(s.returns().size());
    op->schema = c10::toString(s);
    cache[key] = op;
    *out = op;
  });
  return rc ? rc : (*out ? DOOR_OK : DOOR_E_NOOP);
}
const char* door_schema(door_op op) { return op->schema.c_str(); }
int door_call(door_op op, const door_value* args, int nargs, door_value* out, int room) {
  if (op->nrets > room) {
    error_text() = "room for " + std::to_string(room) + " results of " + op->schema;
    return DOOR_E_ARGS;
  }
  return guard([&] {
    torch::jit::Stack st;
    run_op(op, args, nargs, st);
    int n = op->nrets < (int)st.size() ? op->nrets : (int)st.size();
    for (int i = 0; i < n; i++) from_ivalue(std::move(st[static_cast<size_t>(i)]), &out[i], args, nargs);
  });
}
void door_value_free(door_value* v) {
  if (v->tag == DOOR_TENSOR)
    door_release(v->u.p);
  else if (v->tag == DOOR_TENSOR_LIST) {
    auto** p = static_cast<door_tensor*>(v->u.p);
    for (int64_t k = 0; k < v->n; k++) door_release(p[k]);
    free(p);
  } else if (v->tag == DOOR_INT_LIST || v->tag == DOOR_DOUBLE_LIST || v->tag == DOOR_STRING || v->tag == DOOR_COMPLEX)
    free(v->u.p);
  v->tag = DOOR_NONE;
  v->u.p = nullptr;
}
}  // extern "C"
