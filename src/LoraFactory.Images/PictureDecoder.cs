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
    public static Picture Decode(ReadOnlySpan<byte> bytes, PictureLimits? limits = null)
    {
        limits ??= new PictureLimits();
        var header = PictureHeader.Read(bytes)
            ?? throw new PictureException(PictureFault.Unsupported, "The bytes are no readable PNG, JPEG, WebP, GIF, TIFF or BMP.");
        if (header.PixelCount > limits.MaxPixels)
            throw new PictureException(PictureFault.TooLarge, $"The picture has {header.Width}×{header.Height} pixels; at most {limits.MaxPixels} are decoded.");
        try
        {
            return header.Format == PictureFormat.Bmp ? BmpReader.Decode(bytes) : DecodeByVips(bytes, header.Format, limits);
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

    private static unsafe Picture DecodeByVips(ReadOnlySpan<byte> bytes, PictureFormat format, PictureLimits limits)
    {
        fixed (byte* data = bytes)
        {
            using var loaded = VipsImage.Load(format switch
            {
                PictureFormat.Png => "pngload_buffer",
                PictureFormat.Jpeg => "jpegload_buffer",
                PictureFormat.WebP => "webpload_buffer",
                PictureFormat.Gif => "gifload_buffer",
                _ => "tiffload_buffer",
            }, (nint)data, bytes.Length, ("fail-on", "error"));
            // The header that we read may lie about what the loader finds.
            if ((long)loaded.Width * loaded.Height > limits.MaxPixels)
                throw new PictureException(PictureFault.TooLarge, $"The picture has {loaded.Width}×{loaded.Height} pixels; at most {limits.MaxPixels} are decoded.");
            using var upright = loaded.Apply("autorot");
            using var colour = ToSrgb(upright);
            using var opaque = colour.HasAlpha ? colour.Apply("flatten", ("background", "255 255 255")) : colour.Apply("copy");
            using var bytesOnly = opaque.Apply("cast", ("format", "uchar"));
            using var three = bytesOnly.Bands switch
            {
                3 => bytesOnly.Apply("copy"),
                > 3 => bytesOnly.Apply("extract_band", ("band", "0"), ("n", "3")),
                _ => throw new PictureException(PictureFault.Unsupported, $"The picture has {bytesOnly.Bands} colour bands; 3 are needed."),
            };
            return new Picture(three.Width, three.Height, three.ToBytes());
        }
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
