using System.Text.Json;
using LoraFactory.Images;
using LoraFactory.Models.Tokenizers;
using LoraFactory.Models.Weights;
using LoraFactory.Torch;

namespace LoraFactory.Models.Scoring;

/// <summary>
/// Pictures and texts as unit vectors in CLIP's space. Works in batches on the tensor thread; may be called from any thread.
/// </summary>
public sealed class ClipScorer : IDisposable
{
    private const int Batch = 32;
    private readonly ClipModel model;
    private readonly ClipTokenizer tokenizer;
    private readonly PictureProcessor processor;

    private ClipScorer(ClipModel model, ClipTokenizer tokenizer, PictureProcessor processor)
    {
        this.model = model;
        this.tokenizer = tokenizer;
        this.processor = processor;
    }

    /// <summary>Loads a full CLIP folder: config.json, weights, tokenizer files, and preprocessor_config.json where there is one; computes on <paramref name="device"/>.</summary>
    public static ClipScorer Load(string folder, Device? device = null) => TorchThread.Shared.Run(() =>
    {
        using var scope = new Scope();
        var model = ClipModel.Load(folder, device: device);
        var config = Path.Combine(folder, "preprocessor_config.json");
        var processor = File.Exists(config) ? PictureProcessor.Parse(ModelConfig.ReadJson(config)) : PictureProcessor.Clip(model.Vision.Config.ImageSize);
        return new ClipScorer(model, ClipTokenizer.Load(folder), processor);
    });

    /// <summary>Refuses, as <see cref="Load"/> would, a folder that is no full CLIP: reads configuration, vocabulary and the headers of the weights, and needs no libtorch.</summary>
    public static void Examine(string folder)
    {
        var config = ModelConfig.Read(Path.Combine(folder, "config.json"));
        if (OtherKind(config) is { } kind) throw new ModelException($"{folder} is a {kind} model, not CLIP; name a full CLIP with both towers, such as pocket-clip or a folder like openai/clip-vit-large-patch14.");
        ClipModel.ReadConfig(config);
        WeightFolder.Open(folder).Dispose();
        ClipTokenizer.Load(folder);
    }

    // Other two-tower and captioning models have the same sections in their configuration, with other weights behind them.
    private static string? OtherKind(ModelConfig config)
    {
        if (config.Has("model_type") && config.Text("model_type") is var type) return type == "clip" ? null : type;
        var architectures = config.Value("architectures");
        if (architectures.ValueKind != JsonValueKind.Array || architectures.GetArrayLength() == 0 || architectures[0].ValueKind != JsonValueKind.String) return null;
        return architectures[0].GetString() is { } name && name != "CLIPModel" ? name : null;
    }

    /// <summary>Width of the vectors.</summary>
    public int Width => model.Text.Config.Tower.Projection;

    /// <summary>The square that it looks at; embedded, it has the vector of its picture. Null where it looks at anything else.</summary>
    public PictureSquare? Square => processor.Square;

    /// <summary>
    /// Unit vectors of pictures, one each; <paramref name="each"/> is called after every batch with the number done. Each picture is brought to the
    /// model's size as it is taken, so that no two of full size are held at once.
    /// </summary>
    public float[][] Embed(IEnumerable<Picture> pictures, Action<int>? each = null, CancellationToken token = default)
    {
        var vectors = new List<float[]>();
        foreach (var batch in pictures.Select(Prepare).Chunk(Batch))
        {
            token.ThrowIfCancellationRequested();
            vectors.AddRange(TorchThread.Shared.Run(() => EmbedBatch(batch)));
            each?.Invoke(vectors.Count);
        }
        return [.. vectors];
    }

    /// <summary>Unit vectors of texts, one each; longer texts are cut at the model's length.</summary>
    public float[][] Embed(IReadOnlyList<string> texts) => [.. texts.Chunk(Batch).SelectMany(batch => TorchThread.Shared.Run(() => EmbedBatch(batch)))];

    /// <summary>Cosine of two unit vectors.</summary>
    public static double Cosine(ReadOnlySpan<float> a, ReadOnlySpan<float> b) => System.Numerics.Tensors.TensorPrimitives.Dot(a, b);

    private sealed record Prepared(float[] Numbers, int Height, int Width);

    private Prepared Prepare(Picture picture) => new(processor.Process(picture, out var height, out var width), height, width);

    private float[][] EmbedBatch(Prepared[] batch)
    {
        using var scope = new Scope();
        using var off = Autograd.NoGrad();
        return Rows(model.EmbedImage(Placed(Tensor.From([.. batch.SelectMany(p => p.Numbers)], batch.Length, 3, batch[0].Height, batch[0].Width))));
    }

    private float[][] EmbedBatch(string[] batch)
    {
        using var scope = new Scope();
        using var off = Autograd.NoGrad();
        var length = Math.Min(model.Text.Config.Positions, tokenizer.MaximumLength);
        var ids = batch.SelectMany(t => tokenizer.Encode(t, length)).Select(i => (long)i).ToArray();
        return Rows(model.EmbedText(Placed(Tensor.From(ids, batch.Length, length))));
    }

    private Tensor Placed(Tensor x) => x.To(dtype: x.DType, device: model.LogitScale.Value.Device);

    private static float[][] Rows(Tensor x)
    {
        var width = (int)x.Size(1);
        return [.. x.ToArray<float>().Chunk(width)];
    }

    /// <inheritdoc/>
    public void Dispose() => TorchThread.Shared.Run(model.Dispose);
}
