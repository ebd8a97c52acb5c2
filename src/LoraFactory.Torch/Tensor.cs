using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace LoraFactory.Torch;

/// <summary>
/// A tensor of libtorch. Belongs to the innermost <see cref="Torch.Scope"/> of the thread that made it, and is released with it;
/// made outside any scope, or after <see cref="Own"/>, it lives until <see cref="Dispose"/>.
/// Operators are generated from ops.txt; their names are ATen's, a trailing underscore means in place.
/// </summary>
public sealed unsafe partial class Tensor : IDisposable
{
    private static long live;
    private nint handle;

    private Tensor(nint owned)
    {
        handle = owned;
        Interlocked.Increment(ref live);
        Torch.Scope.Current?.Add(this);
    }

    /// <summary>Tensors alive in the process; a loop that does not leak leaves it unchanged.</summary>
    public static long LiveCount => Interlocked.Read(ref live);

    internal Scope? Scope { get; set; }
    internal int Slot { get; set; }

    /// <summary>The native handle, borrowed; throws when the tensor was released.</summary>
    internal nint Handle => handle != 0 ? handle : throw new ObjectDisposedException(nameof(Tensor), "This tensor was released with its scope; Keep or Own it there.");

    /// <summary>Whether it was released.</summary>
    public bool Released => handle == 0;

    internal static Tensor Adopt(nint owned) => new(owned);

    internal static Tensor Adopt(DoorValue value)
    {
        if (value.Tag == 1) return new((nint)value.U);
        var tag = value.Tag;
        Native.door_value_free(&value);
        throw new TorchException($"an operator returned no tensor (tag {tag})");
    }

    internal static Tensor[] AdoptAll(DoorValue value)
    {
        var handles = (nint*)value.U;
        var tensors = new Tensor[value.N];
        for (var i = 0; i < tensors.Length; i++) tensors[i] = new(handles[i]);
        Native.door_free(handles);
        return tensors;
    }

    /// <summary>A second reference to the same tensor, in the current scope.</summary>
    public Tensor Share() => new(Native.door_retain(Handle));

    /// <summary>Takes it out of its scope; from now on the caller disposes it. Returns itself.</summary>
    public Tensor Own()
    {
        Scope?.Remove(this);
        return this;
    }

    /// <summary>Releases this reference; the memory goes with the last one.</summary>
    public void Dispose()
    {
        if (handle == 0) return;
        Scope?.Remove(this);
        Native.door_release(handle);
        handle = 0;
        Interlocked.Decrement(ref live);
    }

    // ---- metadata

    /// <summary>Number of dimensions.</summary>
    public int Dim => Native.door_ndim(Handle);
    /// <summary>Number of elements.</summary>
    public long Count => Native.door_numel(Handle);
    /// <summary>Element type.</summary>
    public DType DType => (DType)Native.door_dtype(Handle);
    /// <summary>Whether rows lie in order without gaps.</summary>
    public bool IsContiguous => Native.door_is_contiguous(Handle) != 0;
    /// <summary>Bytes of its storage, which views share.</summary>
    public long StorageBytes => Native.door_storage_bytes(Handle);
    /// <summary>Identity of the storage: equal for views of one another.</summary>
    public nint StorageId => (nint)Native.door_storage_ptr(Handle);
    /// <summary>Address of the first element.</summary>
    public nint DataPointer => (nint)Native.door_data_ptr(Handle);

    /// <summary>Sizes.</summary>
    public long[] Shape
    {
        get
        {
            var shape = new long[Dim];
            fixed (long* p = shape) Native.Ok(Native.door_sizes(Handle, p), "sizes");
            return shape;
        }
    }

    /// <summary>Strides in elements.</summary>
    public long[] Strides
    {
        get
        {
            var strides = new long[Dim];
            fixed (long* p = strides) Native.Ok(Native.door_strides(Handle, p), "strides");
            return strides;
        }
    }

    /// <summary>Where it lives.</summary>
    public Device Device
    {
        get
        {
            int type, index;
            Native.Ok(Native.door_device(Handle, &type, &index), "device");
            return new((DeviceType)type, type == 0 ? -1 : index);
        }
    }

    /// <summary>Size of one dimension; negative counts from the end.</summary>
    public long Size(int dim)
    {
        var n = Dim;
        var i = dim < 0 ? dim + n : dim;
        if (i < 0 || i >= n) throw new TorchException($"dimension {dim} of a tensor with {n}", "Size", TorchError.Index);
        var sizes = stackalloc long[n];
        Native.Ok(Native.door_sizes(Handle, sizes), "sizes");
        return sizes[i];
    }

    // ---- memory in and out

    /// <summary>Copies numbers into a new CPU tensor; no shape gives a vector, and a scalar (shape []) where there is one number: name the shape 1 for a vector of one. The dtype follows from <typeparamref name="T"/>.</summary>
    public static Tensor From<T>(ReadOnlySpan<T> data, params ReadOnlySpan<long> shape) where T : unmanaged
    {
        ReadOnlySpan<long> sizes = shape.IsEmpty && data.Length != 1 ? [data.Length] : shape;
        long count = 1;
        foreach (var s in sizes) count *= s;
        if (count != data.Length) throw new TorchException($"{data.Length} numbers do not fill shape [{string.Join(", ", sizes.ToArray())}]", "From", TorchError.Value);
        var tensor = Ops.Empty(sizes, dtype: DTypes.Of<T>());
        data.CopyTo(new Span<T>(Native.door_data_ptr(tensor.Handle), data.Length));
        return tensor;
    }

    /// <summary>Copies an array into a new CPU tensor.</summary>
    public static Tensor From<T>(T[] data, params ReadOnlySpan<long> shape) where T : unmanaged => From((ReadOnlySpan<T>)data, shape);

    /// <summary>
    /// A tensor over memory that somebody else owns (row-major; strides in elements otherwise). The memory must stay until
    /// <paramref name="released"/> is called, which may be late and on any thread. In-place operators write into that memory.
    /// </summary>
    public static Tensor Over(nint data, ReadOnlySpan<long> shape, DType dtype, Action? released = null, ReadOnlySpan<long> strides = default)
    {
        nint result = 0;
        var user = released is null ? null : (void*)GCHandle.ToIntPtr(GCHandle.Alloc(released));
        fixed (long* sizes = shape)
        fixed (long* steps = strides)
        {
            long scalar = 0;
            var code = Native.door_from_blob((void*)data, sizes is null ? &scalar : sizes, strides.IsEmpty ? null : steps, shape.Length, (int)dtype, 0, -1,
                released is null ? null : &Released_, user, &result);
            if (code != 0 && user is not null) GCHandle.FromIntPtr((nint)user).Free();
            Native.Ok(code, "from_blob");
        }
        return new(result);
    }

    [UnmanagedCallersOnly]
    private static void Released_(void* user)
    {
        var pin = GCHandle.FromIntPtr((nint)user);
        var action = (Action)pin.Target!;
        pin.Free();
        // on a pool thread: an exception must not cross into native code
        ThreadPool.QueueUserWorkItem(static a => a(), action, preferLocal: false);
    }

    /// <summary>The elements in memory; only for a contiguous CPU tensor, and only while the tensor is alive.</summary>
    public Span<T> Span<T>() where T : unmanaged
    {
        if (DTypes.Of<T>() != DType && Unsafe.SizeOf<T>() != 1) throw new TorchException($"a {DType} tensor read as {typeof(T).Name}", "Span", TorchError.Type);
        if (Device.Type != DeviceType.Cpu || !IsContiguous) throw new TorchException("Span needs a contiguous CPU tensor", "Span", TorchError.Value);
        return new(Native.door_data_ptr(Handle), checked((int)(Count * DTypes.Bytes(DType) / Unsafe.SizeOf<T>())));
    }

    /// <summary>Copies the elements out, row-major, converting the dtype when it differs and coming from any device.</summary>
    public T[] ToArray<T>() where T : unmanaged
    {
        using var scope = new Scope();
        var plain = To(dtype: DTypes.Of<T>(), device: Torch.Device.Cpu).Contiguous();
        return plain.Span<T>().ToArray();
    }

    /// <summary>The one element of a one-element tensor.</summary>
    public double Item()
    {
        double d;
        long i;
        int integral;
        Native.Ok(Native.door_item(Handle, &d, &i, &integral), "item");
        return d;
    }

    /// <summary>The one element of a one-element integer tensor, exact.</summary>
    public long ItemLong()
    {
        double d;
        long i;
        int integral;
        Native.Ok(Native.door_item(Handle, &d, &i, &integral), "item");
        return integral != 0 ? i : (long)d;
    }

    /// <inheritdoc/>
    public override string ToString() => Released ? "released tensor" : $"{DType}[{string.Join(", ", Shape)}] on {Device}";
}

/// <summary>Facts about element types.</summary>
public static class DTypes
{
    /// <summary>Bytes of one element.</summary>
    public static int Bytes(DType type) => type switch
    {
        DType.UInt8 or DType.Int8 or DType.Bool or DType.Float8E4M3 or DType.Float8E5M2 => 1,
        DType.Int16 or DType.Float16 or DType.BFloat16 => 2,
        DType.Int32 or DType.Float32 => 4,
        _ => 8,
    };

    /// <summary>Whether it is a floating point type.</summary>
    public static bool IsFloat(DType type) => type is DType.Float16 or DType.BFloat16 or DType.Float32 or DType.Float64 or DType.Float8E4M3 or DType.Float8E5M2;

    /// <summary>The dtype of a C# type.</summary>
    public static DType Of<T>() where T : unmanaged => default(T) switch
    {
        float => DType.Float32,
        double => DType.Float64,
        long => DType.Int64,
        int => DType.Int32,
        short => DType.Int16,
        sbyte => DType.Int8,
        byte => DType.UInt8,
        bool => DType.Bool,
        Half => DType.Float16,
        _ => throw new TorchException($"no dtype for {typeof(T).Name}", "DTypes.Of", TorchError.Type),
    };
}
