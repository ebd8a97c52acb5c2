using LoraFactory.Models.Parity;

namespace LoraFactory.Tests.Parity;

/// <summary>Runs the golden cases with the code behind <c>lora verify</c>: those in tests/data/golden always, all of ../shared where it is there.</summary>
[Collection("torch")]
public sealed class GoldenTests
{
    public static TheoryData<string, string, string> Own() => Cases(Path.Combine(TestData.Root, "tests", "data", "golden"));

    [Theory]
    [MemberData(nameof(Own))]
    public void Holds(string file, string kind, string name)
    {
        var result = GoldenChecks.Run(file, kind, name);
        Assert.True(result.Status == "ok", $"{name} ({kind}): {result.Status} {result.Detail}");
    }

    // One line a kind: a case that is lost, or a kind whose runner is, shows here.
    private static readonly SortedDictionary<string, int> OwnKinds = new(StringComparer.Ordinal)
    {
        ["amp"] = 1, ["area"] = 1, ["clip"] = 1, ["clip-full"] = 1, ["clip-g"] = 1, ["clip-text"] = 1, ["ema"] = 1, ["gradscaler"] = 1,
        ["image-caption"] = 1, ["keys"] = 7, ["kohya_keys"] = 3, ["lora-combine"] = 1, ["lora-extract"] = 1, ["lora-formats"] = 2, ["lora-resize"] = 1,
        ["loss-functions"] = 1, ["lr-schedule"] = 1, ["merge-llama"] = 1, ["merge-unet"] = 1, ["optimizer"] = 21, ["pickle-checkpoint"] = 1,
        ["pipeline"] = 2, ["processors"] = 1, ["safetensors-edges"] = 1, ["scheduler"] = 15, ["sentence-embedding"] = 1, ["set-metrics"] = 1, ["single-file"] = 2,
        ["statistics"] = 1, ["tokenizer"] = 1, ["train-unet"] = 12, ["training-noise"] = 1, ["unet"] = 2, ["vae"] = 2, ["zero-shot"] = 1,
    };

    [Fact]
    public void Every_case_of_the_repository_has_a_runner()
    {
        var found = GoldenChecks.Find(Path.Combine(TestData.Root, "tests", "data", "golden")).GroupBy(c => c.Kind, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Count(), StringComparer.Ordinal);
        Assert.Empty(found.Keys.Except(GoldenChecks.Kinds, StringComparer.Ordinal));
        Assert.Equal(OwnKinds, new SortedDictionary<string, int>(found, StringComparer.Ordinal));
    }

    [Fact]
    public void All_of_the_reference_set_holds()
    {
        var folder = TestData.Shared("golden");
        Assert.SkipWhen(folder is null, "The whole reference set is not kept in this repository; set LORA_SHARED to a folder with golden/. Its cases under tests/data/golden were run.");
        var cases = GoldenChecks.Find(folder!).ToList();
        Assert.True(cases.Count > 100, $"only {cases.Count} cases lie below {folder}");
        var done = RunAbove(folder!);
        var results = cases.Where(c => !done.Contains(c.Name)).Select(c => GoldenChecks.Run(c.File, c.Kind, c.Name)).ToList();
        var unknown = results.Where(r => r.Status == "unknown kind").GroupBy(r => r.Kind, StringComparer.Ordinal).Select(g => $"{g.Key} ({g.Count()})").Order(StringComparer.Ordinal).ToList();
        TestContext.Current.TestOutputHelper?.WriteLine($"{cases.Count} cases: {done.Count} are those of the repository, {results.Count(r => r.Status == "ok")} more ok; nothing here runs {string.Join(", ", unknown)}");
        var missed = results.Where(r => r.Status is not ("ok" or "unknown kind")).Select(r => $"{r.Name} ({r.Kind}): {r.Status} {r.Detail}").ToList();
        Assert.True(missed.Count == 0, string.Join("\n", missed));
    }

    // Names of the repository's own cases, which Holds runs, when each of their files is the same there byte by byte; none otherwise.
    private static HashSet<string> RunAbove(string folder)
    {
        var own = TestData.Golden("");
        var same = Directory.EnumerateFiles(own, "*", SearchOption.AllDirectories).All(file =>
            Path.Combine(folder, Path.GetRelativePath(own, file)) is var there && File.Exists(there) && File.ReadAllBytes(file).AsSpan().SequenceEqual(File.ReadAllBytes(there)));
        return same ? [.. GoldenChecks.Find(own).Where(c => GoldenChecks.Kinds.Contains(c.Kind)).Select(c => c.Name)] : [];
    }

    private static TheoryData<string, string, string> Cases(string folder)
    {
        var data = new TheoryData<string, string, string>();
        if (!Directory.Exists(folder)) return data;
        foreach (var (file, kind, name) in GoldenChecks.Find(folder))
            if (GoldenChecks.Kinds.Contains(kind)) data.Add(file, kind, name);
        return data;
    }
}
