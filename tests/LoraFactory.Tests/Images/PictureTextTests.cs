using LoraFactory.Images;
using LoraFactory.Images.Scenes;
using LoraFactory.Tests.Stages.Clean;
using Xunit;

namespace LoraFactory.Tests.Images;

public class PictureTextTests
{
    private const string Words = "Harbour lights at dusk, No 47";

    public static TheoryData<int, byte, double, double> Overlays => new() { { 1, 255, 1, 0.7 }, { 2, 255, 1, 0.7 }, { 2, 0, 1, 0.8 }, { 3, 255, 1, 0.65 }, { 2, 255, 0.5, 0.5 } };

    [Fact]
    public void Scenes_without_words_have_none()
    {
        var shares = Scenes().Select(Share).ToList();
        Assert.Equal(48, shares.Count);
        TestContext.Current.TestOutputHelper?.WriteLine(string.Join(' ', shares.Order().Select(s => s.ToString("0.000"))));
        Assert.True(shares.Count(s => s > 0.01) <= 2, "false rows");
        Assert.True(shares.Max() < 0.15);
    }

    [Theory]
    [MemberData(nameof(Overlays))]
    public void A_line_of_words_over_a_scene_is_found(int scale, byte grey, double opacity, double least)
    {
        int found = 0, all = 0;
        foreach (var scene in Scenes())
        {
            var bare = Share(scene);
            Overlay(scene, Words, 12, 330, scale, grey, opacity);
            if (Share(scene) > bare + 0.3 * Words.Length * 6 * scale * 9 * scale / (384.0 * 384)) found++;
            all++;
        }
        TestContext.Current.TestOutputHelper?.WriteLine($"{found} of {all}");
        Assert.True(found >= least * all, $"{found} of {all}");
    }

    [Fact]
    public void A_page_of_words_is_mostly_text_and_a_tiled_watermark_a_good_part()
    {
        Assert.InRange(Share(Page()), 0.4, 0.95);
        int found = 0, all = 0;
        foreach (var (scene, bare) in Scenes().Take(24).Select(s => (s, Share(s))))
        {
            for (var line = 0; line < 6; line++) Overlay(scene, "sample sample sample sample", -20 + 10 * line, 20 + 60 * line, 2, (byte)(all % 2 * 255), 0.35);
            if (Share(scene) > bare + 0.02) found++;
            all++;
        }
        TestContext.Current.TestOutputHelper?.WriteLine($"{found} of {all}");
        Assert.True(found >= 0.5 * all, $"{found} of {all}");
    }

    /// <summary>Twenty-four lines of dark letters on paper.</summary>
    internal static Picture Page()
    {
        var page = Picture.Filled(420, 540, 235, 228, 220);
        for (var line = 0; line < 24; line++) Overlay(page, "so that nobody who reads it here", 14, 10 + 22 * line, 2, 20, 1);
        return page;
    }

    [Fact]
    public void No_true_picture_of_the_demo_looks_like_text()
    {
        var shares = DemoPages.ReadTruth().Where(one => one.Keep).Select(one => Share(PictureDecoder.DecodeFile(Path.Combine(DemoPages.Folder, one.Host, one.Image.TrimStart('/'))))).ToList();
        Assert.Equal(94, shares.Count);
        Assert.True(shares.Max() < 0.1, $"{shares.Max():0.000}");
    }

    [Fact]
    public void Photographs_have_next_to_none()
    {
        if (TestData.Shared("conformance/images") is not { } folder)
        {
            Assert.Skip("conformance/images is not there");
            return;
        }
        var shares = Directory.GetFiles(folder).Where(f => Path.GetExtension(f) is ".jpg" or ".png").Select(f => Share(PictureDecoder.Decode(File.ReadAllBytes(f), PictureFit.Within(512)).Picture)).ToList();
        Assert.True(shares.Count > 5);
        Assert.True(shares.Max() < 0.1, $"{shares.Max():0.000}");
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(15, 400)]
    [InlineData(17, 17)]
    public void Small_and_thin_pictures_are_measured_too(int width, int height) => Assert.Equal(0, Share(PictureDecoderTests.Gradient(width, height)));

    [Fact]
    public void Noise_of_the_worst_kind_is_measured_in_no_time()
    {
        var random = new Random(3);
        var pixels = new byte[512 * 512];
        for (var i = 0; i < pixels.Length; i++) pixels[i] = (byte)(random.Next(3) == 0 ? 255 : 0);
        Assert.InRange(PictureText.Share(pixels, 512, 512), 0, 0.5);
    }

    private static double Share(Picture picture) => PictureText.Share(picture.Luma(), picture.Width, picture.Height);

    private static IEnumerable<Picture> Scenes()
    {
        var generator = new SceneGenerator();
        for (var i = 0; i < 48; i++)
            yield return PictureResampler.Resize(new Picture(SceneGenerator.Side, SceneGenerator.Side, generator.Draw(5, i).Pixels), 384, 384, Resampling.Bicubic);
    }

    /// <summary>Blends words in the project's own font, each of its pixels <paramref name="scale"/> wide.</summary>
    internal static void Overlay(Picture picture, string words, int left, int top, int scale, byte grey, double opacity)
    {
        var line = Picture.Filled(words.Length * 6, BitmapFont.LineHeight, 255, 255, 255);
        BitmapFont.Draw(line, words, 0, 0);
        for (var y = 0; y < line.Height * scale; y++)
        {
            for (var x = 0; x < line.Width * scale; x++)
            {
                int atX = left + x, atY = top + y;
                if (line.Pixels[(y / scale * line.Width + x / scale) * 3] > 128 || atX < 0 || atY < 0 || atX >= picture.Width || atY >= picture.Height) continue;
                foreach (ref var value in picture.Pixels.AsSpan((atY * picture.Width + atX) * 3, 3)) value = (byte)Math.Round(value + (grey - value) * opacity);
            }
        }
    }
}
