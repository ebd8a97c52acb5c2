using LoraFactory.Images;
using LoraFactory.Models.Schedulers;
using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Models.Pipelines;

/// <summary>
/// Text to picture and picture to picture with Stable Diffusion 1, 2 and XL (Rombach et al. 2022, Podell et al. 2023). Adapters hung on the
/// layers of <see cref="Components"/> take part, also ones that differ by row of the batch; with guidance the batch is doubled, rows
/// without the prompt first. Thread-safe: all tensor work is done on the tensor thread.
/// </summary>
public sealed partial class StableDiffusionPipeline : IDisposable
{
    /// <summary>Pixels that are encoded or decoded at once; more costs memory and gains no time.</summary>
    private const long PixelsAtOnce = 1 << 20;

    private readonly ClipTextModel text;
    private readonly ClipTextModel? text2;

    /// <summary>From its parts, which it takes over. The VAE has to be in float32.</summary>
    public StableDiffusionPipeline(PromptEncoder prompts, ClipTextModel text, ClipTextModel? text2, UNet unet, AutoencoderKL vae, SchedulerOptions sampler)
    {
        Prompts = prompts;
        this.text = text;
        this.text2 = text2;
        UNet = unet;
        Vae = vae;
        Sampler = sampler;
        var components = new Dictionary<string, ParameterStore>(StringComparer.Ordinal) { ["unet"] = unet.Store, ["text_encoder"] = text.Store };
        if (text2 is not null) components["text_encoder_2"] = text2.Store;
        Components = components;
    }

    /// <summary>Texts to conditions.</summary>
    public PromptEncoder Prompts { get; }
    /// <summary>The first text encoder.</summary>
    public ClipTextModel Text => text;
    /// <summary>The denoiser.</summary>
    public UNet UNet { get; }
    /// <summary>Pictures to latents and back.</summary>
    public AutoencoderKL Vae { get; }
    /// <summary>The sampler that the model comes with.</summary>
    public SchedulerOptions Sampler { get; }
    /// <summary>Whether it is an XL model.</summary>
    public bool IsXl => text2 is not null;

    /// <summary>Weights and adaptable layers by component: "unet", "text_encoder" and, for XL, "text_encoder_2".</summary>
    public IReadOnlyDictionary<string, ParameterStore> Components { get; }

    /// <summary>Where its weights live.</summary>
    public Device Device => UNet.Store.Parameters[0].Value.Device;

    private DType DType => UNet.Store.Parameters[0].Value.DType;

    /// <summary>Draws pictures, in the order of the batch. Ends early with <see cref="OperationCanceledException"/>.</summary>
    public IReadOnlyList<Picture> Generate(GenerationRequest request) => TorchThread.Shared.Run(() =>
    {
        using var scope = new Scope();
        return ToPictures(Decode(Sample(request)));
    });

    /// <summary>The latents of pictures, [b, c, h, w] float32, scaled as the UNet has them; in the current scope.</summary>
    public Tensor Sample(GenerationRequest request)
    {
        using var off = Autograd.NoGrad();
        using var scope = new Scope();
        var (height, width) = Checked(request);
        var guided = request.Guidance > 1;
        using var scheduler = Scheduler.Create(request.Sampler ?? Sampler);
        scheduler.SetTimesteps(request.Steps);
        using var seeded = request.Noise is null ? new SeededNoise(Seeds(request)) : null;
        var noise = request.Noise ?? seeded!;
        var embeddings = Prompts.Encode(request, guided);
        var added = Added(request, embeddings, height, width);
        var first = 0;
        Tensor latents;
        long[] shape = [request.Count, Vae.Config.LatentChannels, height / Vae.Config.Factor, width / Vae.Config.Factor];
        if (request.InitialPictures is { Count: > 0 } pictures)
        {
            first = Skipped(request) * scheduler.Order;
            scheduler.Begin(first);
            var clean = Encode(pictures, request.Count, height, width, noise);
            latents = scheduler.AddNoise(clean, noise.Draw(shape, Device), scheduler.Timesteps[first]);
        }
        else
        {
            latents = noise.Draw(shape, Device) * scheduler.InitNoiseSigma;
        }
        latents = Denoise(request, scheduler, first, latents, embeddings.Context.To(DType), added, noise);
        if (latents.Isfinite().All().Item() == 0)
            throw new ModelException("The picture is not a number: half precision overflowed, or an adapter's weights are broken. Try float32, a smaller weight of the adapter, or another sampler.");
        return scope.Keep(latents);
    }

    /// <summary>Latents as the UNet has them → pictures [b, 3, H, W] in about −1..1, not clamped; a few at a time. In the current scope.</summary>
    public Tensor Decode(Tensor latents)
    {
        using var off = Autograd.NoGrad();
        var factor = Vae.Config.Factor;
        return InParts(latents, latents.Size(2) * factor * latents.Size(3) * factor, part => Vae.Decode(part.To(DType.Float32) / Vae.Config.ScalingFactor));
    }

    /// <summary>Pictures [b, 3, H, W] in −1..1 → 8-bit, rounded half to even after clamping.</summary>
    public static IReadOnlyList<Picture> ToPictures(Tensor decoded)
    {
        using var scope = new Scope();
        var (height, width) = ((int)decoded.Size(2), (int)decoded.Size(3));
        var bytes = ((decoded * 0.5 + 0.5).Clamp((Scalar)0.0, (Scalar)1.0) * 255.0).Round().Permute([0, 2, 3, 1]).ToArray<byte>();
        return [.. bytes.Chunk(height * width * 3).Select(pixels => new Picture(width, height, pixels))];
    }

    /// <summary>Pictures of one size → [b, 3, H, W] in −1..1, float32 on the CPU, in the current scope.</summary>
    public static Tensor ToTensor(IReadOnlyList<Picture> pictures)
    {
        using var scope = new Scope();
        var (height, width) = (pictures[0].Height, pictures[0].Width);
        var bytes = pictures.SelectMany(p => p.Width == width && p.Height == height ? p.Pixels
            : throw new ModelException($"pictures of {width}×{height} and {p.Width}×{p.Height} in one batch; scale them to one size.")).ToArray();
        return scope.Keep(Tensor.From(bytes, pictures.Count, height, width, 3).Permute([0, 3, 1, 2]).To(DType.Float32).Contiguous() * (2 / 255.0) - 1.0);
    }

    /// <inheritdoc/>
    public void Dispose() => TorchThread.Shared.Run(() =>
    {
        text.Dispose();
        text2?.Dispose();
        UNet.Dispose();
        Vae.Dispose();
    });

    private Tensor Denoise(GenerationRequest request, IScheduler scheduler, int first, Tensor latents, Tensor context, AddedCondition? added, INoiseSource noise)
    {
        var calls = scheduler.Timesteps.Count - first;
        var rows = context.Size(0);
        for (var i = 0; i < calls; i++)
        {
            request.Cancellation.ThrowIfCancellationRequested();
            using var step = new Scope();
            var t = scheduler.Timesteps[first + i];
            var input = scheduler.ScaleModelInput(latents, t);
            if (rows > input.Size(0)) input = Ops.Cat([input, input], 0);
            var time = Ops.Full([rows], t, dtype: DType.Float32, device: Device);
            var output = UNetParts.Forward(UNet, input.To(DType), time, context, added).To(DType.Float32);
            var next = scheduler.Step(Guided(output, request, latents.Size(0)), t, latents, noise).Sample;
            request.Progress?.Invoke(new(i + 1, calls, t, input, output, next));
            // outside this step's scope; the one before is not needed any more
            var before = latents;
            latents = step.Keep(next);
            if (i > 0 && !ReferenceEquals(before, next)) before.Dispose();
        }
        return latents;
    }

    // Rows without the prompt come first; rescaling takes the spread over everything but the batch.
    private static Tensor Guided(Tensor output, GenerationRequest request, long count)
    {
        if (output.Size(0) == count) return output;
        var (without, with) = (output.Narrow(0, 0, count), output.Narrow(0, count, count));
        var guided = without.Add(with - without, request.Guidance);
        if (request.GuidanceRescale <= 0) return guided;
        var rescaled = guided * (with.Std([1, 2, 3], 1, true) / guided.Std([1, 2, 3], 1, true));
        return guided.Lerp(rescaled, request.GuidanceRescale);
    }

    private AddedCondition? Added(GenerationRequest request, PromptEmbeddings embeddings, int height, int width)
    {
        if (embeddings.Pooled is not { } pooled) return null;
        var original = request.OriginalSize ?? (height, width);
        var target = request.TargetSize ?? (height, width);
        float[] ids = [original.Height, original.Width, request.Crop.Top, request.Crop.Left, target.Height, target.Width];
        return new(pooled.To(DType), Tensor.From(ids, 1, 6).Expand([pooled.Size(0), 6]).To(dtype: DType.Float32, device: Device));
    }

    // One picture for all is encoded once; each row draws its own noise.
    private Tensor Encode(IReadOnlyList<Picture> pictures, int count, int height, int width, INoiseSource noise)
    {
        var scaled = pictures.Select(p => p.Width == width && p.Height == height ? p : PictureResampler.Resize(p, width, height, Resampling.Lanczos)).ToArray();
        var pixels = ToTensor(scaled).To(dtype: DType.Float32, device: Vae.Store.Parameters[0].Value.Device);
        var latents = LatentDistribution.FromMoments(InParts(pixels, (long)height * width, part =>
        {
            var found = Vae.Encode(part);
            return Ops.Cat([found.Mean, found.LogVariance], 1);
        }));
        var shape = latents.Mean.Shape;
        shape[0] = count;
        return latents.Sample(noise.Draw(shape, latents.Mean.Device)) * Vae.Config.ScalingFactor;
    }

    private static Tensor InParts(Tensor batch, long pixels, Func<Tensor, Tensor> function)
    {
        using var scope = new Scope();
        var rows = Math.Max(1, PixelsAtOnce / Math.Max(1, pixels));
        var parts = new List<Tensor>();
        for (long at = 0; at < batch.Size(0); at += rows)
        {
            using var inner = new Scope();
            parts.Add(inner.Keep(function(batch.Narrow(0, at, Math.Min(rows, batch.Size(0) - at)))));
        }
        return scope.Keep(parts.Count == 1 ? parts[0] : Ops.Cat(parts.ToArray(), 0));
    }

    private static int Skipped(GenerationRequest request)
    {
        var run = Math.Min((int)(request.Steps * request.Strength), request.Steps);
        return run >= 1 ? request.Steps - run
            : throw new ModelException($"strength {request.Strength} of {request.Steps} steps leaves none to run; it has to be at least {1.0 / request.Steps:0.###}.");
    }

    private static long[] Seeds(GenerationRequest request)
    {
        if (request.Seeds.Count == request.Count) return [.. request.Seeds];
        return request.Seeds.Count == 1 ? [.. Enumerable.Range(0, request.Count).Select(i => request.Seeds[0] + i)]
            : throw new ModelException($"{request.Seeds.Count} seeds for {request.Count} pictures; give one for each, or one to count up from.");
    }

    private (int Height, int Width) Checked(GenerationRequest request)
    {
        if (request.Prompts.Count is 0 or > 64) throw new ModelException($"{request.Prompts.Count} prompts: it has to be from 1 to 64.");
        if (request.PicturesPerPrompt is < 1 or > 64) throw new ModelException($"{request.PicturesPerPrompt} pictures a prompt: it has to be from 1 to 64.");
        if (request.Guidance is not (>= 0 and <= 100)) throw new ModelException($"guidance {request.Guidance}: it has to be from 0 to 100.");
        if (request.GuidanceRescale is not (>= 0 and <= 1)) throw new ModelException($"guidance rescale {request.GuidanceRescale}: it has to be from 0 to 1.");
        if (request.Strength is not (>= 0 and <= 1)) throw new ModelException($"strength {request.Strength}: it has to be from 0 to 1.");
        if (request.InitialPictures is { Count: > 1 } many && many.Count != request.Count)
            throw new ModelException($"{many.Count} initial pictures for {request.Count} pictures; give one for all or one for each.");
        var factor = Vae.Config.Factor;
        var initial = request.InitialPictures is { Count: > 0 } p ? p[0] : null;
        var natural = UNet.Config.SampleSize * factor;
        int Side(int asked, int? given) => asked != 0 ? asked : given is { } g ? Math.Max(factor, g / factor * factor) : natural;
        var (height, width) = (Side(request.Height, initial?.Height), Side(request.Width, initial?.Width));
        if (height < factor || width < factor || height > 4096 || width > 4096 || height % factor != 0 || width % factor != 0)
            throw new ModelException($"a picture of {width}×{height}: each side has to be a multiple of {factor} from {factor} to 4096.");
        return (height, width);
    }
}
