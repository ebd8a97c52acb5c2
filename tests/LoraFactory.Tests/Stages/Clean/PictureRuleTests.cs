using System.Security.Cryptography;
using LoraFactory.Flow;
using LoraFactory.Images;
using LoraFactory.Images.Scenes;
using LoraFactory.Stages;
using LoraFactory.Stages.Clean;
using LoraFactory.Tests.Images;
using Xunit;

namespace LoraFactory.Tests.Stages.Clean;

/// <summary>Each rule about measured pictures drops what it is about, says by how much, and can be changed without decoding again.</summary>
public sealed class PictureRuleTests
{
    private static readonly CleanOptions Mild = new() { MinSide = 64, MinKept = 1, MinKeptShare = 0 };

    private static readonly CleanOptions Strict = Mild with { MinSharpness = 20, MinEntropy = 0.5, MaxDark = 0.9, MaxLight = 0.9, MaxBorder = 0.5, MaxText = 0.3, Animated = "drop" };

    [Fact]
    public async Task Every_rule_has_its_picture_and_the_original_bytes_stay()
    {
        var (folder, run) = (TestData.NewFolder(), new RunDirectory(TestData.NewFolder()));
        var files = Write(folder);
        await CleanAsync(run, folder, Strict);
        var drops = RunDirectory.ReadLines<Drop>(run.File(StageName.Clean, "dropped.jsonl")).ToDictionary(d => Path.GetFileNameWithoutExtension(d.What), StringComparer.Ordinal);
        Assert.Equal(["animated", "blurred", "flat", "framed", "overexposed", "text", "underexposed"], drops.Keys.Order(StringComparer.Ordinal));
        foreach (var (name, drop) in drops)
        {
            Assert.Equal(name, drop.Reason);
            var rule = PictureRule.All.Single(r => r.Reason == name);
            Assert.Equal(rule.Threshold(Strict), drop.Threshold);
            Assert.True(rule.IsFloor ? drop.Value < drop.Threshold : drop.Value > drop.Threshold, name);
            Assert.Contains(rule.Signal, drop.Detail);
            Assert.Contains(name, KeptShare.Reasons(new Dictionary<string, int> { [name] = 1 }, Strict, true));
        }
        foreach (var (name, bytes) in files) Assert.Equal(bytes, File.ReadAllBytes(run.Blob(Convert.ToHexStringLower(SHA256.HashData(bytes)))));
        var html = File.ReadAllText(CleanReportPage.Write(run, Strict, TestContext.Current.CancellationToken));
        foreach (var rule in PictureRule.All.Where(r => r.Option.Length > 0)) Assert.True(html.Contains(rule.Signal) && html.Contains(rule.Option), rule.Option);

        // Milder thresholds, judged from the scores alone: the pictures are gone.
        foreach (var bytes in files.Values) File.Delete(run.Blob(Convert.ToHexStringLower(SHA256.HashData(bytes))));
        await CleanAsync(run, folder, Mild, rescore: true);
        Assert.Equal(files.Keys.Where(name => name != "text").Order(StringComparer.Ordinal), CleanStageTests.Records(run).Select(r => Path.GetFileNameWithoutExtension(r.PictureUrl)).Order(StringComparer.Ordinal));
        Assert.All(CleanStageTests.Records(run), r => Assert.True(r.Signals.ContainsKey("picture_text") && r.Signals.ContainsKey("picture_border_left")));
    }

    [Fact]
    public async Task Scores_of_another_way_of_measuring_are_measured_anew()
    {
        var (folder, run) = (TestData.NewFolder(), new RunDirectory(TestData.NewFolder()));
        Write(folder);
        await CleanAsync(run, folder, Mild);
        var file = run.File(StageName.Clean, LoraFactory.Stages.Clean.Text.EarlierScores.PicturesFile);
        var before = File.ReadAllText(file);
        File.WriteAllText(file, before.Replace($"\"{MeasuredPicture.Way}\"", "\"older\"", StringComparison.Ordinal).Replace("picture_text", "picture_letters", StringComparison.Ordinal));
        await CleanAsync(run, folder, Strict, rescore: true);
        Assert.Equal(before, File.ReadAllText(file));
    }

    private static Dictionary<string, byte[]> Write(string folder)
    {
        var generator = new SceneGenerator();
        Picture Scene(int i) => PictureResampler.Resize(new Picture(64, 64, generator.Draw(9, i, new() { Styles = [SceneStyle.OutlinedCartoon] }).Pixels), 200, 200, Resampling.Bicubic);
        Picture On(Picture ground, Picture top, int left, int above)
        {
            ground.Paste(top, left, above);
            return ground;
        }
        var blurred = PictureResampler.Resize(PictureResampler.Resize(Scene(1), 8, 8, Resampling.Bilinear), 200, 200, Resampling.Bicubic);
        var flat = Picture.Filled(200, 200, 90, 90, 90);
        for (var i = 0; i < 8; i++) flat.Paste(Picture.Filled(9, 9, 160, 160, 160), 20 + 22 * i, 10 + i * i % 7 * 25);
        Dictionary<string, byte[]> files = new()
        {
            ["sound"] = PictureWriter.Png(Scene(0)),
            ["blurred"] = PictureWriter.Png(blurred),
            ["flat"] = PictureWriter.Png(flat),
            ["underexposed"] = PictureWriter.Png(On(Picture.Filled(300, 300, 0, 0, 0), PictureDecoderTests.Gradient(90, 90), 0, 90)),
            ["overexposed"] = PictureWriter.Png(On(Picture.Filled(300, 300, 255, 255, 255), PictureDecoderTests.Gradient(90, 90), 90, 0)),
            ["framed"] = PictureWriter.Png(On(Picture.Filled(200, 200, 120, 60, 60), PictureResampler.Resize(Scene(4), 110, 110, Resampling.Lanczos), 40, 40)),
            ["text"] = PictureWriter.Png(PictureTextTests.Page()),
            ["animated"] = PictureFiles.Gif(90, 90, i => i % 90 * i / 900 % 4, _ => 3),
        };
        foreach (var (name, bytes) in files) File.WriteAllBytes(Path.Combine(folder, name + (name == "animated" ? ".gif" : ".png")), bytes);
        return files;
    }

    private static async Task CleanAsync(RunDirectory run, string folder, CleanOptions options, bool rescore = false)
    {
        var line = new FactoryLine([new CleanStage()]);
        var context = new StageContext { Run = run, Recipe = new Recipe { Clean = options, Label = new LabelOptions { Source = "folder", Folder = folder } }, Progress = new SilentProgress(), Seed = 1, Rescore = rescore };
        await line.RunAsync(context, new LineRequest(), new Dictionary<string, string>(), null, TestContext.Current.CancellationToken);
    }
}
