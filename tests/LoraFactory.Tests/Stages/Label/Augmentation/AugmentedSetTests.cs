using System.Security.Cryptography;
using LoraFactory.Flow;
using LoraFactory.Images;
using LoraFactory.Images.Scenes;
using LoraFactory.Stages;
using LoraFactory.Stages.Label;
using Record = LoraFactory.Flow.Record;

namespace LoraFactory.Tests.Stages.Label.Augmentation;

/// <summary>Label with variants asked for, on real pictures with the pocket CLIP.</summary>
[Collection("torch")]
public sealed class AugmentedSetTests : IDisposable
{
    private const int Pictures = 24;
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Without_it_the_samples_are_what_they_were()
    {
        var (run, _) = await LabelAsync("off", new());
        Assert.DoesNotContain("variant", File.ReadAllText(run.File(StageName.Label, "samples.jsonl")), StringComparison.Ordinal);
        Assert.DoesNotContain("variants", File.ReadAllText(run.File(StageName.Label, "complexity.json")), StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(run.Of(StageName.Label), "variants")));
    }

    [Fact]
    public async Task No_variant_of_a_held_out_picture_or_of_its_cluster_is_trained_on()
    {
        for (var seed = 1; seed <= 3; seed++)
        {
            var (run, _) = await LabelAsync($"border{seed}", All, seed);
            var samples = Samples(run);
            var byId = samples.ToDictionary(s => s.Id, StringComparer.Ordinal);
            var held = samples.Where(s => s.Split == Split.Validation).ToList();
            Assert.NotEmpty(held);
            Assert.All(held, h => Assert.Null(h.Variant));
            var variants = samples.Where(s => s.Variant is not null).ToList();
            Assert.True(variants.Count > Pictures, $"{variants.Count} variants");
            Assert.All(variants, v => Assert.Equal((Split.Train, byId[v.Variant!.Source].Cluster, byId[v.Variant.Source].RecordId, null), (v.Split, v.Cluster, v.RecordId, byId[v.Variant.Source].Variant)));
            Assert.Empty(samples.Where(s => s.Split == Split.Train).Select(s => s.Cluster).Intersect(held.Select(h => h.Cluster)));
            Assert.Empty(samples.Where(s => s.Split == Split.Train).Select(s => s.BlobHash).Intersect(held.Select(h => h.BlobHash)));
            Assert.Equal(samples.Count, samples.Select(s => s.Id).Distinct(StringComparer.Ordinal).Count());
            Assert.Equal(Enumerable.Range(0, samples.Count), samples.Select(s => s.EmbeddingRow));
        }
    }

    [Fact]
    public async Task Each_operation_does_what_it_says_and_leaves_what_words_forbid()
    {
        var (run, said) = await LabelAsync("all", All);
        var samples = Samples(run);
        using var pictures = new RunPictures(run, TestContext.Current.CancellationToken);
        var sources = samples.Where(s => s.Variant is null).ToDictionary(s => s.Id, StringComparer.Ordinal);
        foreach (var variant in samples.Where(s => s.Variant is not null))
        {
            var (source, how) = (sources[variant.Variant!.Source], variant.Variant.Parameters);
            if (variant.Variant.File is not { } file)
            {
                Assert.Equal(source.BlobHash, variant.BlobHash);
                Assert.NotEqual(source.Caption, variant.Caption);
                Assert.Contains("mystyle", variant.Caption, StringComparison.Ordinal);
                continue;
            }
            Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(Path.Combine(run.Of(StageName.Label), file)))), variant.BlobHash);
            var (before, after) = (pictures.Read(source), pictures.Read(variant));
            Assert.Equal((variant.Width, variant.Height, source.Caption), (after.Width, after.Height, variant.Caption));
            switch (variant.Variant.Operation)
            {
                case "flip":
                    Assert.Equal(before.Mirrored().Pixels, after.Pixels);
                    Assert.DoesNotContain("left", source.Caption, StringComparison.Ordinal);
                    Assert.DoesNotContain("right", source.Caption, StringComparison.Ordinal);
                    break;
                case "crop":
                    Assert.InRange(after.Width, 0.8 * before.Width - 1, 0.95 * before.Width + 1);
                    Assert.Contains(Enumerable.Range(0, before.Height - after.Height + 1).SelectMany(y => Enumerable.Range(0, before.Width - after.Width + 1), (y, x) => (x, y)),
                        p => before.Crop(p.x, p.y, after.Width, after.Height).Pixels.AsSpan().SequenceEqual(after.Pixels));
                    break;
                default:
                    Assert.Equal(ColourJitter.Of(before, Number(how["brightness"]), Number(how["contrast"]), Number(how["saturation"])).Pixels, after.Pixels);
                    Assert.DoesNotContain(Enum.GetNames<SceneColour>(), c => source.Caption.Contains(c, StringComparison.OrdinalIgnoreCase));
                    break;
            }
        }
        foreach (var operation in new[] { "flip", "crop", "colour", "paraphrase" }) Assert.Contains(samples, s => s.Variant?.Operation == operation);
        Assert.DoesNotContain(samples, s => s.Variant?.Operation is "flip" or "crop" && sources[s.Variant.Source].RecordId is var record && int.Parse(record[1..]) % 6 < 2);
        foreach (var why in new[] { "it shows text (picture_text)", "picture_text was not measured", "a side is named" })
            Assert.Contains(said.Lines, l => l.StartsWith($"augment: no flip where {why}: ", StringComparison.Ordinal));
        Assert.True(PictureDecoder.DecodeFile(run.File(StageName.Label, "variants.png")).Width > 400);
        Assert.Equal(samples.Count(s => s.Variant is not null), RunDirectory.ReadJson<DataComplexity>(run.File(StageName.Label, "complexity.json")).Variants);
    }

    [Fact]
    public async Task The_same_seed_gives_the_same_bytes_another_one_others_and_a_cut_off_run_goes_on()
    {
        var (one, _) = await LabelAsync("one", All);
        var (two, _) = await LabelAsync("two", All);
        var (three, _) = await LabelAsync("three", All, 9);
        Assert.Equal(Content(one), Content(two));
        Assert.NotEqual(Content(one).Keys, Content(three).Keys);

        // killed in the middle: half of the pictures are there, the lists are not
        var files = Directory.GetFiles(Path.Combine(two.Of(StageName.Label), "variants")).Order(StringComparer.Ordinal).ToList();
        foreach (var file in files.Skip(files.Count / 2)) File.Delete(file);
        foreach (var list in Directory.GetFiles(two.Of(StageName.Label))) File.Delete(list);
        var times = files.Take(files.Count / 2).Select(File.GetLastWriteTimeUtc).ToList();
        await RunAsync(two, All, 1);
        Assert.Equal(Content(one), Content(two));
        Assert.Equal(times, files.Take(files.Count / 2).Select(File.GetLastWriteTimeUtc)); // not written again
    }

    [Fact]
    public async Task Every_source_is_seen_as_often_as_before_beside_the_others()
    {
        var (run, _) = await LabelAsync("balance", All with { Crops = 3 });
        var samples = Samples(run).Where(s => s.Split == Split.Train).ToList();
        var weights = samples.GroupBy(s => s.RecordId, StringComparer.Ordinal).Select(g => (Weight: g.Sum(s => s.Repeats), Repeats: int.Parse(g.Key[1..]) % 2 + 1, Forms: g.Count())).ToList();
        Assert.Single(weights.Select(w => w.Weight / w.Repeats).Distinct());
        Assert.True(weights.Select(w => w.Forms).Distinct().Count() > 1);
        Assert.All(samples, s => Assert.True(s.Repeats >= 1));
    }

    [Fact]
    public async Task Synonyms_come_from_WordNet_alone()
    {
        using (var net = WordNet.Open()) Assert.SkipWhen(net is null, "WordNet is not installed (wordnet-base)");
        var (run, _) = await LabelAsync("words", new() { Synonyms = 2 }, caption: i => i % 2 == 0 ? "a huge car in a forest" : "a blueprint of a car");
        var variants = Samples(run).Where(s => s.Variant is not null).ToList();
        Assert.NotEmpty(variants);
        Assert.All(variants, v => Assert.Equal(("synonym", null), (v.Variant!.Operation, v.Variant.File)));
        Assert.All(variants, v => Assert.StartsWith("mystyle, ", v.Caption, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Other_words_fit_the_form_that_the_trigger_has()
    {
        var (run, _) = await LabelAsync("forms", new() { Paraphrases = 4 }, caption: i => $"{(i % 2 == 0 ? "a boat" : "two cups")} in the snow", forms: ["{trigger}, {caption}", "a {trigger} of {caption}", "{caption}, {trigger}"]);
        var variants = Samples(run).Where(s => s.Variant is not null).Select(s => s.Caption).ToList();
        foreach (var form in new[] { "mystyle, in the snow, ", "in the snow, a mystyle of ", ", mystyle", "shown here: a mystyle of " }) Assert.Contains(variants, v => v.Contains(form, StringComparison.Ordinal));
        Assert.DoesNotContain(variants, v => v.Contains("of in ", StringComparison.Ordinal) || v.Contains("of shown", StringComparison.Ordinal));
    }

    [Fact]
    public void Where_WordNet_is_missing_a_run_says_so_before_it_starts()
    {
        var finding = Assert.Single(new LabelStage("/nonexistent").Look(new Recipe { Augment = new() { Synonyms = 1 } }));
        Assert.Equal(("augment.synonyms", Severity.Error), (finding.Key, finding.Severity));
        Assert.Contains("wordnet-base", finding.Message, StringComparison.Ordinal);
        Assert.Empty(new LabelStage("/nonexistent").Look(new Recipe { Augment = new() { Paraphrases = 1 } }));
    }

    private static readonly AugmentOptions All = new() { Flip = true, Crops = 1, ColourJitter = 0.2, Paraphrases = 1 };

    private static double Number(string text) => double.Parse(text, System.Globalization.CultureInfo.InvariantCulture);

    private static List<Sample> Samples(RunDirectory run) => [.. RunDirectory.ReadLines<Sample>(run.File(StageName.Label, "samples.jsonl"))];

    private static SortedDictionary<string, string> Content(RunDirectory run) => new(Directory.GetFiles(run.Of(StageName.Label), "*", SearchOption.AllDirectories)
        .ToDictionary(f => Path.GetRelativePath(run.Path, f), ContentId.OfFile), StringComparer.Ordinal);

    private async Task<(RunDirectory Run, Said Said)> LabelAsync(string name, AugmentOptions augment, long seed = 1, Func<int, string>? caption = null, IReadOnlyList<string>? forms = null)
    {
        var run = new RunDirectory(folder.File(name));
        RunDirectory.WriteLines(run.File(StageName.Clean, "records.jsonl"), Enumerable.Range(0, Pictures).Select(i =>
        {
            var scene = new SceneGenerator().Draw(4, i);
            return new Record
            {
                Id = $"r{i}", PageId = "", PageUrl = "", PictureUrl = $"{i}.png", Width = SceneGenerator.Side, Height = SceneGenerator.Side, Repeats = i % 2 + 1, Language = "en",
                BlobHash = run.PutBlob(PictureWriter.Png(new Picture(SceneGenerator.Side, SceneGenerator.Side, scene.Pixels))),
                // a third has text or nobody measured it; a sixth is named without its colour
                Caption = caption?.Invoke(i) ?? (i % 6 < 2 ? "a cup on a table" : i % 6 == 4 ? "a thing on the ground" : scene.Caption),
                Signals = i % 6 == 0 ? new Dictionary<string, double>() : new Dictionary<string, double> { [Record.PictureText] = i % 6 == 1 ? 0.4 : 0 },
            };
        }));
        return (run, await RunAsync(run, augment, seed, forms));
    }

    private static async Task<Said> RunAsync(RunDirectory run, AugmentOptions augment, long seed, IReadOnlyList<string>? forms = null)
    {
        var said = new Said();
        var recipe = new Recipe { RandomSeed = seed, Clean = new() { MinSide = 32 }, Label = new() { Trigger = "mystyle", TriggerForms = forms ?? ["{trigger}, {caption}"], ValidationShare = 0.2, MinTextImageScore = -1 }, Augment = augment };
        await new LabelStage().RunAsync(new() { Run = run, Recipe = recipe, Progress = said, Seed = seed }, TestContext.Current.CancellationToken);
        return said;
    }
}
