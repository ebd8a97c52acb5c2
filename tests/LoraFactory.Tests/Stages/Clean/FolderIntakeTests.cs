using LoraFactory.Flow;
using LoraFactory.Images;
using LoraFactory.Stages.Clean;
using LoraFactory.Tests.Images;
using Xunit;

namespace LoraFactory.Tests.Stages.Clean;

public class FolderIntakeTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_folder_of_one_s_own_becomes_records_with_the_captions_beside_the_pictures()
    {
        var folder = TestData.NewFolder();
        Directory.CreateDirectory(Path.Combine(folder, "10_style"));
        for (var i = 0; i < 8; i++) Save(Path.Combine(folder, $"p{i}.png"), Scene(i), $"  a red\nboat number {i} ");
        Save(Path.Combine(folder, "10_style", "deep.jpg"), Scene(20), null, jpeg: true);
        File.WriteAllText(Path.Combine(folder, "10_style", "deep.caption"), "a boat as kohya's scripts name the file");
        File.WriteAllText(Path.Combine(folder, "p3.caption"), "the .txt beside it counts");
        File.Copy(Path.Combine(folder, "p1.png"), Path.Combine(folder, "z-copy.png"));
        File.WriteAllText(Path.Combine(folder, "broken.png"), "no picture");
        File.WriteAllText(Path.Combine(folder, "notes.md"), "not looked at");
        var context = Context(folder);
        var stage = new CleanStage();
        Assert.Equal(11 + 9, stage.Inputs(context).Count());

        var outcome = await stage.RunAsync(context, Token);
        var records = CleanStageTests.Records(context.Run);
        Assert.Equal((11, 9), (outcome.In, outcome.Out));
        Assert.Equal(new Dictionary<string, int> { ["damaged"] = 1, ["duplicate"] = 1 }, outcome.Dropped);
        Assert.Equal("a red boat number 3", records.Single(record => record.PictureUrl.EndsWith("p3.png", StringComparison.Ordinal)).Caption);
        Assert.Equal("a boat as kohya's scripts name the file", records.Single(record => record.PictureUrl.EndsWith("deep.jpg", StringComparison.Ordinal)).Caption);
        Assert.All(records, record => Assert.True(File.Exists(context.Run.Blob(record.BlobHash))));
        Assert.All(records, record => Assert.Equal(("", ""), (record.PageUrl, record.PageId))); // they come from no page
    }

    [Theory]
    [InlineData("", "label.folder is empty")]
    [InlineData("/no/such/folder", "/no/such/folder is not there")]
    public void A_wrong_folder_is_named(string folder, string message)
    {
        var error = Assert.Throws<LoraException>(() => new CleanStage().Inputs(Context(folder)).ToList());
        Assert.Contains(message, error.Message);
        Assert.Equal(ExitCode.BadUsage, error.Code);
    }

    [Fact]
    public void A_folder_without_pictures_is_named()
    {
        var folder = TestData.NewFolder();
        File.WriteAllText(Path.Combine(folder, "a.txt"), "x");
        Assert.Contains("holds no pictures", Assert.Throws<LoraException>(() => new CleanStage().Inputs(Context(folder)).ToList()).Message);
    }

    [Fact]
    public async Task Too_few_pictures_stop_the_run_with_what_to_do()
    {
        var folder = TestData.NewFolder();
        for (var i = 0; i < 3; i++) Save(Path.Combine(folder, $"p{i}.png"), Scene(i), null);
        var error = await Assert.ThrowsAsync<LoraException>(() => new CleanStage().RunAsync(Context(folder), Token));
        Assert.Contains("kept 3 of 3", error.Message);
        Assert.Contains("clean.min_kept", error.Message);
    }

    private static StageContext Context(string folder) => new()
    {
        Run = new RunDirectory(TestData.NewFolder()),
        Recipe = new Recipe { Clean = new CleanOptions { MinSide = 64 }, Label = new LabelOptions { Source = "folder", Folder = folder } },
        Progress = new SilentProgress(),
        Seed = 1,
    };

    private static Picture Scene(int seed)
    {
        var random = new Random(seed);
        var picture = PictureDecoderTests.Gradient(100, 100);
        for (var shape = 0; shape < 8; shape++)
            picture.Paste(Picture.Filled(random.Next(10, 50), random.Next(10, 50), (byte)random.Next(256), (byte)random.Next(256), (byte)random.Next(256)), random.Next(80), random.Next(80));
        return picture;
    }

    private static void Save(string path, Picture picture, string? caption, bool jpeg = false)
    {
        File.WriteAllBytes(path, jpeg ? PictureWriter.Jpeg(picture) : PictureWriter.Png(picture));
        if (caption is not null) File.WriteAllText(Path.ChangeExtension(path, ".txt"), caption);
    }
}
