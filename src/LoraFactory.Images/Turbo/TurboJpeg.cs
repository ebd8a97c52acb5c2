using System.Runtime.InteropServices;

namespace LoraFactory.Images.Turbo;

/// <summary>
/// JPEGs through libjpeg-turbo's own interface, without libvips' pipeline around the same library: for one picture at a time that costs half. Pixels are those of libvips, bit for bit.
/// Whatever is not plain is left to libvips, and so is everything where the library is missing.
/// </summary>
internal static unsafe partial class TurboJpeg
{
    private const string Lib = "libturbojpeg.so.0";

    // Numbers of turbojpeg.h: three bytes a pixel, red first; all colours' samples, or a quarter of them; the exact transform; colour spaces up to grey.
    private const int Rgb = 0, Whole = 0, Quarter = 2, ExactTransform = 4096, LastKnownSpace = 2;

    private static readonly Lazy<bool> Loaded = new(() => NativeLibrary.TryLoad(Lib, out _));

    /// <summary>Whether the library is there.</summary>
    public static bool IsAvailable => Loaded.Value;

    /// <summary>
    /// Decodes a JPEG that <see cref="JpegSegments.IsPlain"/>, at 1/<paramref name="shrink"/> (1, 2, 4, 8; no more than its shorter side) of its size, sides rounded down.
    /// Null where the library finds anything to remark: libvips then judges the file.
    /// </summary>
    public static Picture? Decode(ReadOnlySpan<byte> bytes, PictureHeader header, int shrink)
    {
        var handle = tjInitDecompress();
        if (handle == 0) return null;
        try
        {
            fixed (byte* data = bytes)
            {
                if (tjDecompressHeader3(handle, data, (nuint)bytes.Length, out var width, out var height, out _, out var space) != 0) return null;
                if (width != header.Width || height != header.Height || space is < 0 or > LastKnownSpace) return null;
                // The library rounds up and fills the last column and row from what is not all there; libvips leaves them out.
                var (wanted, high) = (width / shrink, height / shrink);
                (width, height) = ((width + shrink - 1) / shrink, (height + shrink - 1) / shrink);
                var pixels = GC.AllocateUninitializedArray<byte>(checked(width * height * 3));
                fixed (byte* to = pixels)
                    if (tjDecompress2(handle, data, (nuint)bytes.Length, to, width, width * 3, height, Rgb, ExactTransform) != 0) return null;
                var picture = new Picture(width, height, pixels);
                return (wanted, high) == (width, height) ? picture : picture.Crop(0, 0, wanted, high);
            }
        }
        finally
        {
            _ = tjDestroy(handle);
        }
    }

    /// <summary>Encodes with the standard's Huffman tables, 4:4:4 from quality 90 on, else 4:2:0. Throws <see cref="PictureException"/>.</summary>
    public static byte[] Encode(Picture picture, int quality)
    {
        var handle = tjInitCompress();
        nint memory = 0;
        try
        {
            nuint size = 0;
            fixed (byte* pixels = picture.Pixels)
            {
                if (handle == 0 || tjCompress2(handle, pixels, picture.Width, picture.Width * 3, picture.Height, Rgb, ref memory, ref size, quality >= 90 ? Whole : Quarter, quality, ExactTransform) != 0)
                    throw new PictureException(PictureFault.TooLarge, $"A picture of {picture.Width}×{picture.Height} could not be encoded as JPEG.");
            }
            return new ReadOnlySpan<byte>((void*)memory, checked((int)size)).ToArray();
        }
        finally
        {
            if (memory != 0) tjFree(memory);
            if (handle != 0) _ = tjDestroy(handle);
        }
    }

    [LibraryImport(Lib)] private static partial nint tjInitDecompress();
    [LibraryImport(Lib)] private static partial nint tjInitCompress();
    [LibraryImport(Lib)] private static partial int tjDestroy(nint handle);
    [LibraryImport(Lib)] private static partial void tjFree(nint memory);
    [LibraryImport(Lib)] private static partial int tjDecompressHeader3(nint handle, byte* bytes, nuint length, out int width, out int height, out int subsampling, out int space);
    [LibraryImport(Lib)] private static partial int tjDecompress2(nint handle, byte* bytes, nuint length, byte* pixels, int width, int pitch, int height, int format, int flags);
    [LibraryImport(Lib)]
    private static partial int tjCompress2(nint handle, byte* pixels, int width, int pitch, int height, int format, ref nint bytes, ref nuint length, int subsampling, int quality, int flags);
}
