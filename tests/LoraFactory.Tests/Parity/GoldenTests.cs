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

    private static TheoryData<string, string, string> Cases(string folder)
    {
        var data = new TheoryData<string, string, string>();
        if (!Directory.Exists(folder)) return data;
        foreach (var (file, kind, name) in GoldenChecks.Find(folder))
            if (GoldenChecks.Kinds.Contains(kind)) data.Add(file, kind, name);
        return data;
    }
}
