using LoraFactory.Models.Parity;
using Xunit;

namespace LoraFactory.Tests.Models.Weights;

[Collection("torch")]
public sealed class WeightChecksTests
{
    [Theory]
    [InlineData("lora/formats/safetensors", 1)]
    [InlineData("diffusion/ckpt", 1)]
    [InlineData("diffusion/single-file", 2)]
    [InlineData("diffusion/keys", 7)]
    public void Golden_cases_hold(string folder, int count)
    {
        var cases = GoldenChecks.Find(TestData.Golden(folder)).ToList();
        Assert.Equal(count, cases.Count);
        foreach (var (file, kind, name) in cases)
        {
            var result = GoldenChecks.Run(file, kind, name);
            Assert.True(result.Status == "ok" && result.Comparisons > 10, $"{name}: {result.Status} {result.Detail} after {result.Comparisons}");
        }
    }
}
