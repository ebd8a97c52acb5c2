using LoraFactory.Flow;
using LoraFactory.Images.Scenes;
using LoraFactory.Models;
using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Stages.Train.Pretraining;

/// <summary>
/// Pocket text encoder: texts and changed copies of them lie on one side of a border, different texts of the same topic on the other; and, with less
/// weight, words lie near what they mean (contrastive learning: van den Oord et al. 2018), so that texts of a topic lie nearer to it than others. The table begins as
/// plain hashing with each feature's inverse document frequency, which is what it has to beat.
/// </summary>
internal sealed class TextPretraining : IPretraining
{
    private const double Scale = 30, Border = 0.7;
    private const double MeaningTemperature = 0.1, MeaningWeight = 0.3;
    private const int GroupSize = 32;
    private const int MostSentences = 6;

    private readonly PretrainOptions options;
    private readonly GlossCorpus corpus;
    private readonly TextVariants variants;
    private readonly NgramTable table;
    private readonly NgramEncoder plain;
    private readonly Dictionary<string, double> parts = new(StringComparer.Ordinal);

    public TextPretraining(PretrainOptions options)
    {
        this.options = options;
        corpus = GlossCorpus.Read();
        variants = new(corpus);
        table = new(new NgramConfig(32768, 96, 3, 4, 4096, 1));
        table.Store.Initialize();
        var weight = table.Store.Find(NgramTable.WeightName)!.Value;
        weight.Copy_(PlainHashing());
        plain = table.Finished(1);
        if (options.From.Length == 0) return;
        using var source = Models.Weights.WeightFolder.Open(options.From);
        PocketFolder.LoadTrainable(table.Store, source);
    }

    public (int Steps, int BatchSize, double LearningRate) Defaults => (4000, 128, 1e-3);

    public IReadOnlyDictionary<string, double> Parts => parts;

    public IReadOnlyList<(string, ParameterStore)> Trained => [("", table.Store)];

    public Tensor Loss(int step)
    {
        var random = new SceneRandom(options.Seed, step);
        var batch = PretrainingRun.Decided(options.BatchSize, Defaults.BatchSize);
        var (texts, copies, words, meanings) = (new List<string>(), new List<string>(), new List<string>(), new List<string>());
        while (texts.Count < batch)
        {
            // Texts of a group share no sentence: what they are told apart by must not be a copy.
            var group = random.Pick(corpus.Training);
            var at = random.Next(group.Length);
            var end = at + group.Length;
            for (var i = 0; i < GroupSize && at < end && texts.Count < batch; i++)
            {
                var gloss = group[at % group.Length];
                var document = Document(group, ref at, end, random.Chance(0.5) ? 1 : 2 + random.Next(MostSentences - 1), ref random);
                texts.Add(string.Join(' ', document));
                copies.Add(variants.Copy(document, ref random));
                words.Add(string.Join(", ", gloss.Words));
                meanings.Add(gloss.Examples.Count > 0 && random.Chance(0.3) ? random.Pick(gloss.Examples) : gloss.Definition);
            }
        }
        var copied = BorderLoss(Embed(texts).Matmul(Embed(copies).T()));
        var meant = ContrastiveLoss.Of(Embed(words).Matmul(Embed(meanings).T()) / MeaningTemperature);
        parts["copies"] = copied.Item();
        parts["meanings"] = meant.Item();
        return copied + meant * MeaningWeight;
    }

    // Every pair is judged by itself, copies above the border and all others below (Zhai et al. 2023): a threshold has to hold for all texts, and
    // a loss that only orders each text's own neighbours is content long before it does. [n, n] → scalar
    private static Tensor BorderLoss(Tensor cosines)
    {
        var n = (int)cosines.Size(0);
        var sides = new float[n * n];
        for (var i = 0; i < sides.Length; i++) sides[i] = (float)(i % (n + 1) == 0 ? Scale : -Scale);
        var logits = (cosines - Border) * Tensor.From(sides, n, n);
        return logits.Sigmoid().ClampMin(1e-12).Log().Sum() / -n;
    }

    public void Export(string folder)
    {
        Directory.CreateDirectory(folder);
        PocketFolder.WriteWeights(table.Store, Path.Combine(folder, "model.safetensors"));
        var (config, cosine) = (table.Config, TextExam.Threshold(table.Finished(1), corpus, options.Seed + 2_000_003));
        AtomicFile.WriteText(Path.Combine(folder, "config.json"), string.Create(System.Globalization.CultureInfo.InvariantCulture, $$"""
            {
              "model_type": "{{NgramConfig.ModelType}}",
              "dtype": "float16",
              "buckets": {{config.Buckets}},
              "width": {{config.Width}},
              "shortest": {{config.Shortest}},
              "longest": {{config.Longest}},
              "most_words": {{config.MostWords}},
              "duplicate_cosine": {{cosine:0.000}}
            }

            """));
    }

    public IReadOnlyList<Metric> Examine(int scenes) => new TextExam(corpus, options.Seed + 1_000_003).Run(table.Finished(1), plain, scenes);

    public (string Title, string What, string Use) Card => ("pocket-text",
        $"A text encoder small enough for any machine: a text is the sum of learnt vectors of its words, their groups of {table.Config.Shortest} to {table.Config.Longest} letters and its pairs of words, found by hash in a table of {table.Config.Buckets} rows of {table.Config.Width}, at length 1. It needs no vocabulary and no tensor library.",
        "For near copies of texts (from the cosine duplicate_cosine of config.json on, calibrated so that one in a thousand pairs of different texts of one topic lies above) and, roughly, for how near a text lies to a topic's words. English; of other languages it knows the spelling alone. A real sentence encoder such as all-MiniLM-L6-v2 knows more of meaning.");

    public string Origin => "the definitions and examples of WordNet 3.0 as Debian's wordnet-base installs it, and changes to them that it made itself; no third-party weights are in it";

    public string ExaminedOn => "meanings of WordNet whose whole groups were held out: planted copies against different texts of the same group, thresholds set on one half of the groups and shares counted on the other";

    public string Licence => "Licence: Apache-2.0, as the project. WordNet 3.0, copyright 2006 by Princeton University, is used under its licence, which lies beside this card as WORDNET-LICENSE; the name of Princeton University may not be used in advertising.";

    /// <summary>
    /// A document of up to <paramref name="most"/> sentences: what the meaning at <paramref name="at"/> says, then what the ones behind it say, to
    /// before <paramref name="end"/>, both counted round the group. Leaves <paramref name="at"/> behind what it took.
    /// </summary>
    internal static List<string> Document(Gloss[] group, ref int at, int end, int most, ref SceneRandom random)
    {
        var sentences = new List<string>();
        for (; sentences.Count < most && at < end; at++)
            foreach (var sentence in TextVariants.Sentences(group[at % group.Length], ref random))
                if (sentences.Count < most) sentences.Add(sentence);
        return sentences;
    }

    private Tensor Embed(List<string> texts) => table.Embed([.. texts.Select(t => NgramFeatures.Of(t, table.Config))]);

    // Random directions, as long as a feature is rare among the definitions: [buckets, d].
    private Tensor PlainHashing()
    {
        var (seen, texts) = (new int[table.Config.Buckets], 0);
        foreach (var gloss in corpus.Training.SelectMany(g => g))
        {
            texts++;
            foreach (var bucket in NgramFeatures.Of(gloss.Definition, table.Config).Buckets) seen[bucket]++;
        }
        float[] rarity = [.. seen.Select(n => (float)(Math.Log((texts + 1.0) / (n + 1)) / Math.Log(texts + 1.0)))];
        var directions = Ops.Empty([table.Config.Buckets, table.Config.Width], dtype: DType.Float32).Normal_(0, 1 / Math.Sqrt(table.Config.Width));
        return directions * Tensor.From(rarity, table.Config.Buckets, 1);
    }

    public void Dispose() => table.Dispose();
}
