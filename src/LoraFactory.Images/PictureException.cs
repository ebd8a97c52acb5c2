namespace LoraFactory.Images;

/// <summary>What was wrong with a picture.</summary>
public enum PictureFault
{
    /// <summary>The bytes are no picture of a kind that is read here.</summary>
    Unsupported,
    /// <summary>The bytes break the format or end early.</summary>
    Damaged,
    /// <summary>More pixels or bytes than the caller allows.</summary>
    TooLarge,
    /// <summary>Decoding took longer than the caller allows.</summary>
    TimedOut,
    /// <summary>The decoding process died.</summary>
    Crashed,
    /// <summary>libvips is missing or too old: every picture would fail.</summary>
    LibraryMissing,
}

/// <summary>A picture that could not be read or written. The message is one sentence for people.</summary>
public sealed class PictureException : Exception
{
    /// <summary>A fault with its sentence.</summary>
    public PictureException(PictureFault fault, string message, Exception? inner = null) : base(message, inner) => Fault = fault;

    /// <summary>What kind of fault.</summary>
    public PictureFault Fault { get; }
}
