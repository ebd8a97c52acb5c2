using LoraFactory.Images;
using LoraFactory.Models.Schedulers;
using LoraFactory.Torch;

namespace LoraFactory.Models.Pipelines;

/// <summary>What pictures are asked for. A batch is all prompts times <see cref="PicturesPerPrompt"/>, the pictures of a prompt side by side.</summary>
public sealed record GenerationRequest
{
    /// <summary>Prompts, at least one.</summary>
    public required IReadOnlyList<string> Prompts { get; init; }
    /// <summary>Negative prompts: none, one for all, or one a prompt. None is an empty prompt, in SDXL zeros.</summary>
    public IReadOnlyList<string>? NegativePrompts { get; init; }
    /// <summary>SDXL: prompts for the second encoder; null takes <see cref="Prompts"/>.</summary>
    public IReadOnlyList<string>? SecondPrompts { get; init; }
    /// <summary>SDXL: negative prompts for the second encoder; null takes <see cref="NegativePrompts"/>.</summary>
    public IReadOnlyList<string>? SecondNegativePrompts { get; init; }
    /// <summary>Pictures of each prompt, 1..64.</summary>
    public int PicturesPerPrompt { get; init; } = 1;
    /// <summary>Width in pixels, a multiple of the autoencoder's factor; 0 takes the model's or the initial picture's.</summary>
    public int Width { get; init; }
    /// <summary>Height in pixels, a multiple of the autoencoder's factor; 0 takes the model's or the initial picture's.</summary>
    public int Height { get; init; }
    /// <summary>Sampling steps, 1..1000.</summary>
    public int Steps { get; init; } = 25;
    /// <summary>Classifier-free guidance (Ho and Salimans 2022), 0..100; at 1 and below the model runs without, at half the cost.</summary>
    public double Guidance { get; init; } = 7.5;
    /// <summary>Brings the spread of the guided prediction back to the unguided one's (Lin et al. 2023, 3.4); 0..1.</summary>
    public double GuidanceRescale { get; init; }
    /// <summary>Layers of the text encoder left out at its end, as diffusers counts: 0 none. Tools that call the last layer 1 say one more.</summary>
    public int ClipSkip { get; init; }
    /// <summary>Whether <see cref="ClipSkip"/> also holds for negative prompts: false as in diffusers, true as in most web interfaces.</summary>
    public bool ClipSkipNegative { get; init; }
    /// <summary>Windows of text per prompt, 1..8: what does not fit is cut.</summary>
    public int PromptWindows { get; init; } = 1;
    /// <summary>The sampler; null takes the model's own.</summary>
    public SchedulerOptions? Sampler { get; init; }
    /// <summary>One seed a picture, or one from which those of a batch count up.</summary>
    public IReadOnlyList<long> Seeds { get; init; } = [0];
    /// <summary>Noise of the whole batch given from outside, instead of seeds; null takes the seeds.</summary>
    public INoiseSource? Noise { get; init; }
    /// <summary>Pictures to begin with (image to image): none, one for all, or one a picture of the batch. Scaled to the size asked for.</summary>
    public IReadOnlyList<Picture>? InitialPictures { get; init; }
    /// <summary>How much of an initial picture is done anew, 0..1: ⌊steps·strength⌋ steps run.</summary>
    public double Strength { get; init; } = 0.8;
    /// <summary>SDXL: size of the original that the model is told, (height, width); null is the picture's.</summary>
    public (int Height, int Width)? OriginalSize { get; init; }
    /// <summary>SDXL: crop that the model is told, (top, left).</summary>
    public (int Top, int Left) Crop { get; init; }
    /// <summary>SDXL: target size that the model is told, (height, width); null is the picture's.</summary>
    public (int Height, int Width)? TargetSize { get; init; }
    /// <summary>Called after every step, on the tensor thread; its tensors are valid during the call.</summary>
    public Action<SamplingProgress>? Progress { get; init; }
    /// <summary>Ends the work between two steps.</summary>
    public CancellationToken Cancellation { get; init; }

    /// <summary>Pictures in all.</summary>
    public int Count => Prompts.Count * PicturesPerPrompt;
}

/// <summary>One step done.</summary>
/// <param name="Step">Call of the model, from 1.</param>
/// <param name="Steps">Calls in all.</param>
/// <param name="Timestep">Its timestep.</param>
/// <param name="Input">What the model got, [b or 2b, c, h, w]: rows without the prompt first.</param>
/// <param name="Output">What it answered, before guidance.</param>
/// <param name="Latents">The latents after the step, [b, c, h, w].</param>
public sealed record SamplingProgress(int Step, int Steps, double Timestep, Tensor Input, Tensor Output, Tensor Latents);
