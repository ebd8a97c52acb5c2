using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using LoraFactory.Models.Tokenizers;
using LoraFactory.Models.Weights;
using LoraFactory.Torch;
using LoraFactory.Torch.Nn;
using Tensor = LoraFactory.Torch.Tensor;

namespace LoraFactory.Models;

// A text as the sum of vectors of its words, their letter groups and its pairs of words, each found by a hash in one learnt table (hashing trick:
// Weinberger et al. 2009; letter groups: Bojanowski et al. 2017), at length 1. No vocabulary, no unknown words, and fast without tensors.
//  1 configuration   2 features   3 the model

/// <summary>Sizes of an n-gram encoder, as config.json gives them.</summary>
/// <param name="Buckets">Rows of the table, over which features are spread by their hash.</param>
/// <param name="Width">d, width of the vectors.</param>
/// <param name="Shortest">Letters of the shortest group.</param>
/// <param name="Longest">Letters of the longest group.</param>
/// <param name="MostWords">Words of a text that are read; the rest is cut.</param>
/// <param name="DuplicateCosine">Cosine from which two texts count as copies of each other, calibrated for this table.</param>
public sealed record NgramConfig(int Buckets, int Width, int Shortest, int Longest, int MostWords, double DuplicateCosine)
{
    /// <summary>"model_type" of config.json.</summary>
    public const string ModelType = "ngram-encoder";

    /// <summary>Reads config.json.</summary>
    public static NgramConfig Read(ModelConfig c)
    {
        c.Only("model_type", ModelType);
        if (!c.Has("model_type")) throw new ModelException($"a configuration without model_type is not that of an {ModelType}.");
        var config = new NgramConfig(c.Int("buckets"), c.Int("width", most: 4096), c.Int("shortest", 3, most: 16), c.Int("longest", 4, most: 16), c.Int("most_words", 4096), c.Double("duplicate_cosine"));
        if (config.Shortest > config.Longest) throw new ModelException($"shortest {config.Shortest} has to be at most longest {config.Longest}.");
        return config.DuplicateCosine is > -1 and <= 1 ? config : throw new ModelException($"duplicate_cosine {config.DuplicateCosine} has to lie above -1 and be at most 1.");
    }
}

/// <summary>What of a text counts: bucket and weight of each feature, buckets ascending and each once.</summary>
/// <param name="Buckets">Rows of the table.</param>
/// <param name="Weights">How much each counts, above 0.</param>
public sealed record NgramFeatures(int[] Buckets, float[] Weights)
{
    private const float PairWeight = 0.5f;
    private const ulong WordSalt = 0x57, GroupSalt = 0x47, PairSalt = 0x50;

    /// <summary>
    /// Features of a text, in form C and lower case: each word with 1, its letter groups (with marks at both ends) with 1/√n, where n is their
    /// number, each pair of neighbouring words with ½. A feature that occurs c times counts 1 + ln c times: long texts repeat themselves.
    /// </summary>
    public static NgramFeatures Of(string text, NgramConfig config)
    {
        var found = new Dictionary<int, (int Count, float Weight)>();
        var word = new List<int>(32);
        var (words, before) = (0, 0UL);
        foreach (var point in Points(text))
        {
            var kind = CodePoints.KindOf(point);
            var letter = kind is PointKind.Letter or PointKind.Number;
            // Scripts without spaces: every character is a word, and pairs make up for what is lost.
            var alone = point >= 0x2E80 && letter;
            if ((!letter || alone) && word.Count > 0) Close();
            if (words >= config.MostWords) break;
            if (!letter) continue;
            word.Add(point);
            if (alone) Close();
        }
        if (word.Count > 0 && words < config.MostWords) Close();
        var buckets = found.Keys.ToArray();
        Array.Sort(buckets);
        return new(buckets, [.. buckets.Select(b => found[b] is var (count, weight) ? weight * (1 + MathF.Log(count)) : 0)]);

        void Close()
        {
            words++;
            var letters = CollectionsMarshal.AsSpan(word);
            var hash = Hash(letters, WordSalt);
            Add(hash, 1);
            if (before != 0) Add(Mix(before * 31 + hash + PairSalt), PairWeight);
            before = hash;
            word.Insert(0, '<');
            word.Add('>');
            var whole = CollectionsMarshal.AsSpan(word)[..Math.Min(word.Count, MostLetters)];
            var groups = 0;
            for (var n = config.Shortest; n <= config.Longest; n++) groups += Math.Max(0, whole.Length - n + 1);
            for (var n = config.Shortest; n <= config.Longest; n++)
                for (var i = 0; i + n <= whole.Length; i++) Add(Hash(whole.Slice(i, n), GroupSalt), 1 / MathF.Sqrt(groups));
            word.Clear();
        }

        void Add(ulong hash, float weight)
        {
            ref var entry = ref CollectionsMarshal.GetValueRefOrAddDefault(found, (int)(hash % (ulong)config.Buckets), out _);
            entry = (entry.Count + 1, Math.Max(entry.Weight, weight));
        }
    }

    private const int MostLetters = 40;

    private static List<int> Points(string text)
    {
        var points = CodePoints.Of(text);
        var composed = new List<int>(points.Length);
        if (points.AsSpan().ContainsAnyExceptInRange(0, CanonicalComposition.FirstThatMayChange - 1)) CanonicalComposition.Compose(points, composed, null);
        else composed.AddRange(points);
        return CodePoints.Lower(composed, null).Points;
    }

    // FNV-1a over code points, then mixed (Steele et al. 2014), so that the remainder by any number of buckets is even.
    private static ulong Hash(ReadOnlySpan<int> letters, ulong salt)
    {
        var hash = 0xCBF29CE484222325UL ^ salt;
        foreach (var letter in letters) hash = (hash ^ (uint)letter) * 0x100000001B3UL;
        return Mix(hash);
    }

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }
}

/// <summary>The encoder for use, without tensors: safe to use from several threads.</summary>
public sealed class NgramEncoder
{
    private readonly float[] table;

    /// <summary>Over a table [buckets, d], row-major.</summary>
    public NgramEncoder(NgramConfig config, float[] table)
    {
        if (table.Length != (long)config.Buckets * config.Width) throw new ModelException($"the table has {table.Length} numbers where {config.Buckets} buckets of {config.Width} are said.");
        (Config, this.table) = (config, table);
    }

    /// <summary>Sizes.</summary>
    public NgramConfig Config { get; }

    /// <summary>Loads a folder with config.json and model.safetensors (float16 or float32).</summary>
    public static NgramEncoder Load(string folder)
    {
        var config = NgramConfig.Read(ModelConfig.Read(Path.Combine(folder, "config.json")));
        using var source = WeightFolder.Open(folder);
        var weight = source[NgramTable.WeightName];
        if (weight.Shape.Count != 2 || weight.Shape[0] != config.Buckets || weight.Shape[1] != config.Width)
            throw new ModelException($"{source.Path}: {weight} does not fit {config.Buckets} buckets of {config.Width}; the files belong to different models.");
        var numbers = new float[weight.Count];
        if (weight.DType == DType.Float16) TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(weight.Span), numbers);
        else if (weight.DType == DType.Float32) MemoryMarshal.Cast<byte, float>(weight.Span).CopyTo(numbers);
        else throw new ModelException($"{source.Path} holds its table as {weight.DType}; float16 and float32 are read.");
        return new(config, numbers);
    }

    /// <summary>Unit vector of a text; all zero for one without letters and digits.</summary>
    public float[] Embed(string text)
    {
        var features = NgramFeatures.Of(text, Config);
        var sum = new float[Config.Width];
        for (var i = 0; i < features.Buckets.Length; i++)
            TensorPrimitives.MultiplyAdd(table.AsSpan(features.Buckets[i] * Config.Width, Config.Width), features.Weights[i], sum, sum);
        var length = TensorPrimitives.Norm<float>(sum);
        if (length > 0) TensorPrimitives.Divide(sum, length, sum);
        return sum;
    }
}

/// <summary>The table with gradients, for training.</summary>
public sealed class NgramTable : IDisposable
{
    /// <summary>Name of the table in the weights.</summary>
    public const string WeightName = "table.weight";

    private readonly Embedding table;

    /// <summary>Declares the table.</summary>
    public NgramTable(NgramConfig config)
    {
        Config = config;
        table = new(Store.Root["table"], config.Buckets, config.Width);
    }

    /// <summary>Sizes.</summary>
    public NgramConfig Config { get; }
    /// <summary>Weights by name.</summary>
    public ParameterStore Store { get; } = new();

    /// <summary>Unit vectors [b, d] of texts, with gradients.</summary>
    public Tensor Embed(IReadOnlyList<NgramFeatures> texts)
    {
        using var scope = new Scope();
        var most = Math.Max(1, texts.Max(t => t.Buckets.Length));
        var (buckets, weights) = (new long[texts.Count * most], new float[texts.Count * most]);
        for (var row = 0; row < texts.Count; row++)
        {
            for (var i = 0; i < texts[row].Buckets.Length; i++) (buckets[row * most + i], weights[row * most + i]) = (texts[row].Buckets[i], texts[row].Weights[i]);
        }
        var vectors = table.Forward(Tensor.From(buckets, texts.Count, most));                      // [b, f, d]
        var sums = Tensor.From(weights, texts.Count, 1, most).Matmul(vectors).Select(1, 0);        // [b, 1, f] · [b, f, d] → [b, d]
        return scope.Keep(sums / sums.LinalgVectorNorm(2, [-1], true).ClampMin(1e-6));
    }

    /// <summary>The encoder with the table as it is now.</summary>
    public NgramEncoder Finished(double duplicateCosine) => new(Config with { DuplicateCosine = duplicateCosine }, table.Weight.Value.Detach().ToArray<float>());

    /// <inheritdoc/>
    public void Dispose() => Store.Release();
}
