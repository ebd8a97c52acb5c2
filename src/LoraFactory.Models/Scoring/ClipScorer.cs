using LoraFactory.Images;
using LoraFactory.Models.Tokenizers;
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

    /// <summary>Width of the vectors.</summary>
    public int Width => model.Text.Config.Tower.Projection;

    /// <summary>Unit vectors of pictures, one each, which are taken a batch at a time; <paramref name="each"/> is called after every batch with the number done.</summary>
    public float[][] Embed(IEnumerable<Picture> pictures, Action<int>? each = null, CancellationToken token = default)
    {
        var vectors = new List<float[]>();
        foreach (var batch in pictures.Chunk(Batch))
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

    private float[][] EmbedBatch(Picture[] batch)
    {
        using var scope = new Scope();
        using var off = Autograd.NoGrad();
        var (height, width) = (0, 0);
        var pixels = batch.SelectMany(p => processor.Process(p, out height, out width)).ToArray();
        return Rows(model.EmbedImage(Placed(Tensor.From(pixels, batch.Length, 3, height, width))));
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
