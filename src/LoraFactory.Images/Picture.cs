using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace LoraFactory.Images;

/// <summary>A decoded picture: 8-bit sRGB without alpha.</summary>
public sealed class Picture
{
    /// <summary>A picture over pixels that are not copied. <paramref name="pixels"/> is [H, W, 3], row-major, 0..255.</summary>
    public Picture(int width, int height, byte[] pixels)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        if (pixels.LongLength != (long)width * height * 3)
            throw new ArgumentException($"A picture of {width}×{height} has {(long)width * height * 3} bytes, not {pixels.LongLength}.", nameof(pixels));
        Width = width;
        Height = height;
        Pixels = pixels;
    }

    /// <summary>Columns.</summary>
    public int Width { get; }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>[H, W, 3] red, green, blue, row-major, 0..255.</summary>
    public byte[] Pixels { get; }

    /// <summary>One colour everywhere.</summary>
    public static Picture Filled(int width, int height, byte red, byte green, byte blue)
    {
        var pixels = new byte[checked(width * height * 3)];
        for (var i = 0; i < pixels.Length; i += 3) (pixels[i], pixels[i + 1], pixels[i + 2]) = (red, green, blue);
        return new Picture(width, height, pixels);
    }

    /// <summary>A copy of the rectangle; it must lie within the picture.</summary>
    public Picture Crop(int left, int top, int width, int height)
    {
        if (left < 0 || top < 0 || width < 1 || height < 1 || left + width > Width || top + height > Height)
            throw new ArgumentOutOfRangeException(nameof(left), $"{width}×{height} at {left},{top} does not lie within {Width}×{Height}.");
        var pixels = new byte[width * height * 3];
        for (var y = 0; y < height; y++)
            Pixels.AsSpan(((top + y) * Width + left) * 3, width * 3).CopyTo(pixels.AsSpan(y * width * 3));
        return new Picture(width, height, pixels);
    }

    /// <summary>Copies a picture onto this one; what lies outside is cut off.</summary>
    public void Paste(Picture other, int left, int top)
    {
        var from = Math.Max(0, -left);
        var columns = Math.Min(other.Width, Width - left) - from;
        if (columns <= 0) return;
        for (var y = Math.Max(0, -top); y < other.Height && top + y < Height; y++)
            other.Pixels.AsSpan((y * other.Width + from) * 3, columns * 3).CopyTo(Pixels.AsSpan(((top + y) * Width + left + from) * 3));
    }

    /// <summary>Left and right exchanged.</summary>
    public Picture Mirrored()
    {
        var pixels = new byte[Pixels.Length];
        for (var y = 0; y < Height; y++)
            for (var x = 0; x < Width; x++)
                Pixels.AsSpan((y * Width + x) * 3, 3).CopyTo(pixels.AsSpan((y * Width + Width - 1 - x) * 3));
        return new Picture(Width, Height, pixels);
    }

    /// <summary>Luma [H, W], 0..255: (19595 R + 38470 G + 7471 B + 32768) &gt;&gt; 16, ITU-R 601-2 in 16-bit fixed point.</summary>
    public byte[] Luma() => Luma(Avx2.IsSupported);

    /// <summary>The same, with or without what only some processors have.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal byte[] Luma(bool byAvx2)
    {
        var luma = GC.AllocateUninitializedArray<byte>(Width * Height);
        var i = byAvx2 ? LumaByAvx2(luma) : 0;
        // Four pixels at a time: the colours of each are spread over lanes of 32 bits.
        for (; i * 3 + 16 <= Pixels.Length; i += 4)
        {
            var (red, green, blue) = FourPixels(Pixels, i * 3);
            var sums = (red * 19595 + green * 38470 + blue * 7471 + Vector128.Create(32768)) >> 16;
            var words = Vector128.Narrow(sums, sums).AsUInt16();
            Unsafe.WriteUnaligned(ref luma[i], Vector128.Narrow(words, words).AsUInt32().ToScalar());
        }
        for (var j = i * 3; i < luma.Length; i++, j += 3)
            luma[i] = (byte)((19595 * Pixels[j] + 38470 * Pixels[j + 1] + 7471 * Pixels[j + 2] + 32768) >> 16);
        return luma;
    }

    // Eight pixels at a time, as pairs of red and green and of green and blue: green's weight does not fit 16 bits and is halved. Gives how many were done.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int LumaByAvx2(byte[] luma)
    {
        ref var from = ref MemoryMarshal.GetArrayDataReference(Pixels);
        var redGreen = Vector128.Create((byte)0, 255, 1, 255, 3, 255, 4, 255, 6, 255, 7, 255, 9, 255, 10, 255);
        var greenBlue = Vector128.Create((byte)1, 255, 2, 255, 4, 255, 5, 255, 7, 255, 8, 255, 10, 255, 11, 255);
        var (first, second) = (Vector256.Create(redGreen, redGreen), Vector256.Create(greenBlue, greenBlue));
        var (firstWeights, secondWeights) = (Vector256.Create(19595 | 19235 << 16).AsInt16(), Vector256.Create(19235 | 7471 << 16).AsInt16());
        var i = 0;
        for (; i * 3 + 28 <= Pixels.Length; i += 8)
        {
            var bytes = Vector256.Create(Vector128.LoadUnsafe(ref from, (nuint)(i * 3)), Vector128.LoadUnsafe(ref from, (nuint)(i * 3 + 12)));
            var sums = (Avx2.MultiplyAddAdjacent(Avx2.Shuffle(bytes, first).AsInt16(), firstWeights)
                + Avx2.MultiplyAddAdjacent(Avx2.Shuffle(bytes, second).AsInt16(), secondWeights) + Vector256.Create(32768)) >> 16;
            var words = Avx2.PackSignedSaturate(sums, sums);
            var eight = Avx2.PackUnsignedSaturate(words, words).AsUInt32();
            Unsafe.WriteUnaligned(ref luma[i], eight.ToScalar() | (ulong)eight.GetUpper().ToScalar() << 32);
        }
        return i;
    }

    /// <summary>Red, green and blue of four pixels, from sixteen bytes of which twelve are read.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static (Vector128<int> Red, Vector128<int> Green, Vector128<int> Blue) FourPixels(byte[] pixels, int at)
    {
        var bytes = Vector128.LoadUnsafe(ref MemoryMarshal.GetArrayDataReference(pixels), (nuint)at);
        // Lanes beyond the sixteenth byte are zero.
        return (Vector128.Shuffle(bytes, Vector128.Create((byte)0, 99, 99, 99, 3, 99, 99, 99, 6, 99, 99, 99, 9, 99, 99, 99)).AsInt32(),
            Vector128.Shuffle(bytes, Vector128.Create((byte)1, 99, 99, 99, 4, 99, 99, 99, 7, 99, 99, 99, 10, 99, 99, 99)).AsInt32(),
            Vector128.Shuffle(bytes, Vector128.Create((byte)2, 99, 99, 99, 5, 99, 99, 99, 8, 99, 99, 99, 11, 99, 99, 99)).AsInt32());
    }
}
