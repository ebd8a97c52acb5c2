using LoraFactory.Flow;
using LoraFactory.Stages;
using LoraFactory.Stages.Deploy;

namespace LoraFactory.Tests.Cli;

/// <summary>kill -9 within evaluate and deploy: the same command goes on to what a run that was not killed has, and the store is whole at every moment.</summary>
[Collection("torch")]
public sealed class KilledCommandsTests(FinishedLine line) : FinishedLineTests(line)
{
    private string Run(string place) => Path.Combine(place, "runs", FinishedLine.Name);

    private string Cleared(StageName from)
    {
        var place = Line.Copy(Folder.File("copy"));
        for (var gone = from; gone <= StageName.Deploy; gone++) Directory.Delete(Path.Combine(Run(place), $"{(int)gone}-{gone.ToString().ToLowerInvariant()}"), recursive: true);
        return place;
    }

    private async Task Killed(string place, Func<LoraProcess, Task> when)
    {
        await using var lora = LoraProcess.Start(["run", .. Line.Recipe(place)]);
        await when(lora);
        await lora.KillAsync();
    }

    private async Task GoesOn(string place, StageName stage)
    {
        var again = await Line.LoraAsync("run", place, [], TestContext.Current.CancellationToken);
        Assert.True(again.Code == 0, again.Error);
        Assert.Contains($"{stage.ToString().ToLowerInvariant()}: going on from where it was interrupted", again.Error);
        Assert.Equal(2, RunDirectory.ReadJson<StageRecord>(Path.Combine(Run(place), $"{(int)stage}-{stage.ToString().ToLowerInvariant()}", StageRecord.FileName)).Attempts);
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(place, "store"), "*.tmp", SearchOption.AllDirectories));
    }

    // Whatever moment it was: no version, or a champion with a whole bundle.
    private static void Whole(AdapterStore store)
    {
        foreach (var version in store.Versions(FinishedLine.Name))
        {
            Assert.Equal((1, "champion"), (version.Version, version.State));
            Assert.Equal(version.Sha256, Certificate.Require(store.Bundle(version)).Sha256);
        }
    }

    [Fact]
    public async Task Evaluate_goes_on_to_the_same_pictures_and_figures()
    {
        var place = Cleared(StageName.Evaluate);
        string[] slowly = ["--set", "evaluate.sampler_steps=60"]; // so that it is killed before its end
        await using (var lora = LoraProcess.Start(["run", .. Line.Recipe(place), .. slowly]))
        {
            await lora.UntilInAsync(Run(place), StageName.Evaluate);
            await lora.KillAsync();
        }
        Assert.False(File.Exists(Path.Combine(Run(place), "6-evaluate", StageRecord.FileName)));
        var again = await Line.LoraAsync("run", place, slowly, TestContext.Current.CancellationToken);
        Assert.True(again.Code == 0, again.Error);
        Assert.Contains("evaluate: going on from where it was interrupted", again.Error);
        var straight = Line.Copy(Folder.File("straight"));
        Assert.Equal(0, (await Line.LoraAsync("evaluate", straight, slowly, TestContext.Current.CancellationToken)).Code);
        Assert.Equal(Figures(straight), Figures(place));
        Assert.Equal(ContentId.OfFile(Path.Combine(Run(straight), "6-evaluate", "grid.png")), ContentId.OfFile(Path.Combine(Run(place), "6-evaluate", "grid.png")));
        Whole(new AdapterStore(Path.Combine(place, "store")));
    }

    private List<(string, double, double, double, bool?)> Figures(string place) =>
        [.. RunDirectory.ReadJson<Report>(Path.Combine(Run(place), "6-evaluate", "report.json")).Metrics.Where(m => m.Name != "seconds_per_picture").Select(m => (m.Name, m.Value, m.Low, m.High, m.Passed))];

    [Theory]
    [InlineData("while it examines the adapter", "7-deploy/.working.json")]
    [InlineData("while it writes the bundle", "7-deploy/bundle")]
    [InlineData("while the store takes it in", "store")]
    public async Task Deploy_leaves_the_store_whole_and_goes_on_to_the_same_bundle(string moment, string sign)
    {
        var place = Cleared(StageName.Deploy);
        var store = new AdapterStore(Path.Combine(place, "store"));
        Directory.Delete(store.Folder, recursive: true);
        var path = sign == "store" ? store.Folder : Path.Combine(Run(place), sign);
        await Killed(place, lora => lora.UntilAsync(() => Path.Exists(path)));
        Whole(store);
        var unfinished = !File.Exists(Path.Combine(Run(place), "7-deploy", StageRecord.FileName));
        Assert.True(unfinished || sign != "7-deploy/.working.json", moment); // a bundle is written so fast that deploy may have ended
        if (unfinished) await GoesOn(place, StageName.Deploy);
        Assert.Equal("champion", Assert.Single(store.Versions(FinishedLine.Name)).State);
        Whole(store);
        var (here, there) = (store.Bundle(store.Champion(FinishedLine.Name)!), new AdapterStore(Line.StorePath).Bundle(new AdapterStore(Line.StorePath).Champion(FinishedLine.Name)!));
        Assert.Equal(Sums(there), Sums(here));
        Assert.Equal(["v1"], Directory.EnumerateDirectories(Path.Combine(store.Folder, FinishedLine.Name)).Select(d => Path.GetFileName(d)));
    }

    private static string[] Sums(string bundle) => [.. Directory.EnumerateFiles(bundle).Order(StringComparer.Ordinal).Select(f => $"{Path.GetFileName(f)} {ContentId.OfFile(f)}")];
}
