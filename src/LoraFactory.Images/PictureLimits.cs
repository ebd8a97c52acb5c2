namespace LoraFactory.Images;

/// <summary>What decoding one picture may cost.</summary>
public sealed record PictureLimits
{
    /// <summary>Most pixels; checked on the header, before anything is decoded. 100 million.</summary>
    public long MaxPixels { get; init; } = 100_000_000;

    /// <summary>Longest decode in a process of its own; the process is killed after it. 20 s.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Memory that the decoding process may take beyond what it needs to start, in MiB. 1024.</summary>
    public int MemoryMiB { get; init; } = 1024;
}
