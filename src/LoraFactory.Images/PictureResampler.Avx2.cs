using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace LoraFactory.Images;

// The same sums where the processor multiplies sixteen 16-bit numbers at once and adds neighbours: a weight w is split into w >> 11 and w & 2047, which both fit, and the two sums are put
// together again. Whole numbers: every bit is that of the portable form.
public static partial class PictureResampler
{
    private const int LowBits = 11, LowMask = (1 << LowBits) - 1;

    // Bytes read beyond the pixels that are used.
    private const int ReadAhead = 16;

    /// <summary>Two rows at a time: each weight is loaded once for both.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static byte[] HorizontalByAvx2(byte[] pixels, int width, int height, int bands, Weights weights)
    {
        var output = GC.AllocateUninitializedArray<byte>(checked(weights.Count * height * bands));
        var (split, stride) = weights.Split(bands == 3 ? 4 : 16);
        int from = width * bands, to = weights.Count * bands, padded = (width + stride) * bands + ReadAhead;
        var (rows, made) = (new byte[2 * padded], new byte[2 * (to + 4)]);
        for (var y = 0; y < height; y += 2)
        {
            var both = y + 1 < height;
            pixels.AsSpan(y * from, from).CopyTo(rows);
            if (both) pixels.AsSpan((y + 1) * from, from).CopyTo(rows.AsSpan(padded));
            if (bands == 3) TriplesByAvx2(rows, padded, made, to + 4, weights, split, stride);
            else SinglesByAvx2(rows, padded, made, to + 4, weights, split, stride);
            made.AsSpan(0, to).CopyTo(output.AsSpan(y * to));
            if (both) made.AsSpan(to + 4, to).CopyTo(output.AsSpan((y + 1) * to));
        }
        return output;
    }

    // Four pixels of each row at a time, as pairs of reds, greens and blues. The fourth byte written is the next pixel's first and written again.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TriplesByAvx2(byte[] rows, int second, byte[] made, int secondMade, Weights weights, short[] split, int stride)
    {
        ref var value = ref MemoryMarshal.GetArrayDataReference(rows);
        ref var weight = ref MemoryMarshal.GetArrayDataReference(split);
        ref var target = ref MemoryMarshal.GetArrayDataReference(made);
        var pairs = Vector256.Create((byte)0, 255, 3, 255, 1, 255, 4, 255, 2, 255, 5, 255, 255, 255, 255, 255, 6, 255, 9, 255, 7, 255, 10, 255, 8, 255, 11, 255, 255, 255, 255, 255);
        // In one half alone: the halves are added.
        var rounding = Vector256.Create(Vector128.Create(Rounding), Vector128<int>.Zero);
        nuint at = 0;
        for (var x = 0; x < weights.Count; x++)
        {
            ref var here = ref Unsafe.Add(ref value, weights.Low(x) * 3);
            ref var below = ref Unsafe.Add(ref here, second);
            var (high, low, highBelow, lowBelow) = (Vector256<int>.Zero, rounding, Vector256<int>.Zero, rounding);
            for (var j = 0; j < stride; j += 4, at += 32)
            {
                var (highs, lows) = (Vector256.LoadUnsafe(ref weight, at), Vector256.LoadUnsafe(ref weight, at + 16));
                var one = Avx2.Shuffle(Twice(ref Unsafe.Add(ref here, j * 3)), pairs).AsInt16();
                var other = Avx2.Shuffle(Twice(ref Unsafe.Add(ref below, j * 3)), pairs).AsInt16();
                high += Avx2.MultiplyAddAdjacent(one, highs);
                low += Avx2.MultiplyAddAdjacent(one, lows);
                highBelow += Avx2.MultiplyAddAdjacent(other, highs);
                lowBelow += Avx2.MultiplyAddAdjacent(other, lows);
            }
            var (upper, lower) = ((high << LowBits) + low, (highBelow << LowBits) + lowBelow);
            // One row's sum in each half from here on.
            var sums = (Avx2.Permute2x128(upper, lower, 0x20) + Avx2.Permute2x128(upper, lower, 0x31)) >> PrecisionBits;
            var words = Avx2.PackSignedSaturate(sums, sums);
            var bytes = Avx2.PackUnsignedSaturate(words, words).AsUInt32();
            Unsafe.WriteUnaligned(ref Unsafe.Add(ref target, x * 3), bytes.ToScalar());
            Unsafe.WriteUnaligned(ref Unsafe.Add(ref target, secondMade + x * 3), bytes.GetUpper().ToScalar());
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> Twice(ref byte from)
    {
        var sixteen = Vector128.LoadUnsafe(ref from);
        return Vector256.Create(sixteen, sixteen);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SinglesByAvx2(byte[] rows, int second, byte[] made, int secondMade, Weights weights, short[] split, int stride)
    {
        ref var value = ref MemoryMarshal.GetArrayDataReference(rows);
        ref var weight = ref MemoryMarshal.GetArrayDataReference(split);
        nuint at = 0;
        for (var x = 0; x < weights.Count; x++)
        {
            ref var here = ref Unsafe.Add(ref value, weights.Low(x));
            ref var below = ref Unsafe.Add(ref here, second);
            var (high, low, highBelow, lowBelow) = (Vector256<int>.Zero, Vector256<int>.Zero, Vector256<int>.Zero, Vector256<int>.Zero);
            for (var j = 0; j < stride; j += 16, at += 32)
            {
                var (highs, lows) = (Vector256.LoadUnsafe(ref weight, at), Vector256.LoadUnsafe(ref weight, at + 16));
                var one = Avx2.ConvertToVector256Int16(Vector128.LoadUnsafe(ref here, (nuint)j));
                var other = Avx2.ConvertToVector256Int16(Vector128.LoadUnsafe(ref below, (nuint)j));
                high += Avx2.MultiplyAddAdjacent(one, highs);
                low += Avx2.MultiplyAddAdjacent(one, lows);
                highBelow += Avx2.MultiplyAddAdjacent(other, highs);
                lowBelow += Avx2.MultiplyAddAdjacent(other, lows);
            }
            made[x] = Clip(Rounding + Vector256.Sum((high << LowBits) + low));
            made[secondMade + x] = Clip(Rounding + Vector256.Sum((highBelow << LowBits) + lowBelow));
        }
    }

    /// <summary>Thirty-two columns at a time, two rows of pixels for each multiplication.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static byte[] VerticalByAvx2(byte[] pixels, int stride, Weights weights)
    {
        var output = GC.AllocateUninitializedArray<byte>(checked(weights.Count * stride));
        for (var y = 0; y < weights.Count; y++)
        {
            var (low, fixedPoint) = weights[y];
            var rows = pixels.AsSpan(low * stride, fixedPoint.Length * stride);
            var to = output.AsSpan(y * stride, stride);
            var i = 0;
            for (; i + 32 <= stride; i += 32) Columns(ref MemoryMarshal.GetReference(rows), stride, i, fixedPoint).StoreUnsafe(ref to[i]);
            // The last columns once more together with some before them; narrower pictures one by one.
            if (i < stride && stride >= 32)
            {
                i = stride - 32;
                Columns(ref MemoryMarshal.GetReference(rows), stride, i, fixedPoint).StoreUnsafe(ref to[i]);
                i = stride;
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

    // Unpacking twice and packing twice leave the order of the columns as it was.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> Columns(ref byte first, int stride, int column, int[] fixedPoint)
    {
        var zero = Vector256<byte>.Zero;
        var rounding = Vector256.Create(Rounding);
        var (high0, high1, high2, high3) = (Vector256<int>.Zero, Vector256<int>.Zero, Vector256<int>.Zero, Vector256<int>.Zero);
        var (low0, low1, low2, low3) = (rounding, rounding, rounding, rounding);
        for (var j = 0; j < fixedPoint.Length; j += 2)
        {
            // An odd last row is paired with itself at weight 0.
            var (next, nextWeight) = j + 1 < fixedPoint.Length ? (j + 1, fixedPoint[j + 1]) : (j, 0);
            var weight = fixedPoint[j];
            var highs = Vector256.Create((weight >> LowBits) & 0xFFFF | nextWeight >> LowBits << 16).AsInt16();
            var lows = Vector256.Create(weight & LowMask | (nextWeight & LowMask) << 16).AsInt16();
            var (one, other) = (Vector256.LoadUnsafe(ref first, (nuint)(j * stride + column)), Vector256.LoadUnsafe(ref first, (nuint)(next * stride + column)));
            var (front, back) = (Avx2.UnpackLow(one, other), Avx2.UnpackHigh(one, other));
            var (pair0, pair1) = (Avx2.UnpackLow(front, zero).AsInt16(), Avx2.UnpackHigh(front, zero).AsInt16());
            var (pair2, pair3) = (Avx2.UnpackLow(back, zero).AsInt16(), Avx2.UnpackHigh(back, zero).AsInt16());
            high0 += Avx2.MultiplyAddAdjacent(pair0, highs);
            high1 += Avx2.MultiplyAddAdjacent(pair1, highs);
            high2 += Avx2.MultiplyAddAdjacent(pair2, highs);
            high3 += Avx2.MultiplyAddAdjacent(pair3, highs);
            low0 += Avx2.MultiplyAddAdjacent(pair0, lows);
            low1 += Avx2.MultiplyAddAdjacent(pair1, lows);
            low2 += Avx2.MultiplyAddAdjacent(pair2, lows);
            low3 += Avx2.MultiplyAddAdjacent(pair3, lows);
        }
        var words0 = Avx2.PackSignedSaturate(((high0 << LowBits) + low0) >> PrecisionBits, ((high1 << LowBits) + low1) >> PrecisionBits);
        var words1 = Avx2.PackSignedSaturate(((high2 << LowBits) + low2) >> PrecisionBits, ((high3 << LowBits) + low3) >> PrecisionBits);
        return Avx2.PackUnsignedSaturate(words0, words1);
    }
}
