using System.Globalization;
using LoraFactory.Images.Turbo;
using LoraFactory.Images.Vips;

namespace LoraFactory.Images;

/// <summary>Decodes pictures in this process: for bytes of our own, or inside <see cref="DecodeWorker"/>. Untrusted bytes go to <see cref="IsolatedDecoder"/>.</summary>
public static class PictureDecoder
{
    /// <summary>
    /// Decodes PNG, JPEG, WebP, GIF (first frame), TIFF (first page) or BMP to 8-bit sRGB: EXIF orientation applied, embedded colour
    /// profile converted, alpha laid over white. A file that is broken or ends early is refused, not half shown.
    /// Throws <see cref="PictureException"/>.
    /// </summary>
    public static Picture Decode(ReadOnlySpan<byte> bytes, PictureLimits? limits = null) => Decode(bytes, null, limits).Picture;

    /// <summary>Decodes likewise and shrinks to <paramref name="fit"/>, a JPEG while its blocks are transformed, which costs a fraction of decoding it whole; null shrinks nothing.</summary>
    public static DecodedPicture Decode(ReadOnlySpan<byte> bytes, PictureFit? fit, PictureLimits? limits = null)
    {
        limits ??= new PictureLimits();
        var header = PictureHeader.Read(bytes)
            ?? throw new PictureException(PictureFault.Unsupported, "The bytes are no readable PNG, JPEG, WebP, GIF, TIFF or BMP.");
        if (header.PixelCount > limits.MaxPixels)
            throw new PictureException(PictureFault.TooLarge, $"The picture has {header.Width}×{header.Height} pixels; at most {limits.MaxPixels} are decoded.");
        try
        {
            return header.Format == PictureFormat.Bmp ? Shrunk(BmpReader.Decode(bytes), fit) : DecodePlain(bytes, header, fit) ?? DecodeByVips(bytes, header, fit, limits);
        }
        catch (PictureException e) when (e.Fault == PictureFault.Damaged)
        {
            throw new PictureException(PictureFault.Damaged, $"The {header.Format} picture of {header.Width}×{header.Height} is damaged: {e.Message.TrimEnd('.')}.", e);
        }
    }

    /// <summary>Decodes a file of the user's own. Throws <see cref="PictureException"/> that names it, and <see cref="IOException"/>.</summary>
    public static Picture DecodeFile(string path, PictureLimits? limits = null)
    {
        try
        {
            return Decode(File.ReadAllBytes(path), limits);
        }
        catch (PictureException e)
        {
            throw new PictureException(e.Fault, $"{path}: {e.Message}", e);
        }
    }

    private static DecodedPicture Shrunk(Picture whole, PictureFit? fit)
    {
        var (width, height) = fit?.Of(whole.Width, whole.Height) ?? (whole.Width, whole.Height);
        return new(PictureResampler.Resize(whole, width, height, PictureFit.Filter), whole.Width, whole.Height);
    }

    /// <summary>The same of a JPEG that needs nothing but its blocks transformed; null of anything else.</summary>
    internal static DecodedPicture? DecodePlain(ReadOnlySpan<byte> bytes, PictureHeader header, PictureFit? fit)
    {
        if (header.Format != PictureFormat.Jpeg || !TurboJpeg.IsAvailable || !JpegSegments.IsPlain(bytes)) return null;
        var shrink = ShrinkOf(header, fit);
        var (width, height) = fit?.Of(header.Width, header.Height) ?? (header.Width, header.Height);
        // Far too large even at an eighth: libvips shrinks it further.
        if (Math.Min(header.Width / shrink / width, header.Height / shrink / height) >= 4 || TurboJpeg.Decode(bytes, header, shrink) is not { } picture) return null;
        return new(PictureResampler.Resize(picture, width, height, PictureFit.Filter), header.Width, header.Height);
    }

    /// <summary>The same of everything that libvips reads.</summary>
    internal static unsafe DecodedPicture DecodeByVips(ReadOnlySpan<byte> bytes, PictureHeader header, PictureFit? fit, PictureLimits limits)
    {
        fixed (byte* data = bytes)
        {
            using var loaded = Load((nint)data, bytes.Length, header, fit, out var shrink);
            // The header that we read may lie about what the loader finds.
            if ((long)loaded.Width * loaded.Height > limits.MaxPixels)
                throw new PictureException(PictureFault.TooLarge, $"The picture has {loaded.Width}×{loaded.Height} pixels; at most {limits.MaxPixels} are decoded.");
            var (width, height) = shrink == 1 ? (loaded.Width, loaded.Height) : (header.Width, header.Height);
            var (toWidth, toHeight) = fit?.Of(width, height) ?? (width, height);
            using var three = ToThreeBands(loaded, Math.Max(1, Math.Min(loaded.Width / toWidth, loaded.Height / toHeight) / 2));
            using var upright = three.Apply("autorot");
            var picture = new Picture(upright.Width, upright.Height, upright.ToBytes());
            if (loaded.IsTurned) (width, height, toWidth, toHeight) = (height, width, toHeight, toWidth);
            return new(PictureResampler.Resize(picture, toWidth, toHeight, PictureFit.Filter), width, height);
        }
    }

    private static VipsImage Load(nint data, int length, PictureHeader header, PictureFit? fit, out int shrink)
    {
        shrink = 1;
        if (header.Format != PictureFormat.Jpeg)
        {
            return VipsImage.Load(header.Format switch
            {
                PictureFormat.Png => "pngload_buffer",
                PictureFormat.WebP => "webpload_buffer",
                PictureFormat.Gif => "gifload_buffer",
                _ => "tiffload_buffer",
            }, data, length, ("fail-on", "error"));
        }
        shrink = ShrinkOf(header, fit);
        return VipsImage.Load("jpegload_buffer", data, length, ("fail-on", "error"), ("shrink", shrink.ToString(CultureInfo.InvariantCulture)));
    }

    // libjpeg gives the picture at a half, a quarter or an eighth from the low frequencies of its blocks.
    private static int ShrinkOf(PictureHeader header, PictureFit? fit)
    {
        var (width, height) = fit?.Of(header.Width, header.Height) ?? (header.Width, header.Height);
        var shrink = 8;
        while (shrink > 1 && (header.Width / shrink < width || header.Height / shrink < height)) shrink /= 2;
        return shrink;
    }

    // Alpha is laid over white before pixels are mixed; everything else is cheaper on fewer pixels. What is far too large is first shrunk by a whole factor (means of
    // squares), to twice the size or more that is wanted. libvips' own resize compiles code for every picture, which costs more than it saves on small ones.
    private static VipsImage ToThreeBands(VipsImage loaded, int factor)
    {
        using var opaque = loaded.HasAlpha ? Flatten(loaded) : loaded.Apply("copy");
        using var shrunk = factor == 1 ? opaque.Apply("copy") : opaque.Apply("shrink", ("hshrink", $"{factor}"), ("vshrink", $"{factor}"));
        using var colour = loaded.HasAlpha ? shrunk.Apply("copy") : ToSrgb(shrunk);
        using var bytesOnly = colour.Apply("cast", ("format", "uchar"));
        return bytesOnly.Bands switch
        {
            3 => bytesOnly.Apply("copy"),
            > 3 => bytesOnly.Apply("extract_band", ("band", "0"), ("n", "3")),
            _ => throw new PictureException(PictureFault.Unsupported, $"The picture has {bytesOnly.Bands} colour bands; 3 are needed."),
        };
    }

    private static VipsImage Flatten(VipsImage loaded)
    {
        using var colour = ToSrgb(loaded);
        return colour.Apply("flatten", ("background", "255 255 255"));
    }

    private static VipsImage ToSrgb(VipsImage image)
    {
        if (!image.HasField("icc-profile-data")) return image.Apply("colourspace", ("space", "srgb"));
        try
        {
            using var converted = image.Apply("icc_transform", ("output-profile", "srgb"), ("embedded", "true"), ("intent", "relative"));
            return converted.Apply("colourspace", ("space", "srgb"));
        }
        catch (PictureException e) when (e.Fault == PictureFault.Damaged)
        {
            // A broken profile is common and costs the colours a little, not the picture.
            return image.Apply("colourspace", ("space", "srgb"));
        }
    }
}
