using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace LoraFactory.Torch;

/// <summary>One argument or result of an operator, laid out as <c>door_value</c> in native/door.h (24 bytes).</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct DoorValue
{
    public int Tag;
    public int Aux;
    public long N;
    public long U; // integer, bits of a double, handle or pointer

    public static readonly DoorValue None;
    public static readonly DoorValue Default = new() { Tag = 15 };

    public static DoorValue Of(Tensor t) => new() { Tag = 1, U = t.Handle };
    public static DoorValue Of(long i) => new() { Tag = 2, U = i };
    public static DoorValue Of(double d) => new() { Tag = 3, U = BitConverter.DoubleToInt64Bits(d) };
    public static DoorValue Of(bool b) => new() { Tag = 4, U = b ? 1 : 0 };
    public static DoorValue Of(Scalar s) => s.Value;
    public static DoorValue Of(DType t) => new() { Tag = 9, U = (long)t };
    public static DoorValue Of(Device d) => new() { Tag = 10, Aux = d.Index, U = (long)d.Type };
    public static DoorValue Of(MemoryFormat f) => new() { Tag = 12, U = (long)f };
    public static DoorValue Ints(long* p, int n) => new() { Tag = 5, N = n, U = (long)p };
    public static DoorValue Doubles(double* p, int n) => new() { Tag = 6, N = n, U = (long)p };
    public static DoorValue Scalars(double* p, int n) => new() { Tag = 16, N = n, U = (long)p };
    public static DoorValue Text(byte* p, int n) => new() { Tag = 8, N = n, U = (long)p };
    public static DoorValue Tensors(nint* p, int n, bool optional) => new() { Tag = optional ? 14 : 7, N = n, U = (long)p };
}

/// <summary>The C functions of native/door.h. Handles that come in are borrowed, handles that come out are owned.</summary>
internal static unsafe partial class Native
{
    private const string Door = "door";

    [DllImport(Door)] internal static extern byte* door_last_error();
    [DllImport(Door)] internal static extern void door_set_error(byte* text);
    [DllImport(Door)] internal static extern byte* door_version();
    [DllImport(Door)] internal static extern byte* door_runtime_config();
    [DllImport(Door)] internal static extern int door_get_num_threads();
    [DllImport(Door)] internal static extern int door_set_num_threads(int n);
    [DllImport(Door)] internal static extern int door_get_lanes();
    [DllImport(Door)] internal static extern void door_set_lanes(int most);
    [DllImport(Door)] internal static extern int door_manual_seed(long seed);
    [DllImport(Door)] internal static extern int door_rng_get_state(int deviceType, int deviceIndex, nint* state);
    [DllImport(Door)] internal static extern int door_rng_set_state(int deviceType, int deviceIndex, nint state);
    [DllImport(Door)] internal static extern void door_set_flush_denormal(int on);
    [DllImport(Door)] internal static extern int door_set_deterministic(int on);
    [DllImport(Door)] internal static extern int door_find(byte* name, byte* overload, nint* op);
    [DllImport(Door)] internal static extern byte* door_schema(nint op);
    [DllImport(Door)] internal static extern int door_call(nint op, DoorValue* args, int n, DoorValue* results, int room);
    [DllImport(Door)] internal static extern void door_value_free(DoorValue* value);
    [DllImport(Door)] internal static extern void door_free(void* p);
    [DllImport(Door)] internal static extern int door_from_blob(void* data, long* sizes, long* strides, int ndim, int dtype, int deviceType, int deviceIndex, delegate* unmanaged<void*, void> deleter, void* user, nint* tensor);
    [DllImport(Door)] internal static extern void door_release(nint tensor);
    [DllImport(Door)] internal static extern nint door_retain(nint tensor);
    [DllImport(Door), SuppressGCTransition] internal static extern int door_ndim(nint tensor);
    [DllImport(Door), SuppressGCTransition] internal static extern long door_numel(nint tensor);
    [DllImport(Door)] internal static extern int door_sizes(nint tensor, long* sizes);
    [DllImport(Door)] internal static extern int door_strides(nint tensor, long* strides);
    [DllImport(Door), SuppressGCTransition] internal static extern int door_dtype(nint tensor);
    [DllImport(Door)] internal static extern int door_device(nint tensor, int* type, int* index);
    [DllImport(Door)] internal static extern long door_storage_bytes(nint tensor);
    [DllImport(Door)] internal static extern void* door_storage_ptr(nint tensor);
    [DllImport(Door)] internal static extern void* door_data_ptr(nint tensor);
    [DllImport(Door)] internal static extern int door_is_contiguous(nint tensor);
    [DllImport(Door)] internal static extern int door_item(nint tensor, double* d, long* i, int* integral);
    [DllImport(Door)] internal static extern int door_requires_grad(nint tensor);
    [DllImport(Door)] internal static extern int door_set_requires_grad(nint tensor, int on);
    [DllImport(Door)] internal static extern int door_is_leaf(nint tensor);
    [DllImport(Door)] internal static extern int door_grad(nint tensor, nint* grad);
    [DllImport(Door)] internal static extern int door_set_grad(nint tensor, nint grad);
    [DllImport(Door)] internal static extern int door_backward(nint* tensors, nint* grads, int n, int retain, int create, nint* inputs, int inputCount);
    [DllImport(Door)] internal static extern int door_autograd_grad(nint* outputs, nint* grads, int n, nint* inputs, int inputCount, int retain, int create, int allowUnused, nint* results);
    [DllImport(Door), SuppressGCTransition] internal static extern int door_grad_enabled();
    [DllImport(Door), SuppressGCTransition] internal static extern void door_set_grad_enabled(int on);
    [DllImport(Door)] internal static extern int door_checkpoint(delegate* unmanaged<void*, int, nint*, int, nint*, int, int> fn, void* user, delegate* unmanaged<void*, void> drop, nint* inputs, int inputCount, nint* parameters, int parameterCount, int preserveRng, nint* results, int maxResults, int* resultCount);
    [DllImport(Door)] internal static extern int door_autocast_get(int deviceType, int* enabled, int* dtype);
    [DllImport(Door)] internal static extern int door_autocast_set(int deviceType, int enabled, int dtype, int cache);
    [DllImport(Door)] internal static extern int door_cpu_counting(int on);
    [DllImport(Door)] internal static extern long door_cpu_live();
    [DllImport(Door)] internal static extern long door_cpu_peak();
    [DllImport(Door)] internal static extern void door_cpu_reset_peak();
    [DllImport(Door)] internal static extern void door_cpu_limit(long bytes);
    [DllImport(Door)] internal static extern int door_cuda_available();
    [DllImport(Door)] internal static extern int door_cuda_device_count();
    [DllImport(Door)] internal static extern int door_device_synchronize(int type, int index);

    internal static string Text(byte* p) => Marshal.PtrToStringUTF8((nint)p) ?? "";

    /// <summary>Throws what the door reports; <paramref name="where"/> names the operator or function.</summary>
    internal static void Ok(int code, string where)
    {
        if (code != 0) throw new TorchException(Text(door_last_error()), where, (TorchError)code);
    }

    // Beside the program, or in build/door of a source tree above it, or where LORA_DOOR says.
#pragma warning disable CA2255 // the resolver has to be there before the first call, whoever makes it
    [ModuleInitializer]
#pragma warning restore CA2255
    internal static void Register() => NativeLibrary.SetDllImportResolver(typeof(Native).Assembly, Resolve);

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? search)
    {
        if (name != Door) return 0;
        var path = DoorPath() ?? throw new TorchException(
            "libdoor.so, the door to libtorch, was not found. Run ./lora once (it builds the door), or set LORA_DOOR to its path.", "load", TorchError.NotFound);
        PreloadCuda(path);
        try
        {
            return NativeLibrary.Load(path);
        }
        catch (DllNotFoundException e)
        {
            throw new TorchException($"{path} could not be loaded ({e.Message}). Install libtorch (apt-get install libtorch-dev libopenblas0-openmp), or set LORA_LIBTORCH and run ./lora again.", "load", TorchError.NotFound);
        }
    }

    /// <summary>Where libdoor.so is, null when nowhere.</summary>
    internal static string? DoorPath()
    {
        var named = Environment.GetEnvironmentVariable("LORA_DOOR");
        if (!string.IsNullOrEmpty(named)) return named;
        for (var at = AppContext.BaseDirectory; at is not null; at = Path.GetDirectoryName(at))
        {
            foreach (var candidate in new[] { Path.Combine(at, "libdoor.so"), Path.Combine(at, "build", "door", "libdoor.so") })
                if (File.Exists(candidate)) return candidate;
        }
        return null;
    }

    // Nothing in the door refers to the CUDA library, so nothing would load it.
    private static void PreloadCuda(string door)
    {
        var libtorch = Environment.GetEnvironmentVariable("LORA_LIBTORCH");
        if (string.IsNullOrEmpty(libtorch)) return;
        var cuda = Path.Combine(libtorch, "lib", "libtorch_cuda.so");
        if (File.Exists(cuda)) NativeLibrary.TryLoad(cuda, out _);
    }
}
