namespace LoraFactory.Flow;

/// <summary>Threads and memory of a run.</summary>
public sealed record ResourceOptions
{
    /// <summary>Threads.</summary>
    [Option("Threads of tensor work in every stage; 0 takes all processors, at most 16.", Min = 0, Max = 1024, Unit = "threads")]
    public int Threads { get; init; }
    /// <summary>Memory limit.</summary>
    [Option("Memory that training is planned within: a plan that needs more is refused with the change that would fit. 0 plans with what the machine has.", Min = 0, Max = 1e7, Unit = "MiB")]
    public double MemoryMiB { get; init; }
    /// <summary>Device.</summary>
    [Option("Where every stage computes; auto takes CUDA where libtorch finds it.", OneOf = ["auto", "cpu", "cuda"])]
    public string Device { get; init; } = "auto";
}
