using System.Text.Json;
using LoraFactory.Cli;

namespace LoraFactory.Tests.Cli;

[Collection("torch")]
public sealed class VerifyCommandTests : IDisposable
{
    private readonly string folder = TestData.NewFolder();

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private static async Task<(int Code, string Out, string Error)> Run(params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = await CommandLine.RunAsync(args, output, error);
        return (code, output.ToString(), error.ToString());
    }

    private string Case(string name, string json)
    {
        var place = Directory.CreateDirectory(Path.Combine(folder, name)).FullName;
        File.WriteAllText(Path.Combine(place, "case.json"), json);
        return place;
    }

    private void Good(string name)
    {
        var from = TestData.Golden("lora/formats/extract");
        var place = Case(name, File.ReadAllText(Path.Combine(from, "case.json")));
        File.Copy(Path.Combine(from, "case.safetensors"), Path.Combine(place, "case.safetensors"));
    }

    [Fact]
    public async Task Good_cases_pass_and_unknown_kinds_are_named_loudly()
    {
        Good("good");
        Case("strange", """{"kind": "never-seen"}""");
        Case("stranger", """{"kind": "never-seen"}""");
        var (code, text, _) = await Run("verify", folder);
        Assert.Equal(0, code);
        Assert.Contains("ok       good (lora-extract): ", text, StringComparison.Ordinal);
        Assert.Contains("UNKNOWN  strange", text, StringComparison.Ordinal);
        Assert.Contains("1 ok, 0 missed, 2 of unknown kind, of 3 cases", text, StringComparison.Ordinal);
        Assert.Contains("NOT VERIFIED, for nothing here runs their kind: never-seen (2)", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_miss_says_where_and_a_broken_case_is_one_line()
    {
        Good("good");
        var wrong = Path.Combine(folder, "wrong");
        Good("wrong");
        var json = File.ReadAllText(Path.Combine(wrong, "case.json")).Replace("\"rank\": 4", "\"rank\": 3", StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(wrong, "case.json"), json);
        Case("broken", "{ \"kind\": ");
        Case("kindless", "{}");
        Directory.CreateDirectory(Path.Combine(folder, "empty"));
        var (code, text, _) = await Run("verify", folder);
        Assert.Equal(1, code);
        Assert.Contains("MISS     wrong (lora-extract): ", text, StringComparison.Ordinal);
        Assert.Contains("ERROR    broken", text, StringComparison.Ordinal);
        Assert.Contains("ERROR    kindless", text, StringComparison.Ordinal);
        Assert.Contains("1 ok, 3 missed, 0 of unknown kind, of 4 cases", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Json_has_a_line_a_case_and_the_sums()
    {
        Good("good");
        Case("strange", """{"kind": "never-seen"}""");
        var (code, text, _) = await Run("verify", folder, "--json", "--kind", "lora-extract");
        Assert.Equal(0, code);
        var lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonDocument.Parse(l).RootElement).ToList();
        Assert.Equal(2, lines.Count);
        Assert.Equal("ok", lines[0].GetProperty("status").GetString());
        Assert.True(lines[0].GetProperty("comparisons").GetInt32() > 10);
        Assert.Equal(1, lines[1].GetProperty("ok").GetInt32());
    }

    [Fact]
    public async Task A_folder_without_cases_is_a_wrong_use()
    {
        Assert.Equal(2, (await Run("verify", folder)).Code);
        Assert.Equal(2, (await Run("verify", Path.Combine(folder, "nowhere"))).Code);
    }
}
