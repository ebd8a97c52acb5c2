using LoraFactory.Flow;
using LoraFactory.Images;

namespace LoraFactory.Stages.Label.Augmentation;

/// <summary>variants.png: some originals, each in a row with what was made of it, to be looked at.</summary>
internal static class VariantSheet
{
    private const int Rows = 12, Columns = 8, Side = 160;

    /// <summary>The sheet as PNG. Sources are drawn by their ids, so that the same set gives the same sheet.</summary>
    public static byte[] Png(IReadOnlyList<Sample> samples, RunPictures pictures)
    {
        var variants = samples.Where(s => s.Variant is not null).ToLookup(s => s.Variant!.Source, StringComparer.Ordinal);
        var shown = samples.Where(s => variants.Contains(s.Id)).OrderBy(s => ContentId.Of("sheet", s.Id), StringComparer.Ordinal).Take(Rows).ToList();
        var columns = Math.Min(Columns, 1 + shown.Max(s => variants[s.Id].Count()));
        var blank = Picture.Filled(1, 1, 255, 255, 255);
        var cells = shown.SelectMany(source => variants[source.Id].Take(columns - 1).Select(v => new GridCell(pictures.Read(v), Title(v)))
            .Prepend(new(pictures.Read(source), $"{source.Caption}")).Concat(Enumerable.Repeat(new GridCell(blank), columns)).Take(columns)).ToList();
        return PictureWriter.Png(PictureGrid.Compose(cells, columns, Side, "left: as it was found; right of it: what was made of it"));
    }

    private static string Title(Sample variant) => variant.Variant!.File is null ? $"{variant.Variant.Operation}: {variant.Caption}"
        : $"{variant.Variant.Operation} {string.Join(' ', variant.Variant.Parameters.Select(p => $"{p.Key} {p.Value}"))}";
}
