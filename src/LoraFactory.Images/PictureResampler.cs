using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace LoraFactory.Images;

/// <summary>Resampling filters.</summary>
public enum Resampling
{
    /// <summary>Mean over the covered pixels.</summary>
    Box,
    /// <summary>Triangle, support 1.</summary>
    Bilinear,
    /// <summary>Cubic with a = −0.5, support 2.</summary>
    Bicubic,
    /// <summary>Windowed sinc, support 3.</summary>
    Lanczos,
}

/// <summary>
/// Resizing with 8-bit arithmetic that equals Pillow's, bit for bit: model processors and perceptual hashes are defined by it. The filter
/// widens when shrinking (antialias); the horizontal pass comes first and is rounded to 8 bits; a pass whose size does not change is skipped.
/// </summary>
public static partial class PictureResampler
{
    private const int PrecisionBits = 22, Rounding = 1 << (PrecisionBits - 1);

    /// <summary>Resizes to exactly this size.</summary>
    public static Picture Resize(Picture picture, int width, int height, Resampling filter) =>
        new(width, height, Resize(picture.Pixels, picture.Width, picture.Height, 3, width, height, filter));

    /// <summary>Resizes so that the shorter side is <paramref name="side"/>; the longer one is truncated: int(side · long / short).</summary>
    public static Picture ResizeShortestEdge(Picture picture, int side, Resampling filter)
    {
        var (width, height) = (picture.Width, picture.Height);
        return width <= height
            ? Resize(picture, side, (int)((long)side * height / width), filter)
            : Resize(picture, (int)((long)side * width / height), side, filter);
    }

    /// <summary>Resizes interleaved bytes [H, W, <paramref name="bands"/>].</summary>
    public static byte[] Resize(byte[] pixels, int width, int height, int bands, int newWidth, int newHeight, Resampling filter) =>
        Resize(pixels, width, height, bands, newWidth, newHeight, filter, Avx2.IsSupported);

    /// <summary>The same, with or without what only some processors have.</summary>
    internal static byte[] Resize(byte[] pixels, int width, int height, int bands, int newWidth, int newHeight, Resampling filter, bool byAvx2)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(newWidth, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(newHeight, 1);
        if (newWidth != width)
        {
            var weights = WeightsOf(width, newWidth, filter);
            pixels = byAvx2 && bands is (1 or 3) ? HorizontalByAvx2(pixels, width, height, bands, weights) : Horizontal(pixels, width, height, bands, weights);
            width = newWidth;
        }
        if (newHeight == height) return pixels;
        var down = WeightsOf(height, newHeight, filter);
        return byAvx2 ? VerticalByAvx2(pixels, width * bands, down) : Vertical(pixels, width * bands, down);
    }

    private const int MostKept = 128;
    private static readonly ConcurrentDictionary<(int From, int To, Resampling Filter), Weights> Kept = [];

    // Pictures of a set mostly share a few sizes, and their weights cost as much as shrinking a small one.
    private static Weights WeightsOf(int from, int to, Resampling filter)
    {
        if (Kept.TryGetValue((from, to, filter), out var known)) return known;
        var weights = new Weights(from, to, filter);
        if (from > 8192 || to > 8192) return weights;
        if (Kept.Count >= MostKept) Kept.Clear();
        return Kept[(from, to, filter)] = weights;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static byte[] Horizontal(byte[] pixels, int width, int height, int bands, Weights weights)
    {
        var output = new byte[checked(weights.Count * height * bands)];
        // Rows are copied into a longer one: what is read beyond their end meets weights of 0.
        var (padded, stride) = weights.Padded(bands == 1 ? 8 : 2);
        var (row, to) = (new byte[(width + stride) * bands + 8], new byte[weights.Count * bands + 8]);
        for (var y = 0; y < height; y++)
        {
            pixels.AsSpan(y * width * bands, width * bands).CopyTo(row);
            if (bands == 3) Triples(row, to, weights, padded, stride);
            else if (bands == 1) Singles(row, to, weights, padded, stride);
            else Others(row, to, bands, weights);
            to.AsSpan(0, weights.Count * bands).CopyTo(output.AsSpan(y * weights.Count * bands));
        }
        return output;
    }

    // Whole numbers: the order in which products are added is free.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Singles(byte[] row, byte[] to, Weights weights, int[] padded, int stride)
    {
        ref var value = ref MemoryMarshal.GetArrayDataReference(row);
        ref var weight = ref MemoryMarshal.GetArrayDataReference(padded);
        for (var x = 0; x < weights.Count; x++)
        {
            var (low, at, sums) = (weights.Low(x), x * stride, Vector256<int>.Zero);
            for (var j = 0; j < stride; j += 8) sums += Eight(ref Unsafe.Add(ref value, low + j)) * Vector256.LoadUnsafe(ref weight, (nuint)(at + j));
            to[x] = Clip(Rounding + Vector256.Sum(sums));
        }
    }

    // Two pixels at a time; of the eight bytes that are read the last two belong to the next. The fourth byte written is the next pixel's first and written again.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Triples(byte[] row, byte[] to, Weights weights, int[] padded, int stride)
    {
        ref var value = ref MemoryMarshal.GetArrayDataReference(row);
        ref var weight = ref MemoryMarshal.GetArrayDataReference(padded);
        ref var target = ref MemoryMarshal.GetArrayDataReference(to);
        for (var x = 0; x < weights.Count; x++)
        {
            var (low, at, two) = (weights.Low(x), x * stride, Vector256<int>.Zero);
            for (var j = 0; j < stride; j += 2)
            {
                var bytes = Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref value, (low + j) * 3))).AsByte();
                var spread = Vector128.Shuffle(bytes, Vector128.Create((byte)0, 99, 1, 99, 2, 99, 99, 99, 3, 99, 4, 99, 5, 99, 99, 99)).AsUInt16();
                two += Vector256.Create(Vector128.WidenLower(spread).AsInt32(), Vector128.WidenUpper(spread).AsInt32())
                    * Vector256.Create(Vector128.Create(Unsafe.Add(ref weight, at + j)), Vector128.Create(Unsafe.Add(ref weight, at + j + 1)));
            }
            var sums = (two.GetLower() + two.GetUpper() + Vector128.Create(Rounding)) >> PrecisionBits;
            sums = Vector128.Min(Vector128.Max(sums, Vector128<int>.Zero), Vector128.Create(255));
            var words = Vector128.Narrow(sums, sums).AsUInt16();
            Unsafe.WriteUnaligned(ref Unsafe.Add(ref target, x * 3), Vector128.Narrow(words, words).AsUInt32().ToScalar());
        }
    }

    private static void Others(byte[] row, byte[] to, int bands, Weights weights)
    {
        for (var x = 0; x < weights.Count; x++)
        {
            var (low, fixedPoint) = weights[x];
            for (var band = 0; band < bands; band++)
            {
                var sum = Rounding;
                for (int j = 0, at = low * bands + band; j < fixedPoint.Length; j++, at += bands) sum += row[at] * fixedPoint[j];
                to[x * bands + band] = Clip(sum);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Eight(ref byte from)
    {
        var eight = Vector128.WidenLower(Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<ulong>(ref from)).AsByte());
        return Vector256.Create(Vector128.WidenLower(eight).AsInt32(), Vector128.WidenUpper(eight).AsInt32());
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static byte[] Vertical(byte[] pixels, int stride, Weights weights)
    {
        var output = new byte[checked(weights.Count * stride)];
        for (var y = 0; y < weights.Count; y++)
        {
            var (low, fixedPoint) = weights[y];
            var to = output.AsSpan(y * stride, stride);
            var rows = pixels.AsSpan(low * stride, fixedPoint.Length * stride);
            ref var first = ref MemoryMarshal.GetReference(rows);
            var i = 0;
            for (; i + 8 <= stride; i += 8)
            {
                var sums = Vector256.Create(Rounding);
                for (var j = 0; j < fixedPoint.Length; j++) sums += Eight(ref Unsafe.Add(ref first, j * stride + i)) * Vector256.Create(fixedPoint[j]);
                sums = Vector256.Min(Vector256.Max(sums >> PrecisionBits, Vector256<int>.Zero), Vector256.Create(255));
                var words = Vector128.Narrow(sums.GetLower(), sums.GetUpper()).AsUInt16();
                Unsafe.WriteUnaligned(ref to[i], Vector128.Narrow(words, words).AsUInt64().ToScalar());
            }
            for (; i < stride; i++)
            {
                var sum = Rounding;
                for (var j = 0; j < fixedPoint.Length; j++) sum += rows[j * stride + i] * fixedPoint[j];
                to[i] = Clip(sum);
            }
        }
        return output;
    }

    private static byte Clip(int sum) => (byte)Math.Clamp(sum >> PrecisionBits, 0, 255);

    /// <summary>Weights of each output position, in double and in 22-bit fixed point.</summary>
    internal sealed class Weights
    {
        private readonly int[] _low;
        private readonly int[][] _fixed;
        private StrongBox<(int[] Values, int Stride)>? _twos, _eights;
        private StrongBox<(short[] Values, int Stride)>? _splitFours, _splitSixteens;

        public Weights(int from, int to, Resampling filter)
        {
            _low = new int[to];
            _fixed = new int[to][];
            Exact = new double[to][];
            var scale = (double)from / to;
            var stretch = Math.Max(scale, 1);
            var support = Support(filter) * stretch;
            for (var i = 0; i < to; i++)
            {
                var centre = (i + 0.5) * scale;
                var low = Math.Max((int)(centre - support + 0.5), 0);
                var high = Math.Min((int)(centre + support + 0.5), from);
                var exact = new double[high - low];
                double total = 0;
                for (var j = 0; j < exact.Length; j++) total += exact[j] = Kernel(filter, (low + j - centre + 0.5) / stretch);
                for (var j = 0; j < exact.Length && total != 0; j++) exact[j] /= total;
                _low[i] = low;
                Exact[i] = exact;
                _fixed[i] = [.. exact.Select(weight => (int)(weight * (1 << PrecisionBits) + (weight < 0 ? -0.5 : 0.5)))];
            }
        }

        public int Count => _low.Length;

        public double[][] Exact { get; }

        /// <summary>First input position of an output position.</summary>
        public int Low(int i) => _low[i];

        /// <summary>All weights one after the other, each output's filled up with zeros to <c>Stride</c>, a multiple of <paramref name="multiple"/> (2 or 8).</summary>
        public (int[] Values, int Stride) Padded(int multiple)
        {
            if ((multiple == 2 ? _twos : _eights) is { } known) return known.Value;
            var stride = (_fixed.Max(f => f.Length) + multiple - 1) / multiple * multiple;
            var values = new int[_fixed.Length * stride];
            for (var i = 0; i < _fixed.Length; i++) _fixed[i].CopyTo(values, i * stride);
            var made = new StrongBox<(int[] Values, int Stride)>((values, stride));
            if (multiple == 2) _twos = made;
            else _eights = made;
            return made.Value;
        }

        /// <summary>
        /// All weights in two parts of 16 bits, filled up with zeros to <c>Stride</c>, a multiple of <paramref name="taps"/> (4: for interleaved colours, or 16): for each 4 or 16 of them
        /// sixteen upper and sixteen lower parts; of 4, each pair stands there four times.
        /// </summary>
        public (short[] Values, int Stride) Split(int taps)
        {
            if ((taps == 4 ? _splitFours : _splitSixteens) is { } known) return known.Value;
            var stride = (_fixed.Max(f => f.Length) + taps - 1) / taps * taps;
            var values = new short[_fixed.Length * stride / taps * 32];
            for (var i = 0; i < _fixed.Length; i++)
            {
                for (var j = 0; j < _fixed[i].Length; j++)
                {
                    var block = (i * stride + j) / taps * 32;
                    for (var copy = 0; copy < (taps == 4 ? 4 : 1); copy++)
                    {
                        var at = block + (taps == 4 ? j % 4 / 2 * 8 + copy * 2 + j % 2 : j % 16);
                        (values[at], values[at + 16]) = ((short)(_fixed[i][j] >> LowBits), (short)(_fixed[i][j] & LowMask));
                    }
                }
            }
            var made = new StrongBox<(short[] Values, int Stride)>((values, stride));
            if (taps == 4) _splitFours = made;
            else _splitSixteens = made;
            return made.Value;
        }

        public (int Low, int[] Fixed) this[int i] => (_low[i], _fixed[i]);
    }

    private static double Support(Resampling filter) => filter switch
    {
        Resampling.Box => 0.5,
        Resampling.Bilinear => 1,
        Resampling.Bicubic => 2,
        _ => 3,
    };

    private static double Kernel(Resampling filter, double x)
    {
        switch (filter)
        {
            case Resampling.Box: return x is > -0.5 and <= 0.5 ? 1 : 0;
            case Resampling.Bilinear: return Math.Max(0, 1 - Math.Abs(x));
            case Resampling.Bicubic:
                const double a = -0.5;
                x = Math.Abs(x);
                if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
                return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
            default: return x is >= -3 and < 3 ? Sinc(x) * Sinc(x / 3) : 0;
        }
    }

    private static double Sinc(double x) => x == 0 ? 1 : Math.Sin(Math.PI * x) / (Math.PI * x);
}
