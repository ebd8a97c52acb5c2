using System.IO.Compression;
using System.Text;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Tests.Stages.Crawl;

public sealed class BoundedBodyTests
{
    // zstd -19 of the sentence below
    private static readonly byte[] Frame = Convert.FromBase64String("KLUv/QBo3QAAqFRoZSBxdWljayBicm93biBmb3guIAEAITSZ");
    private const string Sentence = "The quick brown fox. The quick brown fox. The quick brown fox.";

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Zstandard_is_undone_frame_by_frame()
    {
        Assert.SkipUnless(ZstdStream.IsAvailable, "libzstd.so.1 is not installed.");
        Assert.EndsWith(", zstd", BoundedBody.AcceptEncoding, StringComparison.Ordinal);
        var (bytes, refusal) = await ReadAsync([.. Frame, .. (byte[])[0x50, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 1, 2, 3], .. Frame], "zstd"); // a skippable frame between
        Assert.Null(refusal);
        Assert.Equal(Sentence + Sentence, Encoding.UTF8.GetString(bytes));
        (bytes, refusal) = await ReadAsync([], "zstd");
        Assert.Null(refusal);
        Assert.Empty(bytes);
    }

    [Fact]
    public async Task Zstandard_that_is_cut_or_none_or_asks_for_a_large_window_is_refused()
    {
        Assert.SkipUnless(ZstdStream.IsAvailable, "libzstd.so.1 is not installed.");
        for (var length = 1; length < Frame.Length; length++) Assert.Equal("bad-encoding", (await ReadAsync(Frame[..length], "zstd")).Refusal?.Reason);
        Assert.Equal("bad-encoding", (await ReadAsync("no frame at all"u8.ToArray(), "zstd")).Refusal?.Reason);
        // a window of 2^24 bytes, then a raw block of one byte; 2^23 is the most that RFC 9659 allows
        byte[] Windowed(int log) => [0x28, 0xB5, 0x2F, 0xFD, 0x00, (byte)((log - 10) << 3), 0x09, 0, 0, (byte)'x'];
        Assert.Equal("bad-encoding", (await ReadAsync(Windowed(24), "zstd")).Refusal?.Reason);
        Assert.Equal("x"u8.ToArray(), (await ReadAsync(Windowed(23), "zstd")).Bytes);
    }

    [Theory]
    [InlineData("gzip, zlib", "deflate, gzip")]
    [InlineData("zlib", "deflate")]
    [InlineData("raw", "deflate")]
    [InlineData("br, gzip, zlib", "deflate, x-gzip, br")]
    [InlineData("gzip", " GZIP , identity,")]
    public async Task Codings_are_undone_from_the_last_to_the_first(string packedBy, string header)
    {
        var body = Encoding.UTF8.GetBytes(Sentence);
        foreach (var coding in packedBy.Split(", ").Reverse()) body = Pack(coding, body);
        var (bytes, refusal) = await BoundedBody.ReadAsync(new MemoryStream(body), header.Split(','), 1000, Stop);
        Assert.Null(refusal);
        Assert.Equal(Sentence, Encoding.UTF8.GetString(bytes));
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("zlib")]
    [InlineData("br")]
    public async Task A_bomb_is_left_at_the_cap_or_at_the_ratio(string coding)
    {
        var bomb = Pack(coding, new byte[40_000_000]);
        var header = coding == "zlib" ? "deflate" : coding;
        Assert.Equal("too-compressed", (await BoundedBody.ReadAsync(new MemoryStream(bomb), [header], 100_000_000, Stop)).Refusal?.Reason);
        var (bytes, refusal) = await BoundedBody.ReadAsync(new MemoryStream(bomb), [header], 500_000, Stop);
        Assert.Equal("too-large", refusal?.Reason);
        Assert.Equal(500_000, bytes.Length);
    }

    private static async Task<(byte[] Bytes, Refusal? Refusal)> ReadAsync(byte[] body, string coding) => await BoundedBody.ReadAsync(new MemoryStream(body), [coding], 1000, Stop);

    private static byte[] Pack(string coding, byte[] body)
    {
        using var packed = new MemoryStream();
        using (Stream packer = coding switch
        {
            "gzip" => new GZipStream(packed, CompressionLevel.SmallestSize, leaveOpen: true),
            "zlib" => new ZLibStream(packed, CompressionLevel.SmallestSize, leaveOpen: true),
            "raw" => new DeflateStream(packed, CompressionLevel.SmallestSize, leaveOpen: true),
            _ => new BrotliStream(packed, CompressionLevel.SmallestSize, leaveOpen: true),
        })
            packer.Write(body);
        return packed.ToArray();
    }
}
