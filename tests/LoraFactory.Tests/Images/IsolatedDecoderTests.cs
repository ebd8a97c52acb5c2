using LoraFactory.Images;
using Xunit;

namespace LoraFactory.Tests.Images;

public class IsolatedDecoderTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task One_process_decodes_many_pictures_and_outlives_damaged_ones()
    {
        using var decoder = new IsolatedDecoder();
        for (var i = 0; i < 5; i++)
        {
            var picture = PictureDecoderTests.Gradient(40 + i, 30);
            var bytes = PictureWriter.Png(picture);
            var back = await decoder.DecodeAsync(bytes, Token);
            Assert.Equal(picture.Pixels, back.Pixels);
            var fault = await Assert.ThrowsAsync<PictureException>(() => decoder.DecodeAsync(bytes.AsMemory(0, bytes.Length / 2), Token));
            Assert.Equal(PictureFault.Damaged, fault.Fault);
        }
        Assert.Equal(1, decoder.Started);
    }

    [Fact]
    public async Task Pictures_of_every_size_are_shrunk_in_the_process()
    {
        using var decoder = new IsolatedDecoder();
        for (var i = 0; i < 6; i++)
        {
            var picture = PictureDecoderTests.Gradient(700 + 97 * i, 500 + 31 * i);
            foreach (var bytes in (byte[][])[PictureWriter.Png(picture), PictureWriter.Jpeg(picture, 92)])
            {
                foreach (var fit in (PictureFit[])[PictureFit.Within(512), PictureFit.Covering(100 + 13 * i)])
                {
                    var there = await decoder.DecodeAsync(bytes, fit, Token);
                    var here = PictureDecoder.Decode(bytes, fit);
                    Assert.Equal((picture.Width, picture.Height), (there.Width, there.Height));
                    Assert.Equal(fit.Of(picture.Width, picture.Height), (there.Picture.Width, there.Picture.Height));
                    Assert.InRange(here.Picture.Pixels.Zip(there.Picture.Pixels, (a, b) => Math.Abs(a - b)).Max(), 0, 2);
                }
            }
        }
        Assert.Equal(1, decoder.Started);
    }

    [Fact]
    public async Task Pictures_are_decoded_at_the_same_time_by_several_processes()
    {
        using var decoder = new IsolatedDecoder(processes: 2);
        var picture = PictureDecoderTests.Gradient(200, 150);
        var bytes = PictureWriter.Png(picture);
        var all = await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => decoder.DecodeAsync(bytes, Token)));
        Assert.All(all, one => Assert.Equal(picture.Pixels, one.Pixels));
        Assert.InRange(decoder.Started, 1, 2);
    }

    [Fact]
    public async Task A_process_that_hangs_is_killed_and_the_next_picture_gets_a_new_one()
    {
        // The stand-in says that it is ready and then never answers: what a decoder in an endless loop does.
        using var decoder = new IsolatedDecoder(new PictureLimits { Timeout = TimeSpan.FromSeconds(0.5) },
            command: new DecodeCommand("/bin/sh", ["-c", @"printf '\000\000\000\000'; exec sleep 60"]));
        var bytes = PictureWriter.Png(PictureDecoderTests.Gradient(20, 20));
        for (var i = 1; i <= 2; i++)
        {
            var fault = await Assert.ThrowsAsync<PictureException>(() => decoder.DecodeAsync(bytes, Token));
            Assert.Equal(PictureFault.TimedOut, fault.Fault);
            Assert.Equal(i, decoder.Started);
        }
    }

    [Fact]
    public async Task A_process_that_dies_costs_one_picture()
    {
        using var decoder = new IsolatedDecoder(command: new DecodeCommand("/bin/sh", ["-c", @"printf '\000\000\000\000'; read line; kill -SEGV $$"]));
        var bytes = PictureWriter.Png(PictureDecoderTests.Gradient(20, 20));
        var fault = await Assert.ThrowsAsync<PictureException>(() => decoder.DecodeAsync(bytes, Token));
        Assert.Equal(PictureFault.Crashed, fault.Fault);
        Assert.Contains("139", fault.Message);
    }

    [Fact]
    public async Task A_process_that_takes_too_much_memory_costs_one_picture()
    {
        using var decoder = new IsolatedDecoder(new PictureLimits { MemoryMiB = 64, MaxPixels = 400_000_000 });
        var huge = PictureWriter.Png(Picture.Filled(10_000, 9_000, 9, 9, 9));
        var fault = await Assert.ThrowsAsync<PictureException>(() => decoder.DecodeAsync(huge, Token));
        Assert.True(fault.Fault is PictureFault.TooLarge or PictureFault.Crashed or PictureFault.Damaged, $"{fault.Fault}: {fault.Message}");
        var small = PictureDecoderTests.Gradient(20, 20);
        Assert.Equal(small.Pixels, (await decoder.DecodeAsync(PictureWriter.Png(small), Token)).Pixels);
    }

    [Fact]
    public async Task Nonsense_from_the_process_is_not_believed()
    {
        // Ready, then status 0 with sizes of 2^31 − 1.
        using var decoder = new IsolatedDecoder(command: new DecodeCommand("/bin/sh",
            ["-c", @"printf '\000\000\000\000'; printf '\000\000\000\000\377\377\377\177\377\377\377\177\377\377\377\177\377\377\377\177'; cat > /dev/null"]));
        var fault = await Assert.ThrowsAsync<PictureException>(() => decoder.DecodeAsync(PictureWriter.Png(PictureDecoderTests.Gradient(20, 20)), Token));
        Assert.Equal(PictureFault.Crashed, fault.Fault);
    }

    [Fact]
    public async Task Cancelling_ends_a_decode()
    {
        using var decoder = new IsolatedDecoder(command: new DecodeCommand("/bin/sh", ["-c", @"printf '\000\000\000\000'; exec sleep 60"]));
        using var cancel = new CancellationTokenSource(TimeSpan.FromSeconds(0.5));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => decoder.DecodeAsync(PictureWriter.Png(PictureDecoderTests.Gradient(20, 20)), cancel.Token));
    }

    [Fact]
    public async Task A_program_that_is_not_there_is_named()
    {
        using var decoder = new IsolatedDecoder(command: new DecodeCommand("/nowhere/lora", []));
        var fault = await Assert.ThrowsAsync<PictureException>(() => decoder.DecodeAsync(PictureWriter.Png(PictureDecoderTests.Gradient(20, 20)), Token));
        Assert.Equal(PictureFault.LibraryMissing, fault.Fault);
        Assert.Contains("/nowhere/lora", fault.Message);
    }
}
