namespace LoraFactory.Torch;

/// <summary>A number for an operator; integers stay integers, so that type promotion is libtorch's own.</summary>
public readonly struct Scalar
{
    internal readonly DoorValue Value;

    private Scalar(DoorValue value) => Value = value;

    /// <summary>A floating point number.</summary>
    public static implicit operator Scalar(double d) => new(DoorValue.Of(d));
    /// <summary>A floating point number.</summary>
    public static implicit operator Scalar(float d) => new(DoorValue.Of((double)d));
    /// <summary>An integer.</summary>
    public static implicit operator Scalar(long i) => new(DoorValue.Of(i));
    /// <summary>An integer.</summary>
    public static implicit operator Scalar(int i) => new(DoorValue.Of((long)i));
    /// <summary>A truth value.</summary>
    public static implicit operator Scalar(bool b) => new(DoorValue.Of(b));
}

/// <summary>Kinds of device, with libtorch's numbers.</summary>
public enum DeviceType
{
    /// <summary>The processor.</summary>
    Cpu = 0,
    /// <summary>NVIDIA, or AMD through HIP.</summary>
    Cuda = 1,
}

/// <summary>Where a tensor lives.</summary>
/// <param name="Type">Kind.</param>
/// <param name="Index">Which one; -1 is the current one.</param>
public readonly record struct Device(DeviceType Type, int Index = -1)
{
    /// <summary>The processor.</summary>
    public static readonly Device Cpu = new(DeviceType.Cpu);

    /// <inheritdoc/>
    public override string ToString() => Type == DeviceType.Cpu ? "cpu" : Index < 0 ? "cuda" : $"cuda:{Index}";
}

/// <summary>Order of elements in memory, with libtorch's numbers.</summary>
public enum MemoryFormat
{
    /// <summary>Row-major.</summary>
    Contiguous = 0,
    /// <summary>As the input has it.</summary>
    Preserve = 1,
    /// <summary>Channels last (NHWC).</summary>
    ChannelsLast = 2,
}
