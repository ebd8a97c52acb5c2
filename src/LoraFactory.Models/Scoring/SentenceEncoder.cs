using System.Text.Json;
using LoraFactory.Models.Tokenizers;
using LoraFactory.Models.Weights;
using LoraFactory.Torch;

namespace LoraFactory.Models.Scoring;

/// <summary>
/// Texts as unit vectors (Reimers and Gurevych 2019): a BERT encoder, the mean of its last states over the tokens (or the state of [CLS], as
/// the model's own 1_Pooling says), length 1. Works in batches of like length on the tensor thread; may be called from any thread.
/// </summary>
public sealed class SentenceEncoder : IDisposable
{
    /// <summary>Tokens of a batch: enough for the products, few enough that the widest activation stays in the cache (measured: docs/log.md).</summary>
    public const int BatchTokens = 1024;

    private const int BatchRows = 64;
    private const int Chunk = 4096;
    private readonly Bert model;
    private readonly TextTokenizer tokenizer;
    private readonly bool byFirst;

    private SentenceEncoder(Bert model, TextTokenizer tokenizer, bool byFirst, int longest)
    {
        this.model = model;
        this.tokenizer = tokenizer;
        this.byFirst = byFirst;
        MaximumLength = Math.Min(longest, model.Config.Positions);
    }

    /// <summary>Loads a folder in sentence-transformers' layout: config.json, weights, tokenizer.json, and its own settings where they are.</summary>
    /// <exception cref="ModelException">It is not such a model, or has a layer behind the pooling that is not supported.</exception>
    public static SentenceEncoder Load(string folder, Device? device = null)
    {
        var (byFirst, longest) = Settings(folder);
        var tokenizer = TextTokenizer.Load(folder);
        return TorchThread.Shared.Run(() =>
        {
            using var scope = new Scope();
            var model = Bert.Load(folder, device);
            if (tokenizer.VocabularySize > model.Config.Vocabulary)
            {
                model.Dispose();
                throw new ModelException($"{folder}: its tokenizer has ids up to {tokenizer.VocabularySize - 1}, its model {model.Config.Vocabulary} words; the files belong to different models.");
            }
            return new SentenceEncoder(model, tokenizer, byFirst, longest > 0 ? longest : tokenizer.MaximumLength > 0 ? tokenizer.MaximumLength : model.Config.Positions);
        });
    }

    /// <summary>Refuses, as <see cref="Load"/> would, a folder that is no sentence encoder, by its settings, tokenizer and the headers of its weights; needs no libtorch.</summary>
    public static void Examine(string folder)
    {
        BertConfig.Read(ModelConfig.Read(Path.Combine(folder, "config.json")));
        Settings(folder);
        TextTokenizer.Load(folder);
        WeightFolder.Open(folder).Dispose();
    }

    /// <summary>Width of the vectors.</summary>
    public int Width => model.Config.Width;

    /// <summary>Most tokens of a text that are read, [CLS] and [SEP] included; what is longer is cut.</summary>
    public int MaximumLength { get; }

    /// <summary>Ids of a text as the model reads it, cut at its length.</summary>
    public IReadOnlyList<int> Ids(string text) => tokenizer.Encode(text, length: MaximumLength, offsets: false).Ids;

    /// <summary>Unit vectors, one a text, in their order; <paramref name="each"/> is called with the number done.</summary>
    public float[][] Embed(IReadOnlyList<string> texts, Action<int>? each = null, CancellationToken token = default)
    {
        var rows = new float[texts.Count][];
        // Only so many at once are held as ids; within them like lengths go together, so that little is padded.
        for (var begin = 0; begin < texts.Count; begin += Chunk)
        {
            var ids = Enumerable.Range(begin, Math.Min(Chunk, texts.Count - begin)).Select(i => (Index: i, Ids: Ids(texts[i]))).OrderBy(t => t.Ids.Count).ToArray();
            for (var first = 0; first < ids.Length;)
            {
                token.ThrowIfCancellationRequested();
                var count = 1;
                while (first + count < ids.Length && count < BatchRows && (count + 1) * ids[first + count].Ids.Count <= BatchTokens) count++;
                var batch = ids.AsSpan(first, count).ToArray();
                var vectors = TorchThread.Shared.Run(() => EmbedBatch([.. batch.Select(t => t.Ids)]));
                for (var i = 0; i < count; i++) rows[batch[i].Index] = vectors[i];
                first += count;
                each?.Invoke(begin + first);
            }
        }
        return rows;
    }

    /// <summary>Unit vectors [b, d] of ids [b, s] on the model's device; the mask as in <see cref="Bert.Forward"/>.</summary>
    public Tensor Embed(Tensor ids, Tensor? mask)
    {
        using var scope = new Scope();
        var hidden = model.Forward(ids, mask);
        return scope.Keep(Bert.Normalized(byFirst ? hidden.Select(1, 0) : Bert.MeanPooled(hidden, mask)));
    }

    private float[][] EmbedBatch(IReadOnlyList<int>[] batch)
    {
        using var scope = new Scope();
        using var off = Autograd.NoGrad();
        var length = batch.Max(ids => ids.Count);
        var (ids, mask) = (new long[batch.Length * length], new long[batch.Length * length]);
        var pad = tokenizer.PadId ?? 0;
        for (var row = 0; row < batch.Length; row++)
        {
            for (var i = 0; i < length; i++)
            {
                var there = i < batch[row].Count;
                ids[row * length + i] = there ? batch[row][i] : pad;
                mask[row * length + i] = there ? 1 : 0;
            }
        }
        var padded = Array.Exists(batch, row => row.Count < length);
        return [.. Embed(Placed(ids, batch.Length, length), padded ? Placed(mask, batch.Length, length) : null).ToArray<float>().Chunk(Width)];
    }

    private Tensor Placed(long[] numbers, int rows, int columns) => Tensor.From(numbers, rows, columns).To(dtype: DType.Int64, device: model.Store.Parameters[0].Value.Device);

    // modules.json names what comes behind the encoder; without it a folder is taken as mean pooling, which most of these models have.
    private static (bool ByFirst, int Longest) Settings(string folder)
    {
        var (modules, longest) = (Path.Combine(folder, "modules.json"), Path.Combine(folder, "sentence_bert_config.json"));
        var byFirst = false;
        foreach (var (type, path) in File.Exists(modules) ? Modules(modules) : [])
        {
            if (type is not ("Transformer" or "Pooling" or "Normalize")) throw new ModelException($"{modules} names a {type} behind the encoder, which is not supported; use a model with pooling and normalisation alone, such as all-MiniLM-L6-v2.");
            if (type != "Pooling") continue;
            var pooling = ModelConfig.Read(Path.Combine(folder, Path.GetFileName(path), "config.json"));
            byFirst = pooling.Bool("pooling_mode_cls_token", false);
            if (byFirst == pooling.Bool("pooling_mode_mean_tokens", !byFirst) || pooling.Bool("pooling_mode_max_tokens", false) || pooling.Bool("pooling_mode_mean_sqrt_len_tokens", false))
                throw new ModelException($"{folder}/{path} asks for another pooling than that by mean or by [CLS], which are the ones supported.");
        }
        return (byFirst, File.Exists(longest) ? ModelConfig.Read(longest).Int("max_seq_length", 0, 0) : 0);
    }

    private static IEnumerable<(string Type, string Path)> Modules(string file)
    {
        var list = ModelConfig.ReadJson(file);
        if (list.ValueKind != JsonValueKind.Array) throw new ModelException($"{file} is not a list of modules; download the model again.");
        foreach (var entry in list.EnumerateArray())
        {
            var module = new ModelConfig(entry, file);
            yield return (module.Text("type").Split('.')[^1], module.Text("path", ""));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => TorchThread.Shared.Run(model.Dispose);
}
