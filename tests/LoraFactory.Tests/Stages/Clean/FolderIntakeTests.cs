using System.Text;
using LoraFactory.Flow;
using LoraFactory.Images;
using LoraFactory.Stages.Clean;
using LoraFactory.Stages.Label;
using LoraFactory.Tests.Images;
using Xunit;
using CaptionText = LoraFactory.Stages.Label.CaptionText;

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

    [Fact]
    public async Task Folders_named_as_kohya_names_them_give_repeats_and_a_caption_where_none_lies_beside()
    {
        var folder = TestData.NewFolder();
        string[] places = ["10_red boat", "10_red boat/deep", "3_my_style", "2024_rome", "01_first", ".", "0_never", "7_", "100_FUJI"];
        for (var i = 0; i < 2 * places.Length; i++)
        {
            Directory.CreateDirectory(Path.Combine(folder, places[i / 2]));
            Save(Path.Combine(folder, places[i / 2], $"p{i}.png"), Scene(i), i % 2 == 0 ? $"own words {i}" : null);
        }
        var said = new Said();
        var context = Context(folder) with { Progress = said };
        await new CleanStage().RunAsync(context, Token);
        var records = CleanStageTests.Records(context.Run).ToDictionary(r => int.Parse(Path.GetFileNameWithoutExtension(r.PictureUrl)[1..]));
        Assert.Equal([10, 10, 10, 10, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], Enumerable.Range(0, 18).Select(i => records[i].Repeats)); // a year, a place in a list and a camera's folder are no repeats
        Assert.Equal(("own words 0", "red boat"), (records[0].Caption, records[0].FolderWords));
        Assert.Equal(("", "red boat"), (records[3].Caption, records[3].FolderWords));
        Assert.Equal(("my_style", ""), (records[5].FolderWords, records[7].FolderWords));
        Assert.Equal(["folder 10_red boat: 4 pictures, each seen 10 times as often as one of a plain folder, captioned \"red boat\" where no caption lies beside them (2)",
            "folder 3_my_style: 2 pictures, each seen 3 times as often as one of a plain folder, captioned \"my_style\" where no caption lies beside them (1)"], said.Lines);

        // the words beside a picture come first, then the folder's
        var texts = new CaptionText("", ["{caption}"], null);
        Assert.Equal([new CaptionCandidate("own words 0", "sidecar")], texts.Candidates(records[0]));
        Assert.Equal([new CaptionCandidate("red boat", "folder")], texts.Candidates(records[1]));
        Assert.Empty(texts.Candidates(records[7]));
    }

    [Fact]
    public void Equal_repeats_are_said_to_change_nothing_and_a_camera_s_names_are_plain()
    {
        static RepeatFolder? Of(string name) => RepeatFolder.Of("/p", $"/p/{name}/a.png");
        Assert.All((string[])["100_FUJI", "101CANON", "100_PANA", "999_MSDC", "100__TSB"], name => Assert.Null(Of(name)));
        Assert.Equal([(500, "flowers"), (100, "FUJI X"), (10, "FUJI"), (100, "Fuji")], ((string[])["500_flowers", "100_FUJI X", "10_FUJI", "100_Fuji"]).Select(n => (Of(n)!.Repeats, Of(n)!.Words)));
        Assert.Equal("folder 10_style: 2 pictures, all with the same repeats, which change nothing (train.steps says how long training is), captioned \"style\" where no caption lies beside them (1)",
            Assert.Single(RepeatFolder.Lines([(Of("10_style"), true), (Of("10_style"), false)])));
        Assert.Contains("each seen 10 times as often", Assert.Single(RepeatFolder.Lines([(Of("10_style"), true), (null, false)])), StringComparison.Ordinal);
    }

    [Fact]
    public void Another_number_before_a_folder_s_name_is_another_input()
    {
        var folder = TestData.NewFolder();
        Directory.CreateDirectory(Path.Combine(folder, "10_boat"));
        Save(Path.Combine(folder, "10_boat", "a.png"), Scene(1), null);
        var ten = Assert.Single(new CleanStage().Extracts(Context(folder))).Value;
        Assert.Equal(ten, Assert.Single(new CleanStage().Extracts(Context(folder))).Value);
        Directory.Move(Path.Combine(folder, "10_boat"), Path.Combine(folder, "5_boat"));
        Assert.NotEqual(ten, Assert.Single(new CleanStage().Extracts(Context(folder))).Value);
        Directory.Move(Path.Combine(folder, "5_boat"), Path.Combine(folder, "boat"));
        Assert.Empty(new CleanStage().Extracts(Context(folder)));
        Assert.Equal((5, "boat"), (RepeatFolder.Of(Path.Combine(folder, "5_boat/"), Path.Combine(folder, "5_boat", "a.png"))!.Repeats, RepeatFolder.Of(Path.Combine(folder, "5_boat"), Path.Combine(folder, "5_boat", "a.png"))!.Words));
        Assert.Null(RepeatFolder.Of(Path.Combine(folder, "5_boat", "in"), Path.Combine(folder, "5_boat", "in", "a.png"))); // above label.folder nothing is looked at
    }

    [Theory]
    [InlineData("utf-8", true)]
    [InlineData("utf-8", false)]
    [InlineData("utf-16", true)]
    [InlineData("utf-16BE", true)]
    public void A_caption_is_read_in_the_encoding_that_its_mark_says(string name, bool mark)
    {
        var encoding = Encoding.GetEncoding(name);
        var picture = Caption([.. mark ? encoding.GetPreamble() : [], .. encoding.GetBytes("ein  Boot über\r\nWasser, 船")]);
        Assert.Equal("ein Boot über Wasser, 船", FolderIntake.Caption(picture));
        Assert.Null(FolderIntake.NotText([picture]));
    }

    [Fact]
    public void A_caption_longer_than_the_limit_is_cut_between_characters()
    {
        var picture = Caption(Encoding.UTF8.GetBytes("a" + new string('ü', 40_000))); // byte 65,536 lies within one
        Assert.Null(FolderIntake.NotText([picture]));
        Assert.Equal(1 + 32_767, FolderIntake.Caption(picture).Length);
    }

    [Theory]
    [InlineData("latin1", false)]
    [InlineData("utf-16", false)] // valid UTF-8 with a zero after every letter
    [InlineData("utf-32", true)]
    public async Task A_caption_that_is_no_text_stops_the_run_and_is_named(string name, bool mark)
    {
        var encoding = Encoding.GetEncoding(name);
        var folder = TestData.NewFolder();
        for (var i = 0; i < 10; i++) Save(Path.Combine(folder, $"p{i}.png"), Scene(i), $"a boat {i}");
        foreach (var i in (int[])[3, 5, 7]) File.WriteAllBytes(Path.Combine(folder, $"p{i}.txt"), [.. mark ? encoding.GetPreamble() : [], .. encoding.GetBytes("Boot für zwei")]);
        var error = await Assert.ThrowsAsync<LoraException>(() => new CleanStage().RunAsync(Context(folder), Token));
        Assert.Equal($"label.folder: {Path.Combine(folder, "p3.txt")} is not UTF-8 text; save it as UTF-8, and likewise 2 more.", error.Message);
        Assert.Contains(new CleanStage().Look(Context(folder).Recipe), f => error.Message.EndsWith(f.Message, StringComparison.Ordinal));
    }

    private static string Caption(byte[] bytes)
    {
        var picture = Path.Combine(TestData.NewFolder(), "a.png");
        File.WriteAllBytes(Path.ChangeExtension(picture, ".txt"), bytes);
        File.WriteAllBytes(picture, PictureWriter.Png(Scene(1)));
        return picture;
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
