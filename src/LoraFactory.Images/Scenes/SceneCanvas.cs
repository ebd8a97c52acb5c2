using System.Numerics;

namespace LoraFactory.Images.Scenes;

/// <summary>A colour of 8 bits a channel.</summary>
internal readonly record struct Rgb(byte R, byte G, byte B)
{
    public uint Packed => (uint)(R | G << 8 | B << 16);

    public Rgb Dark(float keep = 0.72f) => new((byte)(R * keep), (byte)(G * keep), (byte)(B * keep));

    public Rgb Light(float towardsWhite = 0.45f)
    {
        byte Lift(byte v) => (byte)(v + (255 - v) * towardsWhite);
        return new(Lift(R), Lift(G), Lift(B));
    }

    /// <summary>Luma (ITU-R BT.601), 0..255.</summary>
    public float Luma => 0.299f * R + 0.587f * G + 0.114f * B;
}

/// <summary>
/// Rasterises filled shapes onto 256×256 samples, four times the picture's side, in painter's order; a sample belongs to a shape
/// when its centre lies inside. Averaging 4×4 samples afterwards gives the anti-aliasing.
/// </summary>
internal sealed class SceneCanvas
{
    public const int Side = 256;
    private const int MaxCrossings = 32;
    private readonly uint[] _samples = new uint[Side * Side];

    /// <summary>Row-major samples, red in the lowest byte.</summary>
    public Span<uint> Samples => _samples;

    /// <summary>Fills rows from <paramref name="top"/> to the bottom edge.</summary>
    public void FillBelow(int top, Rgb colour) => _samples.AsSpan(Math.Clamp(top, 0, Side) * Side).Fill(colour.Packed);

    /// <summary>Fills the samples of one row whose centres lie in [<paramref name="left"/>, <paramref name="right"/>).</summary>
    private void Span(int row, float left, float right, uint colour)
    {
        var from = Math.Max(0, (int)MathF.Ceiling(left - 0.5f));
        var to = Math.Min(Side, (int)MathF.Ceiling(right - 0.5f));
        if (from < to) _samples.AsSpan(row * Side + from, to - from).Fill(colour);
    }

    private static (int Top, int Bottom) Rows(float top, float bottom) =>
        (Math.Max(0, (int)MathF.Ceiling(top - 0.5f)), Math.Min(Side, (int)MathF.Ceiling(bottom - 0.5f)));

    /// <summary>Fills a polygon, even–odd.</summary>
    public void Polygon(ReadOnlySpan<Vector2> corners, Rgb colour)
    {
        float top = float.MaxValue, bottom = float.MinValue;
        foreach (var c in corners)
        {
            top = MathF.Min(top, c.Y);
            bottom = MathF.Max(bottom, c.Y);
        }
        var (first, last) = Rows(top, bottom);
        Span<float> crossings = stackalloc float[MaxCrossings];
        for (var row = first; row < last; row++)
        {
            var y = row + 0.5f;
            var n = 0;
            for (var i = 0; i < corners.Length && n < MaxCrossings; i++)
            {
                var a = corners[i];
                var b = corners[(i + 1) % corners.Length];
                if (a.Y <= y == b.Y <= y) continue;
                crossings[n++] = a.X + (y - a.Y) / (b.Y - a.Y) * (b.X - a.X);
            }
            crossings[..n].Sort();
            for (var i = 0; i + 1 < n; i += 2) Span(row, crossings[i], crossings[i + 1], colour.Packed);
        }
    }

    /// <summary>Fills an ellipse, or its upper half.</summary>
    public void Ellipse(Vector2 centre, float rx, float ry, Rgb colour, bool upperHalf = false)
    {
        var (first, last) = Rows(centre.Y - ry, upperHalf ? centre.Y : centre.Y + ry);
        for (var row = first; row < last; row++)
        {
            var half = HalfWidth(row + 0.5f - centre.Y, rx, ry);
            Span(row, centre.X - half, centre.X + half, colour.Packed);
        }
    }

    /// <summary>Fills the band of an ellipse that lies <paramref name="width"/> inwards of its edge, or the band's upper half.</summary>
    public void EllipseBand(Vector2 centre, float rx, float ry, float width, Rgb colour, bool upperHalf = false)
    {
        var (first, last) = Rows(centre.Y - ry, upperHalf ? centre.Y : centre.Y + ry);
        for (var row = first; row < last; row++)
        {
            var dy = row + 0.5f - centre.Y;
            var outer = HalfWidth(dy, rx, ry);
            var inner = rx > width && ry > width ? HalfWidth(dy, rx - width, ry - width) : 0;
            Span(row, centre.X - outer, centre.X - inner, colour.Packed);
            Span(row, centre.X + inner, centre.X + outer, colour.Packed);
        }
    }

    private static float HalfWidth(float dy, float rx, float ry)
    {
        var t = 1 - dy * dy / (ry * ry);
        return t > 0 ? rx * MathF.Sqrt(t) : 0;
    }

    /// <summary>Draws a line of the given width through the points, round where two segments meet.</summary>
    public void Stroke(ReadOnlySpan<Vector2> points, float width, Rgb colour, bool closed = false)
    {
        Span<Vector2> quad = stackalloc Vector2[4];
        var segments = closed ? points.Length : points.Length - 1;
        for (var i = 0; i < segments; i++)
        {
            var a = points[i];
            var b = points[(i + 1) % points.Length];
            if (a == b) continue;
            var along = Vector2.Normalize(b - a);
            var across = new Vector2(-along.Y, along.X) * (width / 2);
            quad[0] = a + across;
            quad[1] = b + across;
            quad[2] = b - across;
            quad[3] = a - across;
            Polygon(quad, colour);
            if (closed || i > 0) Ellipse(a, width / 2, width / 2, colour);
        }
    }
}
