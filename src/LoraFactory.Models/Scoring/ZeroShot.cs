using LoraFactory.Models.Tokenizers;
using LoraFactory.Models.Weights;
using LoraFactory.Torch;

namespace LoraFactory.Models.Scoring;

/// <summary>
/// Labels for texts without training on them (Yin et al. 2019): a model for natural-language inference is asked, for each label, whether the
/// text entails a sentence that names it. Works on the tensor thread; may be called from any thread.
/// </summary>
public sealed class ZeroShot : IDisposable
{
    /// <summary>The sentence that names a label where nobody says otherwise.</summary>
    public const string UsualTemplate = "This example is {}.";

    private const int Batch = 16;
    private readonly Bart model;
    private readonly TextTokenizer tokenizer;
    private readonly int entailment, contradiction, longest;

    private ZeroShot(Bart model, TextTokenizer tokenizer, int entailment)
    {
        this.model = model;
        this.tokenizer = tokenizer;
        this.entailment = entailment;
        // The order differs between checkpoints; what is not neutral stands at the other end.
        contradiction = entailment == 0 ? model.Config.Labels.Count - 1 : 0;
        longest = tokenizer.MaximumLength > 0 ? Math.Min(tokenizer.MaximumLength, model.Config.Positions) : model.Config.Positions;
    }

    /// <summary>Loads a folder with config.json, weights and tokenizer.json of a BART for natural-language inference.</summary>
    /// <exception cref="ModelException">It is none, or has no class whose name begins with "entail".</exception>
    public static ZeroShot Load(string folder, Device? device = null)
    {
        var entailment = Entailment(folder);
        var tokenizer = TextTokenizer.Load(folder);
        return TorchThread.Shared.Run(() =>
        {
            using var scope = new Scope();
            return new ZeroShot(Bart.Load(folder, device), tokenizer, entailment);
        });
    }

    /// <summary>Refuses, as <see cref="Load"/> would, a folder that is no such model, by its settings, tokenizer and the headers of its weights; needs no libtorch.</summary>
    public static void Examine(string folder)
    {
        Entailment(folder);
        TextTokenizer.Load(folder);
        WeightFolder.Open(folder).Dispose();
    }

    /// <summary>Labels of a comma-separated list, trimmed, empty ones left out.</summary>
    public static string[] Labels(string list) => list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Ids of a text and the sentence about it; a pair that is too long loses tokens of the text alone.</summary>
    public IReadOnlyList<int> Ids(string text, string label, string template = UsualTemplate) =>
        tokenizer.Encode(text, template.Replace("{}", label, StringComparison.Ordinal), longest, Truncation.OnlyFirst, offsets: false).Ids;

    /// <summary>
    /// Scores 0..1 of each label for each text, [texts][labels] in their order. <paramref name="several"/>: labels are judged apart, each by
    /// entailment against contradiction, as it also is for one label alone; otherwise the scores of a text add up to 1.
    /// </summary>
    public double[][] Score(IReadOnlyList<string> texts, IReadOnlyList<string> labels, bool several = false, string template = UsualTemplate, CancellationToken token = default)
    {
        var pairs = texts.SelectMany(text => labels.Select(label => Ids(text, label, template)));
        var logits = new List<double[]>(texts.Count * labels.Count);
        foreach (var batch in pairs.Chunk(Batch))
        {
            token.ThrowIfCancellationRequested();
            logits.AddRange(TorchThread.Shared.Run(() => Logits(batch)));
        }
        return [.. logits.Chunk(Math.Max(1, labels.Count)).Select(rows => Scores(rows, several || labels.Count == 1))];
    }

    /// <summary>Class logits [pairs][classes] of pairs of ids.</summary>
    public double[][] Logits(IReadOnlyList<IReadOnlyList<int>> pairs)
    {
        using var scope = new Scope();
        using var off = Autograd.NoGrad();
        var width = pairs.Max(ids => ids.Count);
        var (ids, mask) = (new long[pairs.Count * width], new long[pairs.Count * width]);
        for (var row = 0; row < pairs.Count; row++)
        {
            for (var i = 0; i < width; i++)
            {
                var there = i < pairs[row].Count;
                ids[row * width + i] = there ? pairs[row][i] : model.Config.PadToken;
                mask[row * width + i] = there ? 1 : 0;
            }
        }
        var device = model.Store.Parameters[0].Value.Device;
        Tensor Placed(long[] numbers) => Tensor.From(numbers, pairs.Count, width).To(dtype: DType.Int64, device: device);
        var padded = pairs.Any(row => row.Count < width);
        return [.. model.Logits(Placed(ids), padded ? Placed(mask) : null).ToArray<double>().Chunk(model.Config.Labels.Count)];
    }

    private double[] Scores(double[][] logits, bool apart)
    {
        if (apart) return [.. logits.Select(row => 1 / (1 + Math.Exp(row[contradiction] - row[entailment])))];
        var most = logits.Max(row => row[entailment]);
        double[] shares = [.. logits.Select(row => Math.Exp(row[entailment] - most))];
        var sum = shares.Sum();
        return [.. shares.Select(share => share / sum)];
    }

    private static int Entailment(string folder)
    {
        var labels = BartConfig.Read(ModelConfig.Read(Path.Combine(folder, "config.json"))).Labels;
        var at = labels.ToList().FindIndex(label => label.StartsWith("entail", StringComparison.OrdinalIgnoreCase));
        return at >= 0 ? at : throw new ModelException($"{folder}: of its classes ({string.Join(", ", labels.Take(5))}) none begins with \"entail\"; name a model for natural-language inference such as bart-large-mnli.");
    }

    /// <inheritdoc/>
    public void Dispose() => TorchThread.Shared.Run(model.Dispose);
}
