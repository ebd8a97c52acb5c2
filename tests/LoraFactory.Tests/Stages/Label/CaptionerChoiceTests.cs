using System.Text.Json.Nodes;
using LoraFactory.Flow;
using LoraFactory.Images;
using LoraFactory.Images.Scenes;
using LoraFactory.Stages.Label;
using LoraFactory.Torch;

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
        RunDirectory.WriteLines(run.File(StageName.Clean, "records.jsonl"), Scenes(run, 3));
        var recipe = new Recipe { Label = new() { Trigger = "mystyle", MinTextImageScore = threshold, ValidationShare = 0 } };
        await new LabelStage().RunAsync(new() { Run = run, Recipe = recipe, Progress = new SilentProgress(), Seed = 1 }, TestContext.Current.CancellationToken);
        Assert.All(RunDirectory.ReadLines<Sample>(run.File(StageName.Label, "samples.jsonl")), s => Assert.Equal(source, s.CaptionSource));
        Assert.Equal([1, 2, 3], RunDirectory.ReadLines<Sample>(run.File(StageName.Label, "samples.jsonl")).Select(s => s.Repeats));
        Assert.Equal(new Repetition(1, 3, 2), RunDirectory.ReadJson<DataComplexity>(run.File(StageName.Label, "complexity.json")).Repeats);
    }

    [Fact]
    public async Task A_person_s_own_caption_is_never_replaced_and_a_page_s_is()
    {
        var run = new RunDirectory(folder.File("run"));
        var records = Scenes(run, 4).Select((r, i) => i switch
        {
            0 or 1 => r with { Caption = "quarterly tax return forms" },
            2 => r with { Caption = "quarterly tax return forms", PageUrl = "http://example.org/" },
            _ => r,
        });
        RunDirectory.WriteLines(run.File(StageName.Clean, "records.jsonl"), records);
        var said = new Said();
        var recipe = new Recipe { Label = new() { Trigger = "mystyle", MinTextImageScore = 0.3, ValidationShare = 0 } };
        await new LabelStage().RunAsync(new() { Run = run, Recipe = recipe, Progress = said, Seed = 1 }, TestContext.Current.CancellationToken);
        var samples = RunDirectory.ReadLines<Sample>(run.File(StageName.Label, "samples.jsonl")).ToList();
        Assert.Equal(["sidecar", "sidecar", "captioner", "captioner"], samples.Select(s => s.CaptionSource));
        Assert.All(samples.Take(2), s => Assert.Contains("quarterly tax return forms", s.Caption, StringComparison.Ordinal));
        Assert.All(samples.Take(2), s => Assert.True(s.TextImageScore < 0.3));
        Assert.Equal(["2 of your own captions score below label.min_text_image_score (0.3) and stay as they are, the first beside 0.png"], said.Lines);
    }

    [Fact]
    public void Its_words_have_no_space_before_punctuation()
    {
        using var captioner = Captioner.TryLoad(Device.Cpu)!;
        var captions = Enumerable.Range(0, 4).Select(i => captioner.Caption(Scene(i))).ToList();
        Assert.Contains(captions, c => c.Contains(", ", StringComparison.Ordinal));
        Assert.All(captions, c => Assert.DoesNotMatch(@"\s[.,;:!?]", c));
    }

    private static Picture Scene(int i) => new(SceneGenerator.Side, SceneGenerator.Side, new SceneGenerator().Draw(4, i).Pixels);

    private static IEnumerable<LoraFactory.Flow.Record> Scenes(RunDirectory run, int count) => Enumerable.Range(0, count).Select(i => new LoraFactory.Flow.Record
    {
        Id = $"r{i}", PageId = "", PageUrl = "", PictureUrl = $"{i}.png", Width = SceneGenerator.Side, Height = SceneGenerator.Side, Repeats = i + 1,
        BlobHash = run.PutBlob(PictureWriter.Png(Scene(i))),
    });

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
