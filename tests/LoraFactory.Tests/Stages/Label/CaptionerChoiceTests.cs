using System.Text.Json.Nodes;
using LoraFactory.Flow;
using LoraFactory.Images;
using LoraFactory.Images.Scenes;
using LoraFactory.Stages.Label;

namespace LoraFactory.Tests.Stages.Label;

/// <summary>The pocket captioner speaks of what it knows alone, and is believed only where the judge agrees.</summary>
[Collection("torch")]
public sealed class CaptionerChoiceTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void It_suits_bases_of_the_projects_scenes_and_no_real_one()
    {
        Assert.True(Captioner.Suits(new Recipe()));
        Assert.False(Captioner.Suits(new Recipe { Base = new() { Clip = "openai/clip-vit-large-patch14" } }));
        Assert.False(Captioner.Suits(new Recipe { Base = new() { Model = "nobody/nothing" } }));
        Assert.False(Captioner.Suits(new Recipe { Base = new() { Model = Base(320) } }));
        Assert.True(Captioner.Suits(new Recipe { Base = new() { Model = Base(48) } })); // one that lora pretrain made
        Assert.NotEmpty(Captioner.Files);
    }

    [Theory]
    [InlineData(1, "trigger")]
    [InlineData(-1, "captioner")]
    public async Task What_it_sees_is_taken_above_the_threshold_alone(double threshold, string source)
    {
        var run = new RunDirectory(folder.File("run"));
        var scenes = new SceneGenerator();
        var records = Enumerable.Range(0, 3).Select(i => new LoraFactory.Flow.Record
        {
            Id = $"r{i}", PageId = "", PageUrl = "", PictureUrl = $"{i}.png", Width = SceneGenerator.Side, Height = SceneGenerator.Side, Repeats = i + 1,
            BlobHash = run.PutBlob(PictureWriter.Png(new Picture(SceneGenerator.Side, SceneGenerator.Side, scenes.Draw(4, i).Pixels))),
        });
        RunDirectory.WriteLines(run.File(StageName.Clean, "records.jsonl"), records);
        var recipe = new Recipe { Label = new() { Trigger = "mystyle", MinTextImageScore = threshold, ValidationShare = 0 } };
        await new LabelStage().RunAsync(new() { Run = run, Recipe = recipe, Progress = new SilentProgress(), Seed = 1 }, TestContext.Current.CancellationToken);
        Assert.All(RunDirectory.ReadLines<Sample>(run.File(StageName.Label, "samples.jsonl")), s => Assert.Equal(source, s.CaptionSource));
        Assert.Equal([1, 2, 3], RunDirectory.ReadLines<Sample>(run.File(StageName.Label, "samples.jsonl")).Select(s => s.Repeats));
        Assert.Equal(new Repetition(1, 3, 2), RunDirectory.ReadJson<DataComplexity>(run.File(StageName.Label, "complexity.json")).Repeats);
    }

    // The pocket base's configuration with other widths.
    private string Base(int width)
    {
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(TestData.Root, "assets", "pocket-sd", "unet", "config.json")))!.AsObject();
        config["block_out_channels"] = new JsonArray([.. config["block_out_channels"]!.AsArray().Select((_, i) => JsonValue.Create(width * (i + 1)))]);
        var path = Directory.CreateDirectory(folder.File($"base-{width}")).FullName;
        File.WriteAllText(Path.Combine(Directory.CreateDirectory(Path.Combine(path, "unet")).FullName, "config.json"), config.ToJsonString());
        return path;
    }
}
