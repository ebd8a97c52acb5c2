using System.Globalization;
using System.Text;
using LoraFactory.Flow;
using LoraFactory.Models;
using LoraFactory.Models.Scoring;
using LoraFactory.Models.Weights;
using LoraFactory.Stages.Label.Augmentation;
using LoraFactory.Torch;

namespace LoraFactory.Stages.Label;

/// <summary>Stage 3, Record → Sample: embeddings, captions with scores, tags, clusters and the split. See README.md in this folder.</summary>
/// <param name="wordNet">Where WordNet's database lies, for augment.synonyms.</param>
public sealed class LabelStage(string wordNet = WordNet.DefaultPath) : IStage
{
    /// <inheritdoc/>
    public StageName Name => StageName.Label;

    /// <inheritdoc/>
    public IEnumerable<object> Options(Recipe recipe) =>
    [
        recipe.Label, recipe.Base.Clip, recipe.RandomSeed, Captioner.Suits(recipe), .. recipe.Augment.IsOn() ? [recipe.Augment] : Array.Empty<object>(),
        .. recipe.Augment.Crops > 0 ? [recipe.Clean.MinSide] : Array.Empty<object>(),
    ];

    /// <inheritdoc/>
    public IEnumerable<string> Inputs(StageContext context) =>
    [
        context.Run.File(StageName.Clean, "records.jsonl"), context.Run.File(StageName.Crawl, "seed.json"), .. ModelLocator.Files(context.Recipe.Base.Clip),
        .. Captioner.Suits(context.Recipe) ? Captioner.Files : [],
    ];

    /// <inheritdoc/>
    public IEnumerable<MachineFinding> Look(Recipe recipe)
    {
        var findings = new List<MachineFinding>();
        try
        {
            ClipScorer.Examine(ModelLocator.Find(recipe.Base.Clip));
        }
        catch (Exception e) when (e is ModelException or IOException or UnauthorizedAccessException)
        {
            findings.Add(MachineFinding.Of("LR202", "base.clip", e, recipe.Base.Clip));
        }
        using var net = recipe.Augment.Synonyms > 0 ? WordNet.Open(wordNet) : null;
        if (recipe.Augment.Synonyms > 0 && net is null)
            findings.Add(new("LR230", "augment.synonyms", $"WordNet's database is not in {wordNet}, and synonyms come from there. Install wordnet-base (Debian), or set augment.synonyms: 0."));
        return findings;
    }

    /// <inheritdoc/>
    public Task<StageOutcome> RunAsync(StageContext context, CancellationToken token) => Task.Run(() => Run(context, token), token);

    private StageOutcome Run(StageContext context, CancellationToken token)
    {
        var options = context.Recipe.Label;
        var device = Compute.Use(context.Recipe.Resources.Device, context.Recipe.Resources.Threads);
        var records = RunDirectory.ReadLines<Record>(context.Run.File(StageName.Clean, "records.jsonl")).ToList();
        if (records.Count == 0) throw new LoraException("There is nothing to label: clean kept no picture. See 2-clean/dropped.jsonl for the reasons.");
        using var clip = ClipScorer.Load(ModelLocator.Find(context.Recipe.Base.Clip), device);
        using var captioner = Captioner.Suits(context.Recipe) ? Captioner.TryLoad(device) : null;

        using var pictures = new RunPictures(context.Run, token);
        using var bar = context.Progress.Begin("label", records.Count, "pictures");
        var vectors = clip.Embed(records.Select(r => pictures.Square(r.BlobHash, clip.Square)), done => bar.Set(done), token);
        var text = Texts(context, records);
        var captions = Captions(context, records, text, vectors, clip, captioner, pictures, token);

        var clusters = SampleClusters.Of(SampleClusters.Centred(vectors), options.ClusterCosine);
        var splits = SampleClusters.Splits(clusters, [.. records.Select(r => r.BlobHash)], options.ValidationShare, context.Seed);
        var tags = TagVocabulary.Of(captions.Select(c => c.Text)).Tags(captions.Select(c => c.Text), vectors, clip, options.MaxTags);
        var samples = records.Select((r, i) => new Sample
        {
            Id = ContentId.Of(r.Id, captions[i].Text, splits[i].ToString()),
            RecordId = r.Id,
            BlobHash = r.BlobHash,
            Caption = captions[i].Text,
            CaptionSource = captions[i].Source,
            Tags = tags[i],
            Split = splits[i],
            Cluster = clusters[i],
            Repeats = r.Repeats,
            TextImageScore = Math.Round(captions[i].Score, 6),
            EmbeddingRow = i,
            Width = r.Width,
            Height = r.Height,
        }).ToList();
        var words = clip.Embed([.. samples.Select(s => s.Caption)]);
        var complexity = Complexity(samples, vectors, words);
        var held = splits.Count(s => s == Split.Validation);
        var sources = string.Join(", ", samples.GroupBy(s => s.CaptionSource, StringComparer.Ordinal).OrderByDescending(g => g.Count()).Select(g => $"{g.Count()} from {g.Key}"));
        var summary = $"{samples.Count} captioned ({sources}), {clusters.Distinct().Count()} clusters, {held} held out, mean picture–text cosine {captions.Average(c => c.Score):F3}";
        if (context.Recipe.Augment.IsOn())
        {
            var augmented = new AugmentedSet(context, clip, pictures);
            Augment(context, augmented, [.. samples.Select((s, i) => new AugmentSource(s, records[i], captions[i].Bare, c => text.WithTrigger(c, i)))], vectors, words, text, pictures, token);
            samples = augmented.Samples;
            (vectors, words) = ([.. vectors, .. augmented.PictureVectors], [.. words, .. augmented.CaptionVectors]);
            complexity = complexity with { Variants = augmented.Count };
            summary += $"; {augmented.Summary}{(augmented.Count > 0 ? $", some in 3-label/{SheetName}" : "")}";
        }
        Write(context.Run, samples, vectors, words);
        RunDirectory.WriteJson(context.Run.File(StageName.Label, "complexity.json"), complexity);
        return new(records.Count, samples.Count, new Dictionary<string, int>(), summary);
    }

    private const string SheetName = "variants.png";

    private void Augment(StageContext context, AugmentedSet set, List<AugmentSource> sources, float[][] vectors, float[][] words, CaptionText text, RunPictures pictures, CancellationToken token)
    {
        using var net = context.Recipe.Augment.Synonyms > 0 ? WordNet.Open(wordNet) : null;
        set.Make(sources, vectors, words, net is null ? null : new Synonyms(net, text.FixedWords), token);
        foreach (var sentence in set.NotMade) context.Progress.Line(sentence);
        if (set.Count == 0) return;
        var sheet = VariantSheet.Png(set.Samples, pictures);
        AtomicFile.Write(context.Run.File(StageName.Label, SheetName), stream => stream.Write(sheet));
    }

    private sealed record Chosen(string Text, string Source, double Score, string Bare);

    private static CaptionText Texts(StageContext context, List<Record> records)
    {
        var seedFile = context.Run.File(StageName.Crawl, "seed.json");
        return new(context.Recipe.Label.Trigger, context.Recipe.Label.TriggerForms, File.Exists(seedFile) ? RunDirectory.ReadJson<Seed>(seedFile) : null, records.ConvertAll(r => r.Caption));
    }

    // The best-scoring text of the page; where even that does not fit the picture, what the captioner sees. A person's own words beside the picture stay.
    private static List<Chosen> Captions(StageContext context, List<Record> records, CaptionText text, float[][] vectors, ClipScorer clip, Captioner? captioner, RunPictures pictures, CancellationToken token)
    {
        var chosen = new List<Chosen>(records.Count);
        var least = context.Recipe.Label.MinTextImageScore;
        var doubtful = new List<string>();
        for (var i = 0; i < records.Count; i++)
        {
            token.ThrowIfCancellationRequested();
            var candidates = text.Candidates(records[i]).ToList();
            var best = Best(candidates, c => text.WithTrigger(c, i), vectors[i], clip);
            if (best is { Source: CaptionText.Sidecar } && best.Score < least) doubtful.Add(Path.GetFileName(records[i].PictureUrl));
            else if ((best is null || best.Score < least) && captioner is not null)
            {
                var own = Best([new(captioner.Caption(pictures.Read(records[i].BlobHash)), "captioner")], c => text.WithTrigger(c, i), vectors[i], clip);
                // what it sees is taken only where the judge agrees: a picture without words is better than one with wrong ones
                if (own?.Score >= least && (best is null || own.Score > best.Score)) best = own;
            }
            // a picture that nobody describes is still an example of the trigger
            chosen.Add(best ?? new(text.WithTrigger("", i), "trigger", 0, ""));
        }
        if (doubtful.Count > 0)
            context.Progress.Line(string.Create(CultureInfo.InvariantCulture, $"{doubtful.Count} of your own captions score below label.min_text_image_score ({least}) and stay as they are, the first beside {doubtful[0]}"));
        return chosen;
    }

    private static Chosen? Best(IReadOnlyList<CaptionCandidate> candidates, Func<string, string> worded, float[] picture, ClipScorer clip)
    {
        if (candidates.Count == 0) return null;
        var full = candidates.Select(c => worded(c.Text)).ToList();
        var scores = clip.Embed(full).Select(v => ClipScorer.Cosine(v, picture)).ToList();
        // the first stays unless another is clearly better: authors' captions say what no score sees
        var best = 0;
        for (var i = 1; i < scores.Count; i++)
            if (scores[i] > scores[best] + 0.05) best = i;
        return new(full[best], candidates[best].Source, scores[best], candidates[best].Text);
    }

    private static DataComplexity Complexity(List<Sample> samples, float[][] pictures, float[][] captions)
    {
        var trained = Enumerable.Range(0, samples.Count).Where(i => samples[i].Split == Split.Train).ToList();
        return new()
        {
            Pictures = trained.Count,
            Repeats = Repetition.Of([.. trained.Select(i => samples[i].Repeats)]),
            HeldOut = samples.Count - trained.Count,
            Clusters = samples.Select(s => s.Cluster).Distinct().Count(),
            SemanticDiversity = Math.Round(SampleClusters.Diversity([.. trained.Select(i => captions[i])]), 6),
            VisualVariance = Math.Round(SampleClusters.Diversity([.. trained.Select(i => pictures[i])]), 6),
            TextImageScore = Math.Round(samples.Average(s => s.TextImageScore), 6),
            MedianSide = samples.Select(s => Math.Min(s.Width, s.Height)).Order().ElementAt(samples.Count / 2),
        };
    }

    private static void Write(RunDirectory run, List<Sample> samples, float[][] pictures, float[][] captions)
    {
        TorchThread.Shared.Run(() =>
        {
            using var scope = new Scope();
            Tensor Table(float[][] rows) => Tensor.From([.. rows.SelectMany(v => v)], rows.Length, rows[0].Length);
            SafetensorsWriter.Write(run.File(StageName.Label, "embeddings.safetensors"), [Table(pictures).ToWrite("pictures"), Table(captions).ToWrite("captions")]);
        });
        AtomicFile.Write(run.File(StageName.Label, "metadata.csv"), stream =>
        {
            using var writer = new StreamWriter(stream, new UTF8Encoding(false), leaveOpen: true);
            writer.Write("file_name,text,split,cluster,score,tags\n");
            foreach (var s in samples)
                writer.Write($"{s.Variant?.File ?? s.BlobHash},{Csv(s.Caption)},{s.Split.ToString().ToLowerInvariant()},{s.Cluster},{s.TextImageScore.ToString("F4", CultureInfo.InvariantCulture)},{Csv(string.Join(' ', s.Tags))}\n");
        });
        RunDirectory.WriteLines(run.File(StageName.Label, "samples.jsonl"), samples);
    }

    // RFC 4180
    private static string Csv(string text) => $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
}
