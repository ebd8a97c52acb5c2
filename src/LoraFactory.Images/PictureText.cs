using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace LoraFactory.Images;

/// <summary>
/// How much of a picture is lettering: pixels that stand out from their surroundings are joined to components, components of a letter's
/// proportions and stroke are joined to rows, and a row of five or more that keep a line, alike in height and unlike in shape, counts as text
/// (after Epshtein et al. 2010 and Neumann and Matas 2012, on plain luma). Found: upright lettering of 6 pixels' height or more on any quiet ground,
/// dark or light, one row or a page of it, half transparent while it differs by a tenth of the range. Missed: lettering that is turned by more than a few degrees, joined
/// handwriting, fewer than five letters, letters taller than a seventh of the picture or over texture of their own size. Rows of unlike small things (leaves on a wire) may be taken for it.
/// </summary>
public static class PictureText
{
    // Grey levels by which ink differs from the mean around it.
    private const int Contrast = 20;
    private const int FewestLetters = 5, FewestBeside = 3;

    /// <summary>Share of the area, 0..1, that rows of letters cover. <paramref name="luma"/> is [height, width]; best at 256 to 1024 pixels a side.</summary>
    public static double Share(ReadOnlySpan<byte> luma, int width, int height)
    {
        if (width < 16 || height < 16) return 0;
        var means = LocalMeans(luma, width, height, Math.Max(8, Math.Max(width, height) / 24));
        var covered = new bool[luma.Length];
        var ink = new bool[luma.Length];
        foreach (var isDark in (ReadOnlySpan<bool>)[true, false])
        {
            Mark(luma, means, isDark, ink);
            var letters = InkComponents.Of(ink, luma, width, height).FindAll(c => IsLetter(c, width, height));
            var sets = Sets(letters);
            var rows = sets.ConvertAll(set => TextOf(set, height, FewestLetters));
            var sure = rows.FindAll(row => row.Count > 0).ConvertAll(row => Median(row, c => c.Height));
            for (var i = 0; i < sets.Count; i++)
            {
                // Beside sure rows, shorter ones of the same height: broken lines of a page, single words.
                if (rows[i].Count == 0 && sure.Count > 1) rows[i] = TextOf(sets[i], height, FewestBeside) is { Count: > 0 } brief && sure.Exists(h => Math.Abs(Median(brief, c => c.Height) - h) <= 0.25 * h) ? brief : [];
                if (rows[i].Count > 0) Cover(covered, width, height, rows[i]);
            }
        }
        return (double)covered.AsSpan().Count(true) / covered.Length;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Mark(ReadOnlySpan<byte> luma, byte[] means, bool isDark, bool[] ink)
    {
        var marks = MemoryMarshal.AsBytes(ink.AsSpan());
        var (contrast, one) = (Vector128.Create((byte)Contrast), Vector128<byte>.One);
        var i = 0;
        for (; i + 16 <= luma.Length; i += 16)
        {
            var (here, mean) = (Vector128.Create(luma[i..]), Vector128.Create(means, i));
            var far = isDark ? Vector128.GreaterThan(mean, here) & Vector128.GreaterThan(mean - here, contrast) : Vector128.GreaterThan(here, mean) & Vector128.GreaterThan(here - mean, contrast);
            (far & one).CopyTo(marks[i..]);
        }
        for (; i < ink.Length; i++) ink[i] = isDark ? luma[i] + Contrast < means[i] : luma[i] > means[i] + Contrast;
    }

    private static bool IsLetter(InkComponent c, int width, int height)
    {
        if (c.Height < 5 || c.Height > Math.Max(12, height * 0.15) || c.Width > c.Height * 4 || c.Left == 0 || c.Top == 0 || c.Right == width || c.Bottom == height) return false;
        // Strokes are thin for the letter's height, except those that are all the letter: l, I, 1.
        return c.Fill >= 0.12 && (c.Stroke <= c.Height * 0.55 || c.Width <= c.Height * 0.45);
    }

    // Letters linked each to the nearest on its right, in sets from left to right.
    private static List<List<InkComponent>> Sets(List<InkComponent> letters)
    {
        letters.Sort((a, b) => a.Left.CompareTo(b.Left) is var order and not 0 ? order : a.Top.CompareTo(b.Top));
        var lookup = new LetterGrid(letters);
        var sets = new int[letters.Count];
        for (var i = 0; i < sets.Length; i++) sets[i] = i;
        for (var i = 0; i < letters.Count; i++)
        {
            var (best, gap) = (-1, double.MaxValue);
            foreach (var j in lookup.RightOf(letters[i]))
            {
                if (j == i || !Follows(letters[i], letters[j], out var distance) || distance >= gap) continue;
                (best, gap) = (j, distance);
            }
            if (best >= 0) sets[Root(sets, best)] = Root(sets, i);
        }
        return [.. letters.Select((letter, i) => (letter, Set: Root(sets, i))).GroupBy(pair => pair.Set, pair => pair.letter).Select(set => set.ToList()).Where(set => set.Count >= FewestBeside)];
    }

    private static int Root(int[] sets, int i)
    {
        while (sets[i] != i) i = sets[i] = sets[sets[i]];
        return i;
    }

    private static bool Follows(InkComponent a, InkComponent b, out double gap)
    {
        int tall = Math.Max(a.Height, b.Height), low = Math.Min(a.Height, b.Height);
        gap = b.Left - a.Right;
        if (b.Left <= a.Left || gap < -0.2 * tall || gap > 1.2 * tall || tall > 2.1 * low) return false;
        if (Math.Min(a.Bottom, b.Bottom) - Math.Max(a.Top, b.Top) < 0.5 * low) return false;
        if (Math.Min(Math.Abs(a.Bottom - b.Bottom), Math.Abs(a.Top - b.Top)) > Math.Max(1, 0.2 * tall)) return false;
        return Math.Abs(a.Level - b.Level) <= 48 && Math.Max(a.Stroke, b.Stroke) <= 3 * Math.Min(a.Stroke, b.Stroke);
    }

    // Those of the set that keep its line, if they are text; else none.
    private static List<InkComponent> TextOf(List<InkComponent> set, int height, int fewest)
    {
        if (set.Count < fewest) return [];
        var (tall, bottom, top) = (Median(set, c => c.Height), Median(set, c => c.Bottom), Median(set, c => c.Top));
        var row = set.FindAll(c => c.Height < 1.8 * tall && Math.Min(Math.Abs(c.Bottom - bottom), Math.Abs(c.Top - top)) <= Math.Max(1, 0.25 * tall));
        if (row.Count < fewest || row.Count < 0.7 * set.Count) return [];
        var slack = Math.Max(1, 0.12 * tall);
        double bottoms = row.Count(c => Math.Abs(c.Bottom - bottom) <= slack), tops = row.Count(c => Math.Abs(c.Top - top) <= slack);
        if (Math.Max(bottoms, tops) < (row.Count < 2 * FewestLetters ? 0.75 : 0.65) * row.Count || bottoms + tops < 1.2 * row.Count) return [];
        // One pen, one ink: strokes of a fifth to a half of the height, of like width and grey.
        var stroke = Median(row, c => c.Stroke) / tall;
        if (stroke is < 0.14 or > 0.55 || Spread(row, c => c.Stroke) > 0.4 || Spread(row, c => c.Level) * row.Average(c => c.Level) > 22) return [];
        if (Spread(row, c => c.Height) > 0.3 || Median([.. row.Zip(row.Skip(1), (a, b) => (double)(b.Left - a.Right))]) > 0.6 * tall) return [];
        // Bars, bricks and dots fill their boxes, letters mostly do not; a pattern repeats one shape, words do not. Large things in a row are less often letters.
        var unlike = 0.2 + 3 * Math.Max(0, tall / height - 0.08);
        return row.Count(c => c.Fill < 0.85) >= 0.4 * row.Count && Spread(row, c => c.Area) + Spread(row, c => c.Width) > unlike ? row : [];
    }

    private static double Median(List<double> values)
    {
        values.Sort();
        return values[values.Count / 2];
    }

    private static double Median(List<InkComponent> row, Func<InkComponent, double> value) => Median([.. row.Select(value)]);

    private static double Spread(List<InkComponent> row, Func<InkComponent, double> value)
    {
        var mean = row.Average(value);
        return Math.Sqrt(row.Average(c => (value(c) - mean) * (value(c) - mean))) / mean;
    }

    private static void Cover(bool[] covered, int width, int height, List<InkComponent> row)
    {
        var around = (int)Math.Round(0.25 * Median(row, c => c.Height));
        int left = Math.Max(0, row.Min(c => c.Left) - around), right = Math.Min(width, row.Max(c => c.Right) + around);
        int top = Math.Max(0, row.Min(c => c.Top) - around), bottom = Math.Min(height, row.Max(c => c.Bottom) + around);
        for (var y = top; y < bottom; y++) covered.AsSpan(y * width + left, right - left).Fill(true);
    }

    // Mean of the square of 2·radius + 1 pixels around each, cut at the edges, by running sums.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static byte[] LocalMeans(ReadOnlySpan<byte> luma, int width, int height, int radius)
    {
        var means = GC.AllocateUninitializedArray<byte>(luma.Length);
        var columns = new int[width];
        var shares = new float[width];
        // What lies left of a column, from `radius` columns before the picture to as many behind it: a window's sum is the difference of two.
        var left = new int[width + 2 * radius + 1];
        var before = 0;
        for (var y = 0; y < Math.Min(radius, height); y++) Move(columns, luma.Slice(y * width, width), []);
        for (var y = 0; y < height; y++)
        {
            Move(columns, y + radius < height ? luma.Slice((y + radius) * width, width) : [], y - radius > 0 ? luma.Slice((y - radius - 1) * width, width) : []);
            var rows = Math.Min(height - 1, y + radius) - Math.Max(0, y - radius) + 1;
            for (var x = 0; x < width && rows != before; x++) shares[x] = 1f / (rows * (Math.Min(width - 1, x + radius) - Math.Max(0, x - radius) + 1));
            before = rows;
            var sum = 0;
            var running = left.AsSpan(radius + 1, width);
            for (var x = 0; x < running.Length; x++) running[x] = sum += columns[x];
            left.AsSpan(radius + 1 + width).Fill(sum);
            Divide(left, 2 * radius + 1, shares, means.AsSpan(y * width, width));
        }
        return means;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Divide(int[] left, int window, float[] shares, Span<byte> to)
    {
        var x = 0;
        for (; x + 8 <= to.Length; x += 8)
        {
            var sums = Vector256.Create<int>(left.AsSpan(x + window)) - Vector256.Create<int>(left.AsSpan(x));
            var whole = Vector256.ConvertToInt32(Vector256.ConvertToSingle(sums) * Vector256.Create<float>(shares.AsSpan(x)));
            var words = Vector128.Narrow(whole.GetLower(), whole.GetUpper()).AsUInt16();
            Unsafe.WriteUnaligned(ref to[x], Vector128.Narrow(words, words).AsUInt64().ToScalar());
        }
        for (; x < to.Length; x++) to[x] = (byte)((left[x + window] - left[x]) * shares[x]);
    }

    // One row more and one row less in the columns' sums; either may be none.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Move(int[] columns, ReadOnlySpan<byte> more, ReadOnlySpan<byte> less)
    {
        var x = 0;
        for (; x + 8 <= columns.Length; x += 8)
        {
            var sums = Vector256.LoadUnsafe(ref columns[x]);
            if (!more.IsEmpty) sums += Eight(more, x);
            if (!less.IsEmpty) sums -= Eight(less, x);
            sums.StoreUnsafe(ref columns[x]);
        }
        for (; x < columns.Length; x++) columns[x] += (more.IsEmpty ? 0 : more[x]) - (less.IsEmpty ? 0 : less[x]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Eight(ReadOnlySpan<byte> row, int x)
    {
        var eight = Vector128.WidenLower(Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<ulong>(in row[x..(x + 8)][0])).AsByte());
        return Vector256.Create(Vector128.WidenLower(eight).AsInt32(), Vector128.WidenUpper(eight).AsInt32());
    }

    /// <summary>Letters by the squares of 32 pixels that their left edges and middles lie in.</summary>
    private sealed class LetterGrid
    {
        private const int Cell = 32;
        private readonly Dictionary<(int X, int Y), List<int>> _cells = [];
        private readonly List<InkComponent> _letters;

        public LetterGrid(List<InkComponent> letters)
        {
            _letters = letters;
            for (var i = 0; i < letters.Count; i++)
            {
                ref var list = ref CollectionsMarshal.GetValueRefOrAddDefault(_cells, (letters[i].Left / Cell, (letters[i].Top + letters[i].Bottom) / 2 / Cell), out _);
                (list ??= []).Add(i);
            }
        }

        /// <summary>Letters that begin where the next letter of a row may.</summary>
        public IEnumerable<int> RightOf(InkComponent a)
        {
            // A neighbour is at most 2.1 times as tall.
            int reach = (int)(a.Height * 2.1 * 1.2) + 1, from = Math.Max(0, a.Right - reach / 4) / Cell, to = (a.Right + reach) / Cell;
            int above = Math.Max(0, a.Top - a.Height) / Cell, below = (a.Bottom + a.Height) / Cell;
            for (var x = from; x <= to; x++)
            {
                for (var y = above; y <= below; y++)
                {
                    if (!_cells.TryGetValue((x, y), out var list)) continue;
                    foreach (var i in list)
                        if (_letters[i].Left > a.Left) yield return i;
                }
            }
        }
    }
}
