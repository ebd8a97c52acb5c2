using System.Numerics;

namespace LoraFactory.Images.Scenes;

/// <summary>
/// Draws shapes as a style wants them: filled in a colour of the style, with an outline, or as lines alone.
/// Shapes are given about an origin in units of the object's radius, y downwards.
/// </summary>
internal sealed class ScenePen
{
    private readonly SceneCanvas _canvas;
    private readonly Func<Rgb, Rgb> _recolour;
    private readonly (Rgb Colour, float Width)? _outline;
    private readonly bool _fills;
    private readonly Rgb? _lineColour;
    private Vector2 _origin;
    private float _unit = 1;

    /// <summary>Line colour, when given, replaces that of free lines and rings: on a two-tone print they would vanish in the paper.</summary>
    private ScenePen(SceneCanvas canvas, Func<Rgb, Rgb>? recolour = null, (Rgb, float)? outline = null, bool fills = true, Rgb? lineColour = null)
    {
        _canvas = canvas;
        _recolour = recolour ?? (c => c);
        _outline = outline;
        _fills = fills;
        _lineColour = lineColour;
    }

    public static readonly Rgb BlueprintPaper = new(28, 72, 150);
    public static readonly Rgb BlueprintGrid = new(52, 98, 176);
    public static readonly Rgb ChalkBoard = new(36, 48, 42);
    public static readonly Rgb SketchPaper = new(244, 242, 236);
    public static readonly Rgb WoodcutPaper = new(232, 214, 178);
    public static readonly Rgb WoodcutRed = new(150, 52, 36);
    public static readonly Rgb WoodcutInk = new(24, 16, 12);

    public static ScenePen For(SceneStyle style, SceneCanvas canvas) => style switch
    {
        SceneStyle.OutlinedCartoon => new(canvas, outline: (new(22, 22, 26), 5)),
        SceneStyle.PastelDrawing => new(canvas, c => c.Light(0.55f)),
        SceneStyle.Blueprint => new(canvas, outline: (new(232, 240, 252), 5), fills: false),
        SceneStyle.InkWashPainting => new(canvas, c => Ink(10 + 245 * MathF.Pow(c.Luma / 255, 1.6f))),
        SceneStyle.WoodcutPrint => new(canvas, c => c.Luma > 120 ? WoodcutPaper : WoodcutRed, (WoodcutInk, 9), lineColour: WoodcutInk),
        SceneStyle.ChalkDrawing => new(canvas, outline: (new(236, 236, 224), 5), fills: false),
        SceneStyle.PencilSketch => new(canvas, outline: (new(72, 70, 76), 5), fills: false),
        _ => new(canvas),
    };

    /// <summary>A tone of ink, a little cool, so that on warm paper it comes out grey.</summary>
    private static Rgb Ink(float tone) => new((byte)(tone * .93f), (byte)(tone * .95f), (byte)tone);

    /// <summary>Moves the origin and sets the length of a unit in samples.</summary>
    public ScenePen At(float x, float y, float unit = 1)
    {
        _origin = new(x, y);
        _unit = unit;
        return this;
    }

    /// <summary>Fills everything below a height in samples, with the horizon drawn when the style has outlines.</summary>
    public void Ground(int top, Rgb colour)
    {
        if (_fills) _canvas.FillBelow(top, _recolour(colour));
        if (_outline is { } o && top > 0) _canvas.Stroke([new(0, top), new(SceneCanvas.Side, top)], o.Width, o.Colour);
    }

    public void Polygon(Rgb colour, params ReadOnlySpan<(float X, float Y)> corners)
    {
        Span<Vector2> points = stackalloc Vector2[corners.Length];
        Place(corners, points);
        if (_fills) _canvas.Polygon(points, _recolour(colour));
        if (_outline is { } o) _canvas.Stroke(points, o.Width, o.Colour, closed: true);
    }

    public void Oval(Rgb colour, float x, float y, float rx, float ry)
    {
        var centre = _origin + new Vector2(x, y) * _unit;
        if (_fills) _canvas.Ellipse(centre, rx * _unit, ry * _unit, _recolour(colour));
        if (_outline is { } o) _canvas.EllipseBand(centre, rx * _unit, ry * _unit, o.Width, o.Colour);
    }

    /// <summary>The upper half of an oval.</summary>
    public void Dome(Rgb colour, float x, float y, float rx, float ry)
    {
        var centre = _origin + new Vector2(x, y) * _unit;
        if (_fills) _canvas.Ellipse(centre, rx * _unit, ry * _unit, _recolour(colour), upperHalf: true);
        if (_outline is not { } o) return;
        _canvas.EllipseBand(centre, rx * _unit, ry * _unit, o.Width, o.Colour, upperHalf: true);
        var half = new Vector2(rx * _unit, 0);
        _canvas.Stroke([centre - half, centre + half], o.Width, o.Colour);
    }

    /// <summary>A circle's band of the given width, inwards of its radius.</summary>
    public void Ring(Rgb colour, float x, float y, float radius, float width)
    {
        var (ink, samples) = Line(colour, width);
        _canvas.EllipseBand(_origin + new Vector2(x, y) * _unit, radius * _unit, radius * _unit, samples, ink);
    }

    public void Line(Rgb colour, float width, params ReadOnlySpan<(float X, float Y)> points)
    {
        Span<Vector2> placed = stackalloc Vector2[points.Length];
        Place(points, placed);
        var (ink, samples) = Line(colour, width);
        _canvas.Stroke(placed, samples, ink);
    }

    private (Rgb Ink, float Width) Line(Rgb colour, float width) =>
        _fills ? (_lineColour ?? _recolour(colour), MathF.Max(2, width * _unit)) : (_outline!.Value.Colour, _outline.Value.Width);

    private void Place(ReadOnlySpan<(float X, float Y)> from, Span<Vector2> to)
    {
        for (var i = 0; i < from.Length; i++) to[i] = _origin + new Vector2(from[i].X, from[i].Y) * _unit;
    }
}
