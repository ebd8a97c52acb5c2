using LoraFactory.Flow;
using LoraFactory.Images;
using LoraFactory.Stages;
using LoraFactory.Tests.House;

namespace LoraFactory.Tests.Stages;

public sealed class RunPicturesTests
{
    [Fact]
    public void A_blob_comes_back_as_its_picture_and_a_damaged_one_costs_itself_alone()
    {
        using var folder = new TemporaryFolder();
        var run = new RunDirectory(folder.Path);
        var picture = new Picture(5, 4, [.. Enumerable.Range(0, 60).Select(i => (byte)(i * 4))]);
        var (good, bad) = (run.PutBlob(PictureWriter.Png(picture)), run.PutBlob(PictureWriter.Png(picture).AsSpan(0, 60)));
        using var pictures = new RunPictures(run, TestContext.Current.CancellationToken);
        Assert.Equal(picture.Pixels, pictures.Read(good).Pixels);
        Assert.Throws<PictureException>(() => pictures.Read(bad));
        Assert.Equal(picture.Pixels, pictures.Read(good).Pixels);
        Assert.True(pictures.Started >= 1); // in a process of its own
    }

    [Fact]
    public void No_stage_decodes_in_its_own_process() =>
        SourceTree.NoOffenders(SourceTree.Files("src/LoraFactory.Stages", "*.cs").Where(f => SourceTree.Read(f).Contains("PictureDecoder.Decode", StringComparison.Ordinal)).Select(f => $"{f} decodes pictures itself; RunPictures does it in a child process"));
}
