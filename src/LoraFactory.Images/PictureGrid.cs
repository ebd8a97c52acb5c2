namespace LoraFactory.Images;

/// <summary>A picture with the words under it.</summary>
/// <param name="Picture">The picture; it is scaled to fit its cell.</param>
/// <param name="Title">Words, wrapped; characters beyond ASCII are drawn as a box.</param>
public sealed record GridCell(Picture Picture, string Title = "");

/// <summary>Contact sheets: pictures in rows and columns with titles, for reports and for samples drawn during training.</summary>
public static class PictureGrid
{
    private const int Gap = 8;
    private const int MaxTitleLines = 4;

    /// <summary>
    /// Composes the cells row by row on white. Each picture is scaled, aspect kept, to fit a square of <paramref name="side"/> pixels:
    /// enlarged by whole factors without smoothing (small pictures stay true), shrunk with <see cref="Resampling.Lanczos"/>.
    /// <paramref name="heading"/> stands above. At least one cell; at most 100 million pixels in all.
    /// </summary>
    public static Picture Compose(IReadOnlyList<GridCell> cells, int columns, int side = 256, string heading = "")
    {
        ArgumentOutOfRangeException.ThrowIfZero(cells.Count);
        ArgumentOutOfRangeException.ThrowIfLessThan(columns, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(side, 16);
        columns = Math.Min(columns, cells.Count);
        var rows = (cells.Count + columns - 1) / columns;
        var titles = cells.Select(cell => BitmapFont.Wrap(cell.Title, side, MaxTitleLines)).ToList();
        var width = Gap + columns * (side + Gap);
        var headingLines = BitmapFont.Wrap(heading, width - 2 * Gap, MaxTitleLines);
        var heights = Enumerable.Range(0, rows).Select(row => side + Gap + LinesHeight(titles.Skip(row * columns).Take(columns).Max(lines => lines.Count))).ToList();
        var top = Gap + LinesHeight(headingLines.Count);
        var height = top + heights.Sum();
        if ((long)width * height > 100_000_000) throw new ArgumentException($"A grid of {width}×{height} pixels is too large.", nameof(cells));
        var sheet = Picture.Filled(width, height, 255, 255, 255);
        DrawLines(sheet, headingLines, Gap, Gap);
        for (var i = 0; i < cells.Count; i++)
        {
            int left = Gap + i % columns * (side + Gap), above = top + heights.Take(i / columns).Sum();
            var fitted = Fit(cells[i].Picture, side);
            sheet.Paste(fitted, left + (side - fitted.Width) / 2, above + (side - fitted.Height) / 2);
            DrawLines(sheet, titles[i], left, above + side + 4);
        }
        return sheet;
    }

    private static int LinesHeight(int lines) => lines == 0 ? 0 : lines * BitmapFont.LineHeight + 4;

    private static void DrawLines(Picture sheet, IReadOnlyList<string> lines, int left, int top)
    {
        for (var line = 0; line < lines.Count; line++) BitmapFont.Draw(sheet, lines[line], left, top + line * BitmapFont.LineHeight);
    }

    private static Picture Fit(Picture picture, int side)
    {
        var longest = Math.Max(picture.Width, picture.Height);
        if (longest <= side) return Enlarge(picture, side / longest);
        var (width, height) = (Math.Max(1, picture.Width * side / longest), Math.Max(1, picture.Height * side / longest));
        return PictureResampler.Resize(picture, width, height, Resampling.Lanczos);
    }

    private static Picture Enlarge(Picture picture, int factor)
    {
        if (factor == 1) return picture;
        var large = Picture.Filled(picture.Width * factor, picture.Height * factor, 0, 0, 0);
        for (var y = 0; y < large.Height; y++)
            for (var x = 0; x < large.Width; x++)
                picture.Pixels.AsSpan((y / factor * picture.Width + x / factor) * 3, 3).CopyTo(large.Pixels.AsSpan((y * large.Width + x) * 3));
        return large;
    }
}
