using LoraFactory.Flow;
using LoraFactory.Images;
using LoraFactory.Models.Schedulers;
using LoraFactory.Models.Training;
using LoraFactory.Models.Weights;
using LoraFactory.Torch;

namespace LoraFactory.Stages.Train;

/// <summary>Gives the trainer its batches; the same step always gets the same ones.</summary>
public interface ITrainingBatches
{
    /// <summary>Micro-batches of step <paramref name="step"/>, from 0; made one by one, each in the scope that is open when it is asked for.</summary>
    IEnumerable<DiffusionBatch> Of(long step);

    /// <summary>Batches of held-out samples at fixed noise and timesteps; none when nothing is held out.</summary>
    IEnumerable<DiffusionBatch> Validation();
}

/// <summary>What the encoders made of one sample. All float32.</summary>
/// <param name="Mean">Mean of the latents, scaled, [1, c, H, W].</param>
/// <param name="Deviation">Their standard deviation, scaled.</param>
/// <param name="Mirrored">The same of the mirrored picture; null when nothing is mirrored.</param>
internal sealed record EncodedPicture(Tensor Mean, Tensor Deviation, EncodedPicture? Mirrored);

/// <summary>How batches are drawn.</summary>
internal sealed record TrainingDrawing
{
    public required int BatchSize { get; init; }
    public required int Accumulation { get; init; }
    public required long Seed { get; init; }
    public required double CaptionDropout { get; init; }
    public required double NoiseOffset { get; init; }
    public required bool Flip { get; init; }
    public PictureCrop Crop { get; init; }
    public required bool TrainText { get; init; }
}

/// <summary>
/// The samples as latents and text states, each computed once and kept in a cache by content: picture bytes, transform, base and dtype
/// name a latent; token ids, base and dtype name a text. The autoencoder gives a distribution, of which every use draws anew.
/// </summary>
internal sealed class TrainingData : ITrainingBatches, IDisposable
{
    /// <summary>Timesteps at which each held-out sample is measured, as shares of T.</summary>
    private static readonly double[] ValidationTimes = [0.1, 0.35, 0.6, 0.85];

    private readonly DiffusionModel model;
    private readonly TrainingDrawing drawing;
    private readonly TrainingOrder order;
    private readonly List<(EncodedPicture Picture, Tensor Text)> train = [];
    private readonly List<(EncodedPicture Picture, Tensor Text)> validation = [];
    private readonly Dictionary<string, Tensor> texts = new(StringComparer.Ordinal);
    private readonly List<Tensor> owned = [];

    private TrainingData(DiffusionModel model, TrainingDrawing drawing, IReadOnlyList<int> repeats)
    {
        this.model = model;
        this.drawing = drawing;
        order = new(repeats, drawing.Seed);
    }

    /// <summary>Pictures that were found in the cache.</summary>
    public int Found { get; private set; }

    /// <summary>Encodes what the cache lacks. <paramref name="read"/> gives the picture of a sample, or the square of it that is trained on.</summary>
    public static TrainingData Prepare(DiffusionModel model, string baseHash, IReadOnlyList<Sample> train, IReadOnlyList<Sample> validation, Func<Sample, Picture> read,
        int resolution, string cache, TrainingDrawing drawing, Action<int> progress, CancellationToken token)
    {
        var data = new TrainingData(model, drawing, [.. train.Select(s => s.Repeats)]);
        try
        {
            using var off = Autograd.NoGrad();
            var done = 0;
            foreach (var (samples, into) in ((IReadOnlyList<Sample>, List<(EncodedPicture, Tensor)>)[])[(train, data.train), (validation, data.validation)])
            {
                foreach (var sample in samples)
                {
                    token.ThrowIfCancellationRequested();
                    into.Add((data.Picture(sample, baseHash, read, resolution, cache), data.TextOf(sample.Caption, baseHash, cache)));
                    progress(++done);
                }
            }
            data.TextOf("", baseHash, cache);
            return data;
        }
        catch
        {
            data.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public IEnumerable<DiffusionBatch> Of(long step)
    {
        for (var micro = 0; micro < drawing.Accumulation; micro++)
        {
            var number = step * drawing.Accumulation + micro;
            var rows = order.Take(number * drawing.BatchSize, drawing.BatchSize);
            var chances = TrainingRandom.Uniform(drawing.Seed, "row", number, 2 * rows.Length);
            TorchLibrary.Seed(TrainingRandom.Seed(drawing.Seed, "step", number));
            yield return Batch([.. rows.Select((row, i) => (
                drawing.Flip && chances[2 * i] < 0.5 ? train[row].Picture.Mirrored! : train[row].Picture,
                chances[2 * i + 1] < drawing.CaptionDropout ? texts[""] : train[row].Text))], null);
        }
    }

    /// <inheritdoc/>
    public IEnumerable<DiffusionBatch> Validation()
    {
        var rows = validation.SelectMany(v => ValidationTimes, (v, t) => (v.Picture, v.Text, Time: (long)(t * model.Noise.Count))).ToList();
        for (var first = 0; first < rows.Count; first += drawing.BatchSize)
        {
            var some = rows.GetRange(first, Math.Min(drawing.BatchSize, rows.Count - first));
            TorchLibrary.Seed(TrainingRandom.Seed(drawing.Seed, "validation", first));
            yield return Batch([.. some.Select(r => (r.Picture, r.Text))], [.. some.Select(r => r.Time)]);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tensor in owned) tensor.Dispose();
    }

    private DiffusionBatch Batch((EncodedPicture Picture, Tensor Text)[] rows, long[]? times)
    {
        var device = model.Device;
        using var off = Autograd.NoGrad();
        var mean = Ops.Cat([.. rows.Select(r => r.Picture.Mean)]);
        var latents = Ops.Cat([.. rows.Select(r => r.Picture.Deviation)]).Mul(Ops.Randn(mean.Shape)).Add(mean);
        var noise = Ops.Randn(mean.Shape);
        if (drawing.NoiseOffset > 0) noise = TrainingNoise.Offset(noise, Ops.Randn([mean.Size(0), mean.Size(1), 1, 1]), drawing.NoiseOffset);
        var timesteps = times is null ? Ops.Randint(model.Noise.Count, [mean.Size(0)]) : Tensor.From(times, times.Length);
        var text = Ops.Cat([.. rows.Select(r => r.Text)]).To(device: device);
        return new()
        {
            Latents = latents.To(device: device),
            Noise = noise.To(device: device),
            Timesteps = timesteps.To(device: device),
            TokenIds = drawing.TrainText ? text : null,
            Context = drawing.TrainText ? null : text,
        };
    }

    private Tensor Owned(Tensor tensor)
    {
        owned.Add(tensor.Own());
        return tensor;
    }

    private EncodedPicture Picture(Sample sample, string baseHash, Func<Sample, Picture> read, int resolution, string cache)
    {
        var key = ContentId.Of(sample.BlobHash, $"shortest-edge lanczos, {drawing.Crop.ToString().ToLowerInvariant()} crop, {resolution}", baseHash, "float32", drawing.Flip ? "mirrored too" : "");
        var path = Path.Combine(cache, "latents", key[..2], key + ".safetensors");
        if (!Fits(path))
        {
            Encode(sample, read, resolution, path);
        }
        else
        {
            Found++;
        }
        using var scope = new Scope();
        using var source = SafetensorsFile.Open(path);
        Tensor Copy(string name) => Owned(source[name].ToTensor().Clone());
        return new(Copy("mean"), Copy("deviation"), drawing.Flip ? new(Copy("mirrored.mean"), Copy("mirrored.deviation"), null) : null);
    }

    private void Encode(Sample sample, Func<Sample, Picture> read, int resolution, string path)
    {
        using var scope = new Scope();
        Picture picture;
        try
        {
            picture = PictureFraming.Square(read(sample), resolution, drawing.Crop);
        }
        catch (Exception e) when (e is PictureException or IOException)
        {
            throw new LoraException($"The picture of sample {sample.Id} cannot be read ({e.Message}): {(sample.Variant?.File is { } file ? $"3-label/{file}. Run label again (lora run RECIPE --from label)" : $"blob {sample.BlobHash}. Run clean and label again (lora run RECIPE --from clean)")}.", inner: e);
        }
        var weights = new List<WeightToWrite>();
        foreach (var (prefix, side) in drawing.Flip ? [("", picture), ("mirrored.", picture.Mirrored())] : (IEnumerable<(string, Picture)>)[("", picture)])
        {
            var parameter = model.Vae.Store.Parameters[0].Value;
            var pixels = Tensor.From(side.Pixels, 1, resolution, resolution, 3).To(dtype: parameter.DType, device: parameter.Device).Permute([0, 3, 1, 2]);
            var latents = model.Vae.Encode((pixels / 127.5 - 1).Contiguous());
            var scale = model.Vae.Config.ScalingFactor;
            weights.Add((latents.Mean * scale).To(dtype: DType.Float32, device: Device.Cpu).Contiguous().ToWrite(prefix + "mean"));
            weights.Add((latents.Deviation * scale).To(dtype: DType.Float32, device: Device.Cpu).Contiguous().ToWrite(prefix + "deviation"));
        }
        SafetensorsWriter.Write(path, weights);
    }

    // Token ids when the text encoder is trained, else its states.
    private Tensor TextOf(string caption, string baseHash, string cache)
    {
        if (texts.TryGetValue(caption, out var known)) return known;
        using var scope = new Scope();
        var ids = model.Tokens(caption);
        if (drawing.TrainText) return texts[caption] = Owned(ids);
        var key = ContentId.Of([.. ids.ToArray<long>().Select(i => i.ToString()), baseHash, "float32"]);
        var path = Path.Combine(cache, "texts", key[..2], key + ".safetensors");
        if (!Fits(path))
        {
            var states = model.Encode(ids.To(device: model.Device)).To(dtype: DType.Float32, device: Device.Cpu).Contiguous();
            SafetensorsWriter.Write(path, [states.ToWrite("states")]);
        }
        using var source = SafetensorsFile.Open(path);
        return texts[caption] = Owned(source["states"].ToTensor().Clone());
    }

    // A cache file that was damaged is made again.
    private static bool Fits(string path)
    {
        if (!File.Exists(path)) return false;
        try
        {
            using var scope = new Scope();
            using var source = SafetensorsFile.Open(path);
            return source.Names.All(n => source[n].ToTensor().Isfinite().All().Item() != 0);
        }
        catch (LoraFactory.Models.ModelException)
        {
            return false;
        }
    }
}
