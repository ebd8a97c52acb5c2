using System.Text.Json.Nodes;
using LoraFactory.Models.Parity;

namespace LoraFactory.Tests.Parity;

/// <summary>What a case says is what is run: its expected values, made with other settings, are then missed.</summary>
[Collection("torch")]
public sealed class UnseenCasesTests
{
    [Theory]
    [InlineData("schedule", "constant", "out.final")] // nothing but the weights at the end, which were made with more steps
    [InlineData("schedule", "constant_with_warmup", "out.loss[1]")]
    [InlineData("noise_schedule", "linear: betas = linspace(.0001, .02, 1000), float32", "out.step0.noisy")]
    public void Training_follows_the_schedules_of_its_case(string key, string value, string missed)
    {
        var source = TestData.Golden("lora/train-unet/eps-mse");
        var folder = Copy(source, json =>
        {
            json[key] = value;
            json["warmup"] = key == "schedule" && value != "constant" ? 10 : 0;
            json["steps"] = 2;
            foreach (var file in (string[])["model", "inputs", "init"]) json[file] = Path.GetFullPath(Path.Combine(source, json[file]!.GetValue<string>()));
        });
        var result = GoldenChecks.Run(Path.Combine(folder, "case.json"), "train-unet", "changed");
        Assert.Equal("miss", result.Status);
        Assert.StartsWith(missed, result.Detail, StringComparison.Ordinal);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void A_schedule_that_is_not_known_is_not_run_as_another()
    {
        var source = TestData.Golden("lora/train-unet/eps-mse");
        var folder = Copy(source, json =>
        {
            json["schedule"] = "sawtooth";
            foreach (var file in (string[])["model", "inputs", "init"]) json[file] = Path.GetFullPath(Path.Combine(source, json[file]!.GetValue<string>()));
        });
        Assert.Equal("unknown kind", GoldenChecks.Run(Path.Combine(folder, "case.json"), "train-unet", "changed").Status);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void A_bad_number_is_put_where_the_case_says()
    {
        var folder = Copy(TestData.Golden("lora/optim/clip"), json => json["formula"] = json["formula"]!.GetValue<string>().Replace("element 2 of gradient b", "element 1 of gradient a", StringComparison.Ordinal));
        var result = GoldenChecks.Run(Path.Combine(folder, "case.json"), "clip", "changed");
        // an infinite number itself becomes NaN, which is expected at another place
        Assert.Equal("miss", result.Status);
        Assert.Contains("norm_with_inf", result.Detail, StringComparison.Ordinal);
        Directory.Delete(folder, recursive: true);
    }

    private static string Copy(string source, Action<JsonNode> change)
    {
        var folder = TestData.NewFolder();
        File.Copy(Path.Combine(source, "case.safetensors"), Path.Combine(folder, "case.safetensors"));
        var json = JsonNode.Parse(File.ReadAllBytes(Path.Combine(source, "case.json")))!;
        change(json);
        File.WriteAllText(Path.Combine(folder, "case.json"), json.ToJsonString());
        return folder;
    }
}
