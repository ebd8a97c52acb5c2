namespace LoraFactory.Torch;

/// <summary>What went wrong, as native/door.h numbers it.</summary>
public enum TorchError
{
    /// <summary>Any other error of libtorch: shapes that do not fit, a wrong dtype.</summary>
    Generic = 1,
    /// <summary>Index out of range.</summary>
    Index = 2,
    /// <summary>Bad value.</summary>
    Value = 3,
    /// <summary>Bad type.</summary>
    Type = 4,
    /// <summary>This libtorch or device lacks it.</summary>
    NotImplemented = 5,
    /// <summary>Out of memory, or over the set limit.</summary>
    OutOfMemory = 6,
    /// <summary>A factorisation failed.</summary>
    LinearAlgebra = 7,
    /// <summary>No such operator.</summary>
    NoOperator = 8,
    /// <summary>Arguments do not fit the schema.</summary>
    Arguments = 9,
    /// <summary>A callback failed during backward.</summary>
    Callback = 10,
    /// <summary>The door or libtorch was not found.</summary>
    NotFound = 100,
}

/// <summary>An error of libtorch or of the door to it.</summary>
public sealed class TorchException : Exception
{
    /// <summary>Message, the operator or function where it happened, and the kind.</summary>
    public TorchException(string message, string where = "", TorchError error = TorchError.Generic)
        : base(where.Length == 0 || error == TorchError.NotFound ? message : $"{where}: {message}") => Error = error;

    /// <summary>Kind of error.</summary>
    public TorchError Error { get; }
}

/// <summary>Checks of shapes that also run in Release.</summary>
public static class Check
{
    /// <summary>Throws unless <paramref name="x"/> has exactly this shape; -1 stands for any size.</summary>
    public static void Shape(Tensor x, params ReadOnlySpan<long> expected)
    {
        var actual = x.Shape;
        var fits = actual.Length == expected.Length;
        for (var i = 0; fits && i < actual.Length; i++) fits = expected[i] < 0 || expected[i] == actual[i];
        if (!fits) throw new TorchException($"shape [{string.Join(", ", actual)}] where [{string.Join(", ", expected.ToArray())}] is needed (-1: any)", "Check.Shape", TorchError.Value);
    }
}
