namespace LoraFactory.Flow;

/// <summary>What <c>lora pretrain</c> is told. Zero lets the kind of model decide.</summary>
public sealed record PretrainOptions
{
    /// <summary>What is trained.</summary>
    [Option("Which model is trained.", OneOf = ["clip", "captioner", "sd", "vae", "text"])]
    public required string Kind { get; init; }
    /// <summary>Where it goes.</summary>
    [Option("Folder of the finished model; events and the checkpoint lie in its folder \"training\" until it is done.", Min = 1)]
    public required string Output { get; init; }
    /// <summary>Base.</summary>
    [Option("Model to continue from: a folder, or a pocket model's name; empty begins with random weights.")]
    public string From { get; init; } = "";
    /// <summary>Tokenizer.</summary>
    [Option("Model whose tokenizer (and, for sd, VAE) is used: a folder in diffusers layout, or \"pocket-sd\".", Min = 1)]
    public string Base { get; init; } = "pocket-sd";
    /// <summary>Steps.</summary>
    [Option("Optimizer steps.", Min = 0, Max = 10_000_000, Unit = "steps")]
    public int Steps { get; init; }
    /// <summary>Batch.</summary>
    [Option("Scenes per step.", Min = 0, Max = 4096, Unit = "scenes")]
    public int BatchSize { get; init; }
    /// <summary>Rate.</summary>
    [Option("Highest learning rate, after the warm-up; it falls to 0 as a cosine.", Min = 0, Max = 1)]
    public double LearningRate { get; init; }
    /// <summary>Warm-up.</summary>
    [Option("Steps over which the rate rises from 0.", Min = 0, Max = 1_000_000, Unit = "steps")]
    public int WarmupSteps { get; init; } = 50;
    /// <summary>Decay.</summary>
    [Option("AdamW's decoupled weight decay.", Min = 0, Max = 10)]
    public double WeightDecay { get; init; } = 0.05;
    /// <summary>Clip.</summary>
    [Option("Gradients are scaled down to this global norm; 0 never clips.", Min = 0, Max = 1e6)]
    public double MaxGradNorm { get; init; } = 1;
    /// <summary>Checkpoints.</summary>
    [Option("A resumable checkpoint is saved every so many steps.", Min = 1, Max = 1_000_000, Unit = "steps")]
    public int CheckpointEvery { get; init; } = 100;
    /// <summary>Seed.</summary>
    [Option("Seed of weights, scenes and noise.", Min = 0)]
    public long Seed { get; init; } = 1;
    /// <summary>Threads.</summary>
    [Option("Threads of tensor work; 0 leaves libtorch's own number.", Min = 0, Max = 1024, Unit = "threads")]
    public int Threads { get; init; }
    /// <summary>Width of towers and decoder.</summary>
    [Option("Width of the vision tower of clip and captioner; the text side has the same, at most 128.", Min = 16, Max = 1024)]
    public int Width { get; init; } = 192;
    /// <summary>Layers.</summary>
    [Option("Layers of the vision tower of clip and captioner; the text side has one less, at least 1.", Min = 1, Max = 48)]
    public int Layers { get; init; } = 3;
    /// <summary>Exam.</summary>
    [Option("Freshly drawn scenes that the finished model is examined on.", Min = 0, Max = 1_000_000, Unit = "scenes")]
    public int ExamScenes { get; init; } = 1200;
}
