using System.Text.Json;
using LoraFactory.Cli;
using LoraFactory.Cli.Doctor;
using LoraFactory.Flow;
using Xunit;

namespace LoraFactory.Tests.Cli;

/// <summary>Doctor says what is there and, for every problem, the command that mends it.</summary>
public sealed class DoctorTests
{
    private const string Libraries = "/usr/lib/x86_64-linux-gnu";

    [Theory]
    [InlineData(Libraries + "/openblas-openmp/libblas.so.3", Health.Ok, "")]
    [InlineData(Libraries + "/openblas-pthread/libblas.so.3", Health.Warning, "3 times slower")]
    [InlineData(Libraries + "/openblas-serial/libblas.so.3", Health.Warning, "not the OpenBLAS with OpenMP")]
    [InlineData(Libraries + "/blas/libblas.so.3.11.0", Health.Warning, "reference BLAS, about 40 times slower")]
    [InlineData(null, Health.Missing, "no libblas.so.3")]
    public void The_blas_is_judged_by_what_the_link_leads_to(string? path, Health health, string words)
    {
        var finding = BlasLibrary.Judge(path, Libraries, isUsed: true);
        Assert.Equal(health, finding.Health);
        Assert.Contains(words, finding.Value);
        if (health != Health.Ok) Assert.Contains("apt-get install -y libopenblas0-openmp", finding.Advice);
        if (health == Health.Warning) Assert.Contains($"update-alternatives --set libblas.so.3-x86_64-linux-gnu {Libraries}/openblas-openmp/libblas.so.3", finding.Advice);
    }

    [Fact]
    public void The_search_path_goes_before_the_system()
    {
        var folder = TestData.NewFolder();
        var (first, second) = (Path.Combine(folder, "openblas-openmp"), Path.Combine(folder, "system"));
        Directory.CreateDirectory(first);
        Directory.CreateDirectory(second);
        File.WriteAllText(Path.Combine(second, "libblas.so.3.11.0"), "");
        File.CreateSymbolicLink(Path.Combine(second, "alternative"), Path.Combine(second, "libblas.so.3.11.0"));
        File.CreateSymbolicLink(Path.Combine(second, "libblas.so.3"), Path.Combine(second, "alternative"));
        Assert.Equal(Path.Combine(second, "libblas.so.3.11.0"), BlasLibrary.Resolve($"{folder}/none:{first}", second));
        File.WriteAllText(Path.Combine(first, "libblas.so.3"), "");
        Assert.Equal(Path.Combine(first, "libblas.so.3"), BlasLibrary.Resolve($"{folder}/none:{first}", second));
        Assert.Null(BlasLibrary.Resolve(null, Path.Combine(folder, "none")));
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task Every_problem_comes_with_what_to_do()
    {
        using var output = new StringWriter();
        var code = await CommandLine.RunAsync(["doctor", "--json"], output, TextWriter.Null, TestContext.Current.CancellationToken);
        using var result = JsonDocument.Parse(output.ToString());
        var findings = result.RootElement.GetProperty("findings").EnumerateArray().ToList();
        var names = findings.Select(f => f.GetProperty("name").GetString()).ToList();
        foreach (var name in new[] { "sdk", "libtorch", "memory", "disk", "libvips", "wordnet", "chromium", "cuda", "port" }) Assert.Contains(name, names);
        Assert.All(findings.Where(f => f.GetProperty("health").GetString() != "ok"), f => Assert.True(f.GetProperty("advice").GetString()!.Length > 10));
        var ok = result.RootElement.GetProperty("ok").GetBoolean();
        Assert.Equal(ok, findings.All(f => f.GetProperty("health").GetString() != "missing"));
        Assert.Equal(ok ? (int)ExitCode.Done : (int)ExitCode.Failed, code);
    }
}
