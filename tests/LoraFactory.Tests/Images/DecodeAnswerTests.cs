using System.Buffers.Binary;
using LoraFactory.Images;
using Xunit;

namespace LoraFactory.Tests.Images;

/// <summary>What the decoding process makes of pictures besides pixels, and what is believed of its answers.</summary>
public sealed class DecodeAnswerTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static Picture Page()
    {
        var picture = PictureDecoderTests.Gradient(640, 400);
        for (var line = 0; line < 12; line++) BitmapFont.Draw(picture, "the quick brown fox jumps over", 30, 40 + 20 * line);
        return picture;
    }

    private static IEnumerable<byte[]> Files()
    {
        foreach (var picture in (Picture[])[Page(), PictureDecoderTests.Gradient(40, 30), PictureDecoderTests.Gradient(1030, 770), Picture.Filled(300, 500, 250, 250, 250), PictureDecoderTests.Gradient(700, 2)])
        {
            yield return PictureWriter.Png(picture);
            yield return PictureWriter.Jpeg(picture, 92);
            yield return PictureWriter.Jpeg(picture, 70);
        }
    }

    [Fact]
    public async Task Measures_made_in_the_process_are_those_made_here_bit_for_bit()
    {
        using var decoder = new IsolatedDecoder();
        foreach (var file in Files())
        {
            var (there, here) = (await decoder.MeasureAsync(file, Token), PictureMeasures.Of(PictureDecoder.Decode(file, PictureFit.Within(PictureMeasures.Side))));
            Assert.Equal((here.Width, here.Height), (there.Width, there.Height));
            Assert.Equal(here.ToBytes(), there.ToBytes());
            Assert.Equal(here.Thumbnail, there.Thumbnail);
            Assert.Equal((here.Hash, here.Gradient, here.Signals, here.Borders, here.Text), (there.Hash, there.Gradient, there.Signals, there.Borders, there.Text));
        }
        Assert.Equal(1, decoder.Started);
    }

    [Fact]
    public async Task Squares_encoded_in_the_process_are_those_encoded_here_bit_for_bit()
    {
        using var decoder = new IsolatedDecoder();
        foreach (var file in Files())
            Assert.Equal(PictureWriter.QuickJpeg(PictureFraming.Square(PictureDecoder.Decode(file, PictureFit.Covering(64)).Picture, 64), 95), await decoder.SquareJpegAsync(file, 64, 95, Token));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => decoder.SquareJpegAsync(Files().First(), 0, 95, Token));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => decoder.SquareJpegAsync(Files().First(), 64, 101, Token));
        Assert.Equal(1, decoder.Started);
    }

    [Fact]
    public async Task Squares_cut_in_the_process_are_those_cut_here_and_give_a_model_the_same_numbers()
    {
        using var decoder = new IsolatedDecoder();
        var processor = PictureProcessor.Clip();
        foreach (var file in Files())
        {
            var whole = PictureDecoder.Decode(file);
            Assert.Equal(PictureFraming.Square(whole, 96).Pixels, (await decoder.SquareAsync(file, new(96, Resampling.Lanczos), Token)).Pixels);
            var square = await decoder.SquareAsync(file, processor.Square!.Value, Token);
            Assert.Equal((224, 224), (square.Width, square.Height));
            Assert.Equal(processor.Process(whole, out _, out _), processor.Process(square, out var height, out var width));
            Assert.Equal((224, 224), (height, width));
            // What is trained on is cut once more, and stays.
            Assert.Equal(square.Pixels, PictureFraming.Square(square, 224).Pixels);
        }
        Assert.Equal(1, decoder.Started);
        Assert.Null((processor with { Crop = (200, 200) }).Square);
        Assert.Null((processor with { Resizes = false }).Square);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => decoder.SquareAsync(Files().First(), new(0, Resampling.Lanczos), Token));
    }

    [Fact]
    public async Task A_picture_that_kills_its_process_costs_itself_alone()
    {
        // The first process dies of the first picture; what is started after it is the real one.
        var real = DecodeCommand.Find();
        using var folder = new TemporaryFolder();
        var died = folder.File("died");
        var program = string.Join(' ', real.Arguments.Prepend(real.Program).Select(part => $"'{part}'"));
        using var decoder = new IsolatedDecoder(command: new DecodeCommand("/bin/sh", ["-c", $@"[ -e '{died}' ] && exec {program}; touch '{died}'; printf '\000\000\000\000'; head -c 40 > /dev/null; kill -SEGV $$"]));
        var file = PictureWriter.Jpeg(Page());
        var fault = await Assert.ThrowsAsync<PictureException>(() => decoder.MeasureAsync(file, Token));
        Assert.Equal(PictureFault.Crashed, fault.Fault);
        Assert.Equal((640, 400), (await decoder.MeasureAsync(file, Token)) is var measures ? (measures.Width, measures.Height) : default);
        Assert.Equal(2, decoder.Started);
    }

    [Fact]
    public async Task A_process_that_answers_with_something_else_is_not_believed()
    {
        // Pixels' length where a record was asked for: the process is given up, the picture refused.
        using var decoder = new IsolatedDecoder(command: new DecodeCommand("/bin/sh",
            ["-c", @"printf '\000\000\000\000'; printf '\000\000\000\000\024\000\000\000\024\000\000\000\024\000\000\000\024\000\000\000\260\004\000\000'; cat > /dev/null"]));
        for (var i = 1; i <= 2; i++)
        {
            var fault = await Assert.ThrowsAsync<PictureException>(() => decoder.MeasureAsync(PictureWriter.Png(PictureDecoderTests.Gradient(20, 20)), Token));
            Assert.Equal(PictureFault.Crashed, fault.Fault);
            Assert.Equal(i, decoder.Started);
        }
    }

    private static readonly PictureLimits Limits = new() { MaxPixels = 1_000_000 };

    private static DecodeReply Read(DecodeRequest request, byte[] bytes, int fullWidth = 640, int fullHeight = 400, int width = 64, int height = 40, int? length = null)
    {
        var stream = new MemoryStream();
        foreach (var number in (int[])[0, fullWidth, fullHeight, width, height, length ?? bytes.Length]) DecodeFrames.WriteInt(stream, number);
        stream.Write(bytes);
        stream.Position = 0;
        return DecodeReply.Read(stream, request, Limits);
    }

    [Fact]
    public void Sizes_and_lengths_that_the_request_does_not_allow_are_refused()
    {
        var pixels = new byte[64 * 40 * 3];
        var request = DecodeRequest.Pixels(PictureFit.Within(64));
        Assert.Equal((640, 400, 64, 40, pixels.Length), Read(request, pixels) is var reply ? (reply.FullWidth, reply.FullHeight, reply.Width, reply.Height, reply.Bytes.Length) : default);
        foreach (var (fullWidth, fullHeight, width, height) in ((int, int, int, int)[])[(640, 400, 0, 40), (640, 400, -64, 40), (640, 400, 641, 40), (640, 400, 64, 401), (2000, 501, 64, 40), (int.MaxValue, int.MaxValue, 64, 40), (-640, 400, 64, 40)])
            Assert.Throws<InvalidDataException>(() => Read(request, pixels, fullWidth, fullHeight, width, height));
        foreach (var length in (int[])[-1, 0, pixels.Length - 1, pixels.Length + 1, int.MaxValue, int.MinValue])
            Assert.Throws<InvalidDataException>(() => Read(request, pixels, length: length));
        Assert.Throws<EndOfStreamException>(() => Read(request, pixels[..100], length: pixels.Length));
        foreach (var length in (int[])[-1, 0, 64 * 64 * 3 - 1, 64 * 64 * 3 + 1, 640 * 400 * 3, int.MaxValue])
            Assert.Throws<InvalidDataException>(() => Read(new(DecodeAnswer.Square, 64), new byte[64 * 64 * 3], length: length));
        foreach (var length in (int[])[-1, 0, PictureMeasures.Length - 1, PictureMeasures.Length + 1, int.MaxValue])
            Assert.Throws<InvalidDataException>(() => Read(new(DecodeAnswer.Measures), new byte[PictureMeasures.Length], length: length));
        foreach (var length in (int[])[-1, 0, 10_000_000, int.MaxValue])
            Assert.Throws<InvalidDataException>(() => Read(new(DecodeAnswer.SquareJpeg, 64, Quality: 90), PictureWriter.Jpeg(PictureDecoderTests.Gradient(64, 64)), length: length));
    }

    [Fact]
    public void Numbers_that_no_picture_has_are_refused()
    {
        var honest = PictureMeasures.Of(Page());
        var record = honest.ToBytes();
        Assert.Equal(record, Read(new(DecodeAnswer.Measures), record).Measures!.ToBytes());
        var first = record.Length - 13 * sizeof(double);
        for (var number = 0; number < 13; number++)
        {
            foreach (var lie in (double[])[double.NaN, double.PositiveInfinity, double.NegativeInfinity, -0.5, 1e9])
            {
                var lying = record.ToArray();
                BinaryPrimitives.WriteDoubleLittleEndian(lying.AsSpan(first + number * sizeof(double)), lie);
                Assert.Throws<InvalidDataException>(() => Read(new(DecodeAnswer.Measures), lying));
            }
        }
    }

    [Fact]
    public void A_square_that_is_no_JPEG_of_its_size_is_refused()
    {
        var request = new DecodeRequest(DecodeAnswer.SquareJpeg, 64, Quality: 90);
        var square = PictureWriter.Jpeg(PictureDecoderTests.Gradient(64, 64));
        Assert.Equal(square, Read(request, square).Bytes);
        Assert.Throws<InvalidDataException>(() => Read(request, PictureWriter.Png(PictureDecoderTests.Gradient(64, 64))));
        Assert.Throws<InvalidDataException>(() => Read(request, PictureWriter.Jpeg(PictureDecoderTests.Gradient(65, 64))));
        Assert.Throws<InvalidDataException>(() => Read(request, new byte[500]));
    }

    [Fact]
    public void A_decoder_is_not_told_the_secrets_of_its_surroundings()
    {
        var environment = new Dictionary<string, string?> { ["PATH"] = "/usr/bin", ["DOTNET_ROOT"] = "/usr/share/dotnet", ["AWS_SECRET_ACCESS_KEY"] = "x", ["LORA_TOKEN"] = "y" };
        DecodeProcess.Confine(environment);
        Assert.Equal(["DOTNET_ROOT", "PATH"], environment.Keys.Order(StringComparer.Ordinal));
    }
}
