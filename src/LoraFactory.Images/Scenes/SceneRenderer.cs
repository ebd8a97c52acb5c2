using System.Numerics.Tensors;
using System.Runtime.Intrinsics;

namespace LoraFactory.Images.Scenes;

/// <summary>Lays out a scene on the canvas in its style and averages it down to the picture.</summary>
internal sealed class SceneRenderer
{
    private const int S = SceneCanvas.Side;
    private const int Side = SceneGenerator.Side;
    private const int Ratio = S / Side;

    private static readonly Rgb[] Colours =
    [
        new(214, 48, 49), new(41, 98, 214), new(46, 160, 67), new(246, 201, 38), new(240, 132, 32),
        new(136, 72, 190), new(240, 128, 168), new(245, 245, 245), new(134, 86, 48), new(128, 132, 138),
    ];

    private static readonly (Rgb Sky, Rgb Ground)[] Places =
    [
        (new(170, 215, 240), new(120, 190, 96)), (new(190, 225, 245), new(52, 132, 190)), (new(250, 225, 170), new(228, 184, 110)),
        (new(176, 200, 226), new(238, 244, 250)), (new(22, 26, 66), new(40, 52, 74)), (new(250, 160, 96), new(120, 80, 110)),
        (new(236, 232, 224), new(236, 232, 224)),
    ];

    private static readonly Rgb StarLight = new(250, 246, 200), Moon = new(248, 240, 190), LowSun = new(252, 222, 110), Sun = new(252, 214, 70),
        Wave = new(214, 236, 248), Flake = new(252, 252, 255);

    private static readonly float[] PastelKernel = Kernel(2.2f);
    private static readonly float[] InkKernel = Kernel(3f);

    // Brightness of the paper under a tone of 0..255, in quarters.
    private static readonly float[] InkTone = [.. Enumerable.Range(0, 1021).Select(i => .08f + .92f * MathF.Pow(i / 1020f, 1.15f))];

    private readonly SceneCanvas _canvas = new();
    private readonly float[] _plane = new float[S * 3];
    private readonly float[] _rows = new float[Side * S * 3];

    /// <summary>RGB bytes, row-major: Side × Side × 3.</summary>
    public byte[] Render(SceneFacts facts, ref SceneRandom random)
    {
        var pen = ScenePen.For(facts.Style, _canvas);
        switch (facts.Style)
        {
            case SceneStyle.Blueprint:
                BlueprintPaper();
                break;
            case SceneStyle.ChalkDrawing:
                _canvas.FillBelow(0, ScenePen.ChalkBoard);
                break;
            case SceneStyle.PencilSketch:
                _canvas.FillBelow(0, ScenePen.SketchPaper);
                break;
        }
        Backdrop(facts.Place, pen, ref random);
        Things(facts, pen, ref random);
        switch (facts.Style)
        {
            case SceneStyle.PastelDrawing:
                return Bytes(Average(PastelKernel));
            case SceneStyle.InkWashPainting:
                return Bytes(Ink(Average(InkKernel), ref random));
            case SceneStyle.WoodcutPrint:
                CutLines();
                break;
        }
        return Average();
    }

    private static void Things(SceneFacts facts, ScenePen pen, ref SceneRandom random)
    {
        var radius = (facts.Count switch { 1 => 78, 2 => 50, _ => 38 }) * random.Between(.86, 1.08);
        var middle = facts.Side switch { SceneSide.Left => 80, SceneSide.Right => 176, _ => 128 };
        for (var i = 0; i < facts.Count; i++)
        {
            var x = middle + (i - (facts.Count - 1) / 2f) * 2.25f * radius + random.Between(-8, 8);
            var y = 142 + random.Between(-12, 14);
            // A single object with a side is drawn smaller, so that it stays within the picture.
            pen.At(x, y, facts.Side == SceneSide.Middle ? radius : radius * .82f);
            SceneObjects.Draw(facts.Object, pen, Colours[(int)facts.Colour]);
        }
    }

    private static void Backdrop(ScenePlace place, ScenePen pen, ref SceneRandom random)
    {
        var (sky, ground) = Places[(int)place];
        pen.At(0, 0);
        pen.Ground(0, sky);
        var horizon = (int)random.Between(S * .58, S * .74);
        if (place == ScenePlace.Plain) return;
        pen.Ground(horizon, ground);
        switch (place)
        {
            case ScenePlace.Night:
                for (var i = 0; i < 8; i++) pen.Oval(StarLight, random.Between(0, S), random.Between(0, horizon - 20), 3, 3);
                pen.Oval(Moon, random.Between(30, S - 30), random.Between(22, 50), 17, 17);
                break;
            case ScenePlace.Sunset:
                pen.Oval(LowSun, random.Between(40, S - 40), horizon - 8, 30, 30);
                break;
            case ScenePlace.Sea:
                for (var i = 0; i < 3; i++)
                {
                    var y = horizon + 16 + 20 * i;
                    pen.Line(Wave, 4, (random.Between(0, S - 60), y), (random.Between(60, S), y));
                }
                break;
            case ScenePlace.Snow:
                for (var i = 0; i < 14; i++) pen.Oval(Flake, random.Between(0, S), random.Between(0, S), 3, 3);
                break;
            default:
                pen.Oval(Sun, random.Between(25, S - 25), random.Between(24, 46), 18, 18);
                break;
        }
    }

    private void BlueprintPaper()
    {
        _canvas.FillBelow(0, ScenePen.BlueprintPaper);
        for (var k = 0; k < S; k += 32)
        {
            _canvas.Stroke([new(k, 0), new(k, S)], 2, ScenePen.BlueprintGrid);
            _canvas.Stroke([new(0, k), new(S, k)], 2, ScenePen.BlueprintGrid);
        }
    }

    /// <summary>Cuts lines of paper out of the red areas: 4 rows in every 14.</summary>
    private void CutLines()
    {
        var red = ScenePen.WoodcutRed.Packed;
        var paper = ScenePen.WoodcutPaper.Packed;
        for (var row = 0; row < S; row++)
        {
            if (row % 14 < 4) _canvas.Samples.Slice(row * S, S).Replace(red, paper);
        }
    }

    /// <summary>Box average of Ratio × Ratio samples.</summary>
    private byte[] Average()
    {
        var pixels = new byte[Side * Side * 3];
        var samples = _canvas.Samples;
        for (var y = 0; y < Side; y++)
        {
            for (var x = 0; x < Side; x++)
            {
                // Two sums at once: red and blue lie 16 bits apart and sixteen 8-bit values need 12 bits.
                uint redBlue = 0, green = 0;
                for (var dy = 0; dy < Ratio; dy++)
                {
                    var row = samples.Slice((y * Ratio + dy) * S + x * Ratio, Ratio);
                    foreach (var sample in row)
                    {
                        redBlue += sample & 0xFF00FF;
                        green += (sample >> 8) & 0xFF;
                    }
                }
                const int Half = Ratio * Ratio / 2;
                var at = (y * Side + x) * 3;
                pixels[at] = (byte)(((redBlue & 0xFFFF) + Half) / (Ratio * Ratio));
                pixels[at + 1] = (byte)((green + Half) / (Ratio * Ratio));
                pixels[at + 2] = (byte)(((redBlue >> 16) + Half) / (Ratio * Ratio));
            }
        }
        return pixels;
    }

    /// <summary>A Gaussian of σ samples convolved with the box of the averaging: one pass blurs and averages.</summary>
    private static float[] Kernel(float sigma)
    {
        var reach = (int)MathF.Ceiling(3 * sigma);
        var kernel = new float[2 * reach + Ratio];
        for (var box = 0; box < Ratio; box++)
        {
            for (var i = -reach; i <= reach; i++) kernel[box + i + reach] += MathF.Exp(-i * i / (2 * sigma * sigma));
        }
        TensorPrimitives.Divide(kernel, TensorPrimitives.Sum<float>(kernel), kernel);
        return kernel;
    }

    /// <summary>Blurred average, 0..255, Side × Side × 3; the edge is continued outwards.</summary>
    private float[] Average(float[] kernel)
    {
        const int Row = S * 3;
        var reach = (kernel.Length - Ratio) / 2;
        Array.Clear(_rows);
        for (var v = -reach; v < S + reach; v++)
        {
            // Rows beyond the edge repeat the last one, so that it stays unpacked.
            if (v is >= 0 and < S || v == -reach) Unpack(_canvas.Samples.Slice(Math.Max(v, 0) * S, S), _plane);
            var last = Math.Min(Side - 1, (v + reach) / Ratio);
            for (var y = Math.Max(0, (v + reach - kernel.Length + Ratio) / Ratio); y <= last; y++)
            {
                var k = v + reach - y * Ratio;
                if (k >= kernel.Length) continue;
                var row = _rows.AsSpan(y * Row, Row);
                TensorPrimitives.MultiplyAdd(_plane, kernel[k], row, row);
            }
        }
        return AverageAcross(kernel, reach);
    }

    private float[] AverageAcross(float[] kernel, int reach)
    {
        const int Row = S * 3;
        var result = new float[Side * Side * 3];
        var padded = new float[Row + 6 * reach + 1];
        for (var y = 0; y < Side; y++)
        {
            var row = _rows.AsSpan(y * Row, Row);
            row.CopyTo(padded.AsSpan(3 * reach));
            for (var i = 0; i < reach; i++)
            {
                row[..3].CopyTo(padded.AsSpan(3 * i));
                row[^3..].CopyTo(padded.AsSpan(Row + 3 * (reach + i)));
            }
            for (var x = 0; x < Side; x++)
            {
                // Four lanes from each pixel on: red, green, blue, and one that is thrown away.
                var sum = Vector128<float>.Zero;
                var at = x * Ratio * 3;
                for (var k = 0; k < kernel.Length; k++) sum += kernel[k] * Vector128.LoadUnsafe(ref padded[0], (nuint)(at + 3 * k));
                var to = (y * Side + x) * 3;
                (result[to], result[to + 1], result[to + 2]) = (sum[0], sum[1], sum[2]);
            }
        }
        return result;
    }

    private static void Unpack(ReadOnlySpan<uint> samples, Span<float> plane)
    {
        for (var i = 0; i < samples.Length; i++)
        {
            var sample = samples[i];
            plane[3 * i] = sample & 0xFF;
            plane[3 * i + 1] = (sample >> 8) & 0xFF;
            plane[3 * i + 2] = (sample >> 16) & 0xFF;
        }
    }

    /// <summary>Ink on warm paper: darker tones sink in, and the wash is uneven at the scale of a tenth of the picture.</summary>
    private static float[] Ink(float[] picture, ref SceneRandom random)
    {
        ReadOnlySpan<float> paper = [240, 234, 220];
        var cloud = Cloud(ref random);
        for (var i = 0; i < picture.Length; i++)
        {
            picture[i] = paper[i % 3] * InkTone[(int)(Math.Clamp(picture[i], 0, 255) * 4)] + 5 * cloud[i / 3];
        }
        return picture;
    }

    /// <summary>12×12 normal numbers, interpolated bicubically (Keys 1981, a = −½) to Side × Side.</summary>
    private static float[] Cloud(ref SceneRandom random)
    {
        const int N = 12;
        Span<float> grid = stackalloc float[N * N];
        for (var i = 0; i < grid.Length; i++) grid[i] = random.Normal();
        Span<float> across = stackalloc float[N * Side];
        for (var y = 0; y < N; y++)
        {
            for (var x = 0; x < Side; x++) across[y * Side + x] = Cubic(grid.Slice(y * N, N), 1, (x + .5f) * N / Side - .5f);
        }
        var cloud = new float[Side * Side];
        for (var y = 0; y < Side; y++)
        {
            for (var x = 0; x < Side; x++) cloud[y * Side + x] = Cubic(across[x..], Side, (y + .5f) * N / Side - .5f);
        }
        return cloud;

        static float Cubic(ReadOnlySpan<float> values, int stride, float at)
        {
            var floor = (int)MathF.Floor(at);
            var t = at - floor;
            ReadOnlySpan<float> weights =
            [
                ((-.5f * t + 1) * t - .5f) * t, (1.5f * t - 2.5f) * t * t + 1, ((-1.5f * t + 2) * t + .5f) * t, (.5f * t - .5f) * t * t,
            ];
            float sum = 0;
            for (var k = 0; k < 4; k++) sum += weights[k] * values[Math.Clamp(floor - 1 + k, 0, N - 1) * stride];
            return sum;
        }
    }

    private static byte[] Bytes(float[] values)
    {
        var bytes = new byte[values.Length];
        for (var i = 0; i < values.Length; i++) bytes[i] = (byte)Math.Clamp(values[i] + .5f, 0, 255);
        return bytes;
    }
}
