using System.Text.Json;
using LoraFactory.Flow;
using LoraFactory.Stages.Deploy;
using LoraFactory.Stages.Label;

namespace LoraFactory.Tests.Stages.Deploy;

public sealed class DataRowTests
{
    private static readonly Sample Sample = new() { Id = "s", RecordId = "r", BlobHash = "b", Caption = "c", CaptionSource = "alt", Split = Split.Train, Cluster = 0, EmbeddingRow = 0, Width = 1, Height = 1 };

    [Theory]
    [InlineData("/home/me/pictures/10_style/a.png", "/home/me/pictures", "10_style/a.png")]
    [InlineData("/home/me/pictures/a.png", "/home/me/pictures/", "a.png")]
    [InlineData("/home/me/other/a.png", "/home/me/pictures", "a.png")]
    [InlineData("/home/me/pictures/a.png", "", "a.png")]
    public void A_picture_of_ones_own_is_named_within_its_folder_alone(string file, string folder, string shown)
    {
        var row = DataRow.Of(Of(file, ""), Sample, folder);
        Assert.Equal((shown, null), (row.Picture, row.Page));
        Assert.DoesNotContain("/home", JsonSerializer.Serialize(row, RunDirectory.Json), StringComparison.Ordinal);
    }

    [Fact]
    public void A_picture_of_the_web_keeps_its_addresses() =>
        Assert.Equal(("http://a.test/x.png", "http://a.test/"), (DataRow.Of(Of("http://a.test/x.png", "http://a.test/"), Sample, "").Picture, DataRow.Of(Of("http://a.test/x.png", "http://a.test/"), Sample, "").Page));

    [Fact]
    public void A_caption_beside_a_picture_of_ones_own_is_called_a_sidecar() =>
        Assert.Equal("sidecar", Assert.Single(new CaptionText("", ["{trigger}, {caption}"], null).Candidates(Of("/home/me/a.png", "") with { Caption = "a boat" })).Source);

    private static LoraFactory.Flow.Record Of(string picture, string page) => new() { Id = "r", PageId = "", PageUrl = page, PictureUrl = picture, BlobHash = "b", Width = 1, Height = 1 };
}
