using LoraFactory.Images;
using LoraFactory.Models;
using LoraFactory.Models.Schedulers;
using LoraFactory.Models.Training;
using LoraFactory.Models.Weights;
using LoraFactory.Torch;

namespace LoraFactory.Stages.Train;

/// <summary>Draws the same prompts from the same noise again and again while training, so that the pictures show what the adapter learns.</summary>
internal sealed class TrainingSamples(DiffusionModel model, IReadOnlyList<string> prompts, int resolution, long seed, string directory)
{
    private const int Steps = 15;
    private const double Guidance = 4;
    private const string Sampler = "DPMSolverMultistepScheduler";

    /// <summary>Draws all prompts into samples/step-NNNNNNNN.png; gives the file.</summary>
    public string Draw(long step, TrainingLog log)
    {
        var pictures = Pictures();
        var grid = PictureGrid.Compose([.. pictures.Select((p, i) => new GridCell(p, prompts[i]))], Math.Min(4, prompts.Count), Math.Max(128, Math.Min(resolution, 256)), $"step {step}");
        var png = PictureWriter.Png(grid);
        var file = Path.Combine("samples", $"step-{step:D8}.png");
        Flow.AtomicFile.Write(Path.Combine(directory, file), stream => stream.Write(png));
        log.Write(new() { Event = "samples", Step = step, File = file });
        log.Picture(step, "samples", grid.Width, grid.Height, png);
        return file;
    }

    /// <summary>
    /// Draws the first prompt once more and keeps noise and latents, so that deploy can show that what is served draws the same:
    /// tensors "noise" and "latents" [1, c, h, w], and how they were drawn as metadata.
    /// </summary>
    public void Prove(string path)
    {
        using var off = Autograd.NoGrad();
        using var scope = new Scope();
        TorchLibrary.Seed(TrainingRandom.Seed(seed, "proof", 0));
        var side = resolution / model.Vae.Config.Factor;
        var noise = Ops.Randn([1, model.UNet.Config.InChannels, side, side]);
        var latents = Sample([prompts[0]], noise);
        SafetensorsWriter.Write(path, [noise.ToWrite("noise"), latents.To(dtype: DType.Float32, device: Device.Cpu).ToWrite("latents")], new Dictionary<string, string>
        {
            ["prompt"] = prompts[0], ["steps"] = $"{Steps}", ["guidance"] = $"{Guidance}", ["sampler"] = Sampler,
        });
    }

    private List<Picture> Pictures()
    {
        using var off = Autograd.NoGrad();
        using var scope = new Scope();
        var n = prompts.Count;
        var side = resolution / model.Vae.Config.Factor;
        TorchLibrary.Seed(TrainingRandom.Seed(seed, "samples", 0));
        var x = Sample(prompts, Ops.Randn([n, model.UNet.Config.InChannels, side, side]));
        var pixels = ((model.Vae.Decode(x / model.Vae.Config.ScalingFactor).To(dtype: DType.Float32, device: Device.Cpu) + 1) * 127.5).Round().Clamp(0, 255)
            .To(dtype: DType.UInt8).Permute([0, 2, 3, 1]).Contiguous();
        return [.. Enumerable.Range(0, n).Select(i => new Picture(resolution, resolution, pixels.Select(0, i).ToArray<byte>()))];
    }

    // Noise [n, c, h, w] to latents, in the current scope; written apart from the pipeline, so that the two can be held against each other.
    private Tensor Sample(IReadOnlyList<string> texts, Tensor noise)
    {
        var device = model.Device;
        using var scheduler = Scheduler.Create(model.Scheduler with { ClassName = Sampler });
        scheduler.SetTimesteps(Steps);
        var n = texts.Count;
        var x = noise.To(device: device) * scheduler.InitNoiseSigma;
        var ids = Ops.Cat([.. Enumerable.Repeat("", n).Concat(texts).Select(model.Tokens)]).To(device: device);
        var context = model.Encode(ids);
        foreach (var t in scheduler.Timesteps)
        {
            using var inner = new Scope();
            var input = scheduler.ScaleModelInput(x, t);
            var output = UNetParts.Forward(model.UNet, Ops.Cat([input, input]), Ops.Full([2 * n], t, dtype: DType.Float32, device: device), context).To(dtype: DType.Float32);
            var halves = output.Chunk(2);
            var guided = halves[0] + (halves[1] - halves[0]) * Guidance;
            x = inner.Keep(scheduler.Step(guided, t, x, new NoNoise()).Sample);
        }
        return x;
    }

    // The sampler that is used draws no noise of its own.
    private sealed class NoNoise : INoiseSource
    {
        public Tensor Draw(ReadOnlySpan<long> shape, Device device) => Ops.Zeros(shape, dtype: DType.Float32, device: device);
    }
}
