using System.Globalization;
using LoraFactory.Flow;
using LoraFactory.Images;
using LoraFactory.Models.Scoring;

namespace LoraFactory.Stages.Label.Augmentation;

/// <summary>A sample that may get variants, with what they are made from.</summary>
/// <param name="Sample">The sample.</param>
/// <param name="Record">Its record.</param>
/// <param name="Bare">Its caption before the trigger was added.</param>
/// <param name="WithTrigger">Adds the trigger in this sample's form.</param>
internal sealed record AugmentSource(Sample Sample, Record Record, string Bare, Func<string, string> WithTrigger);

/// <summary>
/// The samples with variants of those that are trained on. Held-out samples come out as they went in, and whatever shares a cluster with one is held out too,
/// so no variant ever stands on the other side of the border. What may lose its caption's sense, a crop or other words, is not kept where CLIP finds picture and
/// caption clearly further apart than in its source: by more than 0.05 and than scores of different samples spread.
/// </summary>
internal sealed class AugmentedSet
{
    /// <summary>Folder of the variants' pictures, in the directory of label.</summary>
    public const string Folder = "variants";

    private const double ClearlyWorse = 0.05;
    private const int Chunk = 16, JpegQuality = 95;

    private readonly StageContext context;
    private readonly ClipScorer clip;
    private readonly RunPictures pictures;
    private readonly List<(Sample Sample, float[] Picture, float[] Caption)> made = [];
    private readonly SortedDictionary<string, int> notMade = new(StringComparer.Ordinal);
    private List<Sample> originals = [];
    private double margin = ClearlyWorse;

    /// <summary>A set of this run.</summary>
    public AugmentedSet(StageContext context, ClipScorer clip, RunPictures pictures) => (this.context, this.clip, this.pictures) = (context, clip, pictures);

    /// <summary>The originals in their order, then the variants by their sources.</summary>
    public List<Sample> Samples => [.. originals, .. made.Select(m => m.Sample)];
    /// <summary>Vectors of the variants' pictures, in their order.</summary>
    public IEnumerable<float[]> PictureVectors => made.Select(m => m.Picture);
    /// <summary>Vectors of the variants' captions, in their order.</summary>
    public IEnumerable<float[]> CaptionVectors => made.Select(m => m.Caption);
    /// <summary>How many variants there are.</summary>
    public int Count => made.Count;

    /// <summary>"60 variants (40 flip, 20 crop)".</summary>
    public string Summary => $"{made.Count} variant{(made.Count == 1 ? "" : "s")}{(made.Count == 0 ? "" : $" ({VariantCounts.Of(made.Select(m => m.Sample))})")}";
    /// <summary>What was not made and why, a sentence each, commonest first.</summary>
    public IEnumerable<string> NotMade => notMade.OrderByDescending(n => n.Value).Select(n => $"augment: no {n.Key}: {n.Value}");

    /// <summary>Makes the variants. <paramref name="pictureVectors"/> and <paramref name="captionVectors"/> are those of the sources, row by row.</summary>
    public void Make(IReadOnlyList<AugmentSource> sources, float[][] pictureVectors, float[][] captionVectors, Synonyms? synonyms, CancellationToken token)
    {
        var scores = sources.Select(s => s.Sample.TextImageScore).ToList();
        margin = Math.Max(ClearlyWorse, Math.Sqrt(scores.Average(s => Math.Pow(s - scores.Average(), 2)))); // cosines mean different things in different CLIPs
        var trained = Enumerable.Range(0, sources.Count).Where(i => sources[i].Sample.Split == Split.Train).ToList();
        MakePictures([.. trained.SelectMany(i => PictureVariants.Of(sources[i].Sample, sources[i].Record, context.Recipe.Augment, context.Recipe.Clean.MinSide, context.Seed, Miss).Select(d => (i, d)))],
            sources, captionVectors, token);
        MakeCaptions([.. trained.SelectMany(i => Captions(sources[i], synonyms).Select(d => (i, d.Operation, d.Words)))], sources, pictureVectors);
        var place = sources.Select((s, i) => (s.Sample.Id, i)).ToDictionary(s => s.Id, s => s.i, StringComparer.Ordinal);
        made.Sort((a, b) => (place[a.Sample.Variant!.Source], a.Sample.EmbeddingRow).CompareTo((place[b.Sample.Variant!.Source], b.Sample.EmbeddingRow)));
        Balance([.. sources.Select(s => s.Sample)]);
    }

    // Chunk by chunk, so that no more pictures than that are held at once and nothing is written that is not kept.
    private void MakePictures(IReadOnlyList<(int Source, PictureDraft Draft)> drafts, IReadOnlyList<AugmentSource> sources, float[][] captionVectors, CancellationToken token)
    {
        if (drafts.Count == 0) return;
        using var bar = context.Progress.Begin("augment", drafts.Count, "pictures");
        var (last, decoded) = (-1, default(Picture));
        foreach (var chunk in drafts.Chunk(Chunk))
        {
            var changed = new List<Picture>();
            foreach (var (source, draft) in chunk)
            {
                token.ThrowIfCancellationRequested();
                if (last != source) (last, decoded) = (source, PictureVariants.Prepared(pictures.Read(sources[source].Sample.BlobHash)));
                changed.Add(draft.Apply(decoded!));
            }
            var vectors = clip.Embed(changed, token: token);
            for (var k = 0; k < chunk.Length; k++)
            {
                var (source, draft) = chunk[k];
                Keep(sources[source].Sample, draft.Operation, draft.Parameters, null, vectors[k], captionVectors[source], changed[k]);
            }
            bar.Advance(chunk.Length);
        }
    }

    private IEnumerable<(string Operation, OtherWords Words)> Captions(AugmentSource source, Synonyms? synonyms)
    {
        var options = context.Recipe.Augment;
        var english = source.Record.Language.Split('-')[0] is "en" or "und" && source.Bare.All(char.IsAscii);
        foreach (var (operation, wanted) in new[] { ("synonym", options.Synonyms), ("paraphrase", options.Paraphrases) })
        {
            if (wanted == 0) continue;
            if (!english || source.Bare.Length == 0)
            {
                Miss(operation, source.Bare.Length == 0 ? "there is no caption but the trigger" : "its caption is not in English");
                continue;
            }
            var random = VariantRandom.Of(context.Seed, source.Sample.Id, operation, 0);
            var others = operation == "synonym" ? synonyms?.Of(source.Bare, wanted, ref random) ?? [] : Paraphrases.Of(source.Bare, wanted, ref random);
            var found = others.Select(o => o with { Caption = Worded(source, o) }).Where(o => o.Caption != source.Sample.Caption && KeepsTrigger(o.Caption)).ToList();
            if (found.Count == 0) Miss(operation, operation == "synonym" ? "no word has a sure synonym" : "no template fits");
            foreach (var words in found) yield return (operation, words);
        }
    }

    // "{trigger}, in the snow, a cat", but "in the snow, a {trigger} of a cat": what stands before the thing goes before words that run into it.
    private static string Worded(AugmentSource source, OtherWords words)
    {
        var place = source.Sample.Caption.IndexOf(source.Bare, StringComparison.Ordinal);
        var runsIn = place > 1 && char.IsLetterOrDigit(source.Sample.Caption[place - 2]) && source.Sample.Caption[place - 1] == ' ';
        return runsIn ? words.Caption[..words.Opening] + source.WithTrigger(words.Caption[words.Opening..]) : source.WithTrigger(words.Caption);
    }

    private bool KeepsTrigger(string caption) => caption.Contains(context.Recipe.Label.Trigger.Trim(), StringComparison.OrdinalIgnoreCase);

    private void MakeCaptions(IReadOnlyList<(int Source, string Operation, OtherWords Words)> drafts, IReadOnlyList<AugmentSource> sources, float[][] pictureVectors)
    {
        var vectors = clip.Embed([.. drafts.Select(d => d.Words.Caption)]);
        for (var k = 0; k < drafts.Count; k++)
        {
            var (source, operation, words) = drafts[k];
            Keep(sources[source].Sample, operation, new Dictionary<string, string> { ["words"] = words.How }, words.Caption, pictureVectors[source], vectors[k], null);
        }
    }

    private void Keep(Sample source, string operation, IReadOnlyDictionary<string, string> parameters, string? caption, float[] picture, float[] words, Picture? changed)
    {
        var score = Math.Round(ClipScorer.Cosine(picture, words), 6);
        if (operation is not ("flip" or "colour") && score < source.TextImageScore - margin)
        {
            Miss(operation, "caption and picture would fit clearly worse");
            return;
        }
        var id = ContentId.Of([source.Id, operation, caption ?? "", .. parameters.SelectMany(p => new[] { p.Key, p.Value })]);
        var sample = source with
        {
            Id = id,
            Caption = caption ?? source.Caption,
            TextImageScore = score,
            EmbeddingRow = made.Count,
            Variant = new(source.Id, operation, parameters, null),
        };
        if (changed is not null)
        {
            var (file, hash) = Write(source, id, changed);
            sample = sample with { BlobHash = hash, Width = changed.Width, Height = changed.Height, Variant = sample.Variant with { File = file } };
        }
        made.Add((sample, picture, words));
    }

    // A file that an interrupted run has left whole is taken as it is.
    private (string File, string Hash) Write(Sample source, string id, Picture changed)
    {
        var start = new byte[3];
        using var blob = File.OpenRead(context.Run.Blob(source.BlobHash));
        var jpeg = blob.ReadAtLeast(start, start.Length, throwOnEndOfStream: false) == start.Length && start is [0xFF, 0xD8, 0xFF]; // lossy already: no larger than it has to be
        var file = $"{Folder}/{id}{(jpeg ? ".jpg" : ".png")}";
        var path = context.Run.File(StageName.Label, file);
        if (!File.Exists(path))
        {
            var bytes = jpeg ? PictureWriter.Jpeg(changed, JpegQuality) : PictureWriter.Png(changed);
            AtomicFile.Write(path, stream => stream.Write(bytes));
        }
        return (file, ContentId.OfFile(path));
    }

    // Each source is seen as often as it was beside the others: its forms share what the one with most forms has, its own picture first.
    private void Balance(List<Sample> sources)
    {
        var forms = made.ToLookup(m => m.Sample.Variant!.Source, StringComparer.Ordinal);
        var most = 1 + sources.Max(s => forms[s.Id].Count());
        var place = made.Select((m, i) => (m.Sample.Id, i)).ToDictionary(m => m.Id, m => m.i, StringComparer.Ordinal);
        originals = [];
        foreach (var source in sources)
        {
            var own = forms[source.Id].ToList();
            var (total, shares) = (source.Split == Split.Train ? source.Repeats * most : source.Repeats, own.Count + 1);
            originals.Add(source with { Repeats = Share(0) });
            for (var k = 0; k < own.Count; k++)
            {
                var at = place[own[k].Sample.Id];
                made[at] = own[k] with { Sample = own[k].Sample with { Repeats = Share(k + 1), EmbeddingRow = sources.Count + at } };
            }

            int Share(int k) => total / shares + (k < total % shares ? 1 : 0);
        }
    }

    private void Miss(string operation, string reason)
    {
        var key = $"{operation} where {reason}";
        notMade[key] = notMade.GetValueOrDefault(key) + 1;
    }
}
