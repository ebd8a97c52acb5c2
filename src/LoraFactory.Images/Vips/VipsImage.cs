using System.Runtime.InteropServices;
using static LoraFactory.Images.Vips.VipsNative;

namespace LoraFactory.Images.Vips;

/// <summary>One reference to a VipsImage, given back on Dispose.</summary>
internal sealed class VipsImage : IDisposable
{
    private const int FormatUchar = 0;
    private nint _handle;

    private VipsImage(nint handle) => _handle = handle;

    /// <summary>Bands, alpha included.</summary>
    public int Bands => vips_image_get_bands(_handle);

    /// <summary>Columns.</summary>
    public int Width => vips_image_get_width(_handle);

    /// <summary>Rows.</summary>
    public int Height => vips_image_get_height(_handle);

    /// <summary>Whether the last band is alpha.</summary>
    public bool HasAlpha => vips_image_hasalpha(_handle) != 0;

    /// <summary>Whether its EXIF orientation exchanges columns and rows.</summary>
    public bool IsTurned => vips_image_get_orientation_swap(_handle) != 0;

    /// <summary>Whether a metadata field is there.</summary>
    public bool HasField(string name) => vips_image_get_typeof(_handle, name) != 0;

    /// <summary>Copies [H, W, 3] pixels into a libvips image.</summary>
    public static unsafe VipsImage FromPixels(Picture picture)
    {
        VipsLibrary.Require();
        fixed (byte* data = picture.Pixels)
        {
            var handle = vips_image_new_from_memory_copy((nint)data, (nuint)picture.Pixels.Length, picture.Width, picture.Height, 3, FormatUchar);
            if (handle == 0) throw new PictureException(PictureFault.TooLarge, $"A picture of {picture.Width}×{picture.Height} could not be copied: {VipsLibrary.TakeError()}.");
            return new VipsImage(handle);
        }
    }

    /// <summary>Runs a loader. <paramref name="data"/> must stay pinned until the image is disposed: loaders read lazily.</summary>
    public static VipsImage Load(string loader, nint data, int size, params ReadOnlySpan<(string Name, string Value)> arguments)
    {
        VipsLibrary.Require();
        var blob = vips_blob_new(0, data, (nuint)size);
        try
        {
            return new VipsImage(Run(loader, arguments, "buffer", vips_blob_get_type(), blob, "out", TakeObject));
        }
        finally
        {
            vips_area_unref(blob);
        }
    }

    /// <summary>An operation with one image in ("in") and one out ("out").</summary>
    public VipsImage Apply(string operation, params ReadOnlySpan<(string Name, string Value)> arguments) =>
        new(Run(operation, arguments, "in", vips_image_get_type(), _handle, "out", TakeObject));

    /// <summary>Cuts out the part that is most interesting ("attention", "entropy"); this operation alone calls its image "input".</summary>
    public VipsImage SmartCrop(int width, int height, string interesting) =>
        new(Run("smartcrop", [("width", $"{width}"), ("height", $"{height}"), ("interesting", interesting)], "input", vips_image_get_type(), _handle, "out", TakeObject));

    /// <summary>Encodes with a saver such as "pngsave_buffer".</summary>
    public byte[] Save(string saver, params ReadOnlySpan<(string Name, string Value)> arguments) =>
        Run(saver, arguments, "in", vips_image_get_type(), _handle, "buffer", TakeBytes);

    /// <summary>Computes the pixels; this is where lazy loaders do their work and find damage.</summary>
    public byte[] ToBytes()
    {
        var memory = vips_image_write_to_memory(_handle, out var size);
        if (memory == 0) throw new PictureException(PictureFault.Damaged, VipsLibrary.TakeError());
        try
        {
            var bytes = new byte[checked((int)size)];
            Marshal.Copy(memory, bytes, 0, bytes.Length);
            return bytes;
        }
        finally
        {
            g_free(memory);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_handle == 0) return;
        g_object_unref(_handle);
        _handle = 0;
    }

    private delegate T Taker<T>(ref GValue value);

    private static T Run<T>(string name, ReadOnlySpan<(string Name, string Value)> arguments, string input, nuint inputType, nint inputHandle, string output, Taker<T> take)
    {
        var operation = vips_operation_new(name);
        if (operation == 0) throw new PictureException(PictureFault.LibraryMissing, $"This libvips has no operation {name}: {VipsLibrary.TakeError()}.");
        try
        {
            SetProperty(operation, input, inputType, inputHandle);
            foreach (var (argument, value) in arguments)
                if (vips_object_set_argument_from_string(operation, argument, value) != 0)
                    throw new PictureException(PictureFault.LibraryMissing, $"libvips refuses {argument}={value} for {name}: {VipsLibrary.TakeError()}.");
            var built = vips_cache_operation_build(operation);
            if (built == 0) throw new PictureException(PictureFault.Damaged, VipsLibrary.TakeError());
            g_object_unref(operation);
            operation = built;
            var result = new GValue();
            g_value_init(ref result, output == "out" ? vips_image_get_type() : vips_blob_get_type());
            g_object_get_property(operation, output, ref result);
            var taken = take(ref result);
            g_value_unset(ref result);
            return taken;
        }
        finally
        {
            vips_object_unref_outputs(operation);
            g_object_unref(operation);
        }
    }

    private static void SetProperty(nint operation, string name, nuint type, nint handle)
    {
        var value = new GValue();
        g_value_init(ref value, type);
        if (type == vips_image_get_type()) g_value_set_object(ref value, handle);
        else g_value_set_boxed(ref value, handle);
        g_object_set_property(operation, name, ref value);
        g_value_unset(ref value);
    }

    private static nint TakeObject(ref GValue value) => g_object_ref(g_value_get_object(ref value));

    private static byte[] TakeBytes(ref GValue value)
    {
        var data = vips_blob_get(g_value_get_boxed(ref value), out var size);
        var bytes = new byte[checked((int)size)];
        Marshal.Copy(data, bytes, 0, bytes.Length);
        return bytes;
    }
}
