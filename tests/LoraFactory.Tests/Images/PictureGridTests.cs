using LoraFactory.Images;
using Xunit;

namespace LoraFactory.Tests.Images;

public class PictureGridTests
{
    [Fact]
    public void Cells_are_laid_out_row_by_row_with_their_titles()
    {
        var red = Picture.Filled(20, 10, 255, 0, 0);
        var blue = Picture.Filled(300, 300, 0, 0, 255);
        var sheet = PictureGrid.Compose([new(red, "a red thing"), new(blue, "blue"), new(red)], columns: 2, side: 100, heading: "Samples");
        Assert.Equal(8 + 2 * 108, sheet.Width);
        // Heading line, then two rows of which only the first has titles.
        Assert.Equal(8 + 17 + (108 + 17) + 108, sheet.Height);
        Assert.Equal((255, 0, 0), At(sheet, 58, 75));
        Assert.Equal((0, 0, 255), At(sheet, 166, 75));
        Assert.Equal((255, 0, 0), At(sheet, 58, 25 + 125 + 50));
        Assert.Equal((255, 255, 255), At(sheet, 166, 25 + 125 + 50));
        Assert.True(Ink(sheet, 8, 25 + 104, 100, 13) > 40, "the first title is drawn");
        Assert.Equal(0, Ink(sheet, 8, 25 + 125 + 101, 100, 6));
    }

    [Fact]
    public void Long_titles_are_wrapped_and_end_in_dots()
    {
        var lines = BitmapFont.Wrap(string.Join(' ', Enumerable.Repeat("word", 60)), 120, 4);
        Assert.Equal(4, lines.Count);
        Assert.All(lines, line => Assert.InRange(line.Length, 1, 20));
        Assert.EndsWith("...", lines[^1], StringComparison.Ordinal);
        Assert.Equal(["averyverylongwordthat", "cannotfit"], BitmapFont.Wrap("averyverylongwordthatcannotfit", 126, 4));
    }

    [Fact]
    public void Every_printable_character_has_its_own_shape()
    {
        var shapes = new HashSet<string>();
        for (var c = '!'; c <= '~'; c++)
        {
            var canvas = Picture.Filled(6, 10, 255, 255, 255);
            BitmapFont.Draw(canvas, c.ToString(), 0, 0);
            Assert.True(shapes.Add(Convert.ToHexString(canvas.Pixels)), $"{c} looks like another character");
        }
        Assert.Equal(94, shapes.Count);
    }

    private static (int, int, int) At(Picture picture, int x, int y)
    {
        var i = (y * picture.Width + x) * 3;
        return (picture.Pixels[i], picture.Pixels[i + 1], picture.Pixels[i + 2]);
    }

    private static int Ink(Picture picture, int left, int top, int width, int height) =>
        Enumerable.Range(top, height).Sum(y => Enumerable.Range(left, width).Count(x => At(picture, x, y).Item1 < 128));
}
