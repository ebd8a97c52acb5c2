using LoraFactory.Flow;
using LoraFactory.Images.Scenes;
using LoraFactory.Models;
using LoraFactory.Models.Scoring;

namespace LoraFactory.Stages.Train.Pretraining;

/// <summary>
/// Examines a text encoder on meanings that it never saw: planted copies against different texts of the same topic. The threshold comes from
/// one half of the groups, the shares from the other.
/// </summary>
internal sealed class TextExam(GlossCorpus corpus, long seed)
{
    private const double FalsePositives = 0.001;
    private static readonly int[] Lengths = [1, 4, 12];

    /// <summary>The cosine that one in a thousand pairs of different texts of one topic reaches, the highest over all lengths and both halves of the groups.</summary>
    public static double Threshold(NgramEncoder encoder, GlossCorpus corpus, long seed) =>
        Lengths.Max(length => new[] { 0, 1 }.Max(half => At(Cosines(encoder.Embed, corpus, length, seed, half, 4000).Others)));

    /// <summary>What of copies is found, by length of text; beside it, what plain hashing finds.</summary>
    public IReadOnlyList<Metric> Run(NgramEncoder encoder, NgramEncoder plain, int texts)
    {
        var metrics = new List<Metric>();
        foreach (var length in Lengths)
        {
            foreach (var (name, embed) in new (string, Func<string, float[]>)[] { ("", encoder.Embed), (", plain hashing", plain.Embed) })
            {
                var threshold = At(Cosines(embed, corpus, length, seed, half: 0, texts).Others);
                var (copies, others) = Cosines(embed, corpus, length, seed + 1, half: 1, texts);
                var (found, wrong) = (new Share($"copies, {length} sent.{name}", $"found at {threshold:0.000}"), new Share($"others, {length} sent.{name}", "taken for copies at the same"));
                foreach (var cosine in copies) found.Add(cosine >= threshold);
                foreach (var cosine in others) wrong.Add(cosine >= threshold);
                metrics.AddRange([found.Metric, wrong.Metric]);
            }
        }
        metrics.Add(Meaning("meaning", encoder.Embed, texts));
        metrics.Add(Meaning("meaning, plain hashing", plain.Embed, texts));
        return metrics;
    }

    // The right definition of a word among 32 of other topics.
    private Metric Meaning(string name, Func<string, float[]> embed, int texts)
    {
        var random = new SceneRandom(seed + 2, 0);
        var right = new Share(name, "the word's definition, of 32 of other topics");
        for (var i = 0; i < texts; i++)
        {
            var gloss = random.Pick(random.Pick(corpus.HeldOut));
            var word = embed(string.Join(", ", gloss.Words));
            var best = ClipScorer.Cosine(word, embed(gloss.Definition));
            var won = true;
            for (var j = 1; j < 32 && won; j++) won = ClipScorer.Cosine(word, embed(random.Pick(random.Pick(corpus.HeldOut)).Definition)) < best;
            right.Add(won);
        }
        return right.Metric;
    }

    private static (List<double> Copies, List<double> Others) Cosines(Func<string, float[]> embed, GlossCorpus corpus, int sentences, long seed, int half, int texts)
    {
        var variants = new TextVariants(corpus);
        var random = new SceneRandom(seed, sentences);
        var (copies, others) = (new List<double>(), new List<double>());
        // A group has to hold two texts of that length that share no sentence.
        var groups = corpus.HeldOut.Where((g, i) => i % 2 == half && g.Length >= 2 * sentences).ToList();
        if (groups.Count == 0) return (copies, others);
        for (var i = 0; i < texts; i++)
        {
            var group = random.Pick(groups);
            var middle = group.Length / 2;
            var text = Document(group[..middle], sentences, ref random);
            var vector = embed(string.Join(' ', text));
            copies.Add(ClipScorer.Cosine(vector, embed(variants.Copy(text, ref random))));
            for (var j = 0; j < 4; j++)
                others.Add(ClipScorer.Cosine(vector, embed(string.Join(' ', Document(group[middle..], sentences, ref random)))));
        }
        return (copies, others);
    }

    private static List<string> Document(Gloss[] group, int sentences, ref SceneRandom random)
    {
        var at = random.Next(group.Length);
        return TextPretraining.Document(group, ref at, at + group.Length, sentences, ref random);
    }

    private static double At(List<double> others)
    {
        others.Sort();
        return others.Count == 0 ? 1 : Math.Ceiling(1000 * others[(int)((others.Count - 1) * (1 - FalsePositives))]) / 1000;
    }
}
