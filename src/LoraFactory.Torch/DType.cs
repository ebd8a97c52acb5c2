namespace LoraFactory.Torch;

/// <summary>Element types, with libtorch's own numbers (c10::ScalarType), alike in 1.13 and 2.x.</summary>
public enum DType
{
    /// <summary>Unsigned 8 bit.</summary>
    UInt8 = 0,
    /// <summary>Signed 8 bit.</summary>
    Int8 = 1,
    /// <summary>Signed 16 bit.</summary>
    Int16 = 2,
    /// <summary>Signed 32 bit.</summary>
    Int32 = 3,
    /// <summary>Signed 64 bit.</summary>
    Int64 = 4,
    /// <summary>IEEE half.</summary>
    Float16 = 5,
    /// <summary>IEEE single.</summary>
    Float32 = 6,
    /// <summary>IEEE double.</summary>
    Float64 = 7,
    /// <summary>One byte, 0 or 1.</summary>
    Bool = 11,
    /// <summary>Brain float: 8 exponent bits, 7 of mantissa.</summary>
    BFloat16 = 15,
    /// <summary>8-bit float with 5 exponent bits; libtorch 2.1 and later only.</summary>
    Float8E5M2 = 23,
    /// <summary>8-bit float with 4 exponent bits; libtorch 2.1 and later only.</summary>
    Float8E4M3 = 24,
}
