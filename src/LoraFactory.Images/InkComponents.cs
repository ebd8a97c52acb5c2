using System.Runtime.InteropServices;

namespace LoraFactory.Images;

/// <summary>Pixels that hang together, each with one of its eight neighbours.</summary>
/// <param name="Left">First column.</param>
/// <param name="Top">First row.</param>
/// <param name="Right">Column after the last.</param>
/// <param name="Bottom">Row after the last.</param>
/// <param name="Area">Pixels.</param>
/// <param name="Runs">Stretches of its rows.</param>
/// <param name="Level">Mean luma, 0..255.</param>
internal readonly record struct InkComponent(int Left, int Top, int Right, int Bottom, int Area, int Runs, double Level)
{
    public int Width => Right - Left;

    public int Height => Bottom - Top;

    /// <summary>Share of its box that it fills.</summary>
    public double Fill => (double)Area / (Width * Height);

    /// <summary>Mean length of a stretch: about the width of an upright stroke.</summary>
    public double Stroke => (double)Area / Runs;
}

/// <summary>Joins marked pixels to components, over stretches of rows (He et al. 2008).</summary>
internal static class InkComponents
{
    private struct Run
    {
        public int Row, From, To, Parent;
        public long Light;
    }

    /// <summary>All components of <paramref name="ink"/> [height, width], in the order of their first pixels.</summary>
    public static List<InkComponent> Of(ReadOnlySpan<bool> ink, ReadOnlySpan<byte> luma, int width, int height)
    {
        var list = new List<Run>(1024);
        int aboveFrom = 0, aboveTo = 0;
        for (var y = 0; y < height; y++)
        {
            var first = list.Count;
            var row = ink.Slice(y * width, width);
            for (var x = 0; x < width;)
            {
                var skip = row[x..].IndexOf(true);
                if (skip < 0) break;
                var from = x + skip;
                var length = row[from..].IndexOf(false);
                var to = length < 0 ? width : from + length;
                long light = 0;
                for (var i = from; i < to; i++) light += luma[y * width + i];
                list.Add(new() { Row = y, From = from, To = to, Parent = list.Count, Light = light });
                x = to;
            }
            Join(CollectionsMarshal.AsSpan(list), aboveFrom, aboveTo, first);
            (aboveFrom, aboveTo) = (first, list.Count);
        }
        return Gather(CollectionsMarshal.AsSpan(list));
    }

    // Runs of the last row with those of the row above that they touch, corners included.
    private static void Join(Span<Run> runs, int above, int aboveTo, int first)
    {
        for (var here = first; here < runs.Length; here++)
        {
            while (above < aboveTo && runs[above].To < runs[here].From) above++;
            for (var other = above; other < aboveTo && runs[other].From <= runs[here].To; other++)
            {
                int a = Root(runs, here), b = Root(runs, other);
                if (a != b) runs[Math.Max(a, b)].Parent = Math.Min(a, b);
            }
        }
    }

    private static int Root(Span<Run> runs, int i)
    {
        while (runs[i].Parent != i) i = runs[i].Parent = runs[runs[i].Parent].Parent;
        return i;
    }

    private static List<InkComponent> Gather(Span<Run> runs)
    {
        var places = new int[runs.Length];
        var light = new List<long>();
        var components = new List<InkComponent>();
        for (var i = 0; i < runs.Length; i++)
        {
            ref var run = ref runs[i];
            var root = Root(runs, i);
            if (root == i)
            {
                places[i] = components.Count;
                components.Add(new(run.From, run.Row, run.To, run.Row + 1, run.To - run.From, 1, 0));
                light.Add(run.Light);
                continue;
            }
            var at = places[root];
            ref var whole = ref CollectionsMarshal.AsSpan(components)[at];
            whole = whole with
            {
                Left = Math.Min(whole.Left, run.From),
                Right = Math.Max(whole.Right, run.To),
                Bottom = run.Row + 1,
                Area = whole.Area + run.To - run.From,
                Runs = whole.Runs + 1,
            };
            light[at] += run.Light;
        }
        for (var i = 0; i < components.Count; i++) components[i] = components[i] with { Level = (double)light[i] / components[i].Area };
        return components;
    }
}
