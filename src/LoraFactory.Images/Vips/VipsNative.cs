using System.Runtime.InteropServices;

namespace LoraFactory.Images.Vips;

/// <summary>
/// The part of libvips, GObject and GLib that is called. Variadic C functions are avoided (a P/Invoke does not follow their
/// calling convention): operations are built by name and their arguments set one by one.
/// </summary>
internal static partial class VipsNative
{
    private const string Lib = "libvips.so.42";
    private const string GObject = "libgobject-2.0.so.0";
    private const string GLib = "libglib-2.0.so.0";

    /// <summary>GObject's tagged value: a type and 16 bytes.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct GValue
    {
        public nuint Type;
        public long First;
        public long Second;
    }

    [LibraryImport(Lib, StringMarshalling = StringMarshalling.Utf8)] internal static partial int vips_init(string name);
    [LibraryImport(Lib)] internal static partial int vips_version(int flag);
    [LibraryImport(Lib)] internal static partial void vips_concurrency_set(int threads);
    [LibraryImport(Lib)] internal static partial void vips_cache_set_max(int operations);
    [LibraryImport(Lib)] internal static partial void vips_block_untrusted_set(int state);
    [LibraryImport(Lib, StringMarshalling = StringMarshalling.Utf8)] internal static partial void vips_operation_block_set(string name, int state);
    [LibraryImport(Lib)] internal static partial nint vips_error_buffer();
    [LibraryImport(Lib)] internal static partial void vips_error_clear();

    [LibraryImport(Lib, StringMarshalling = StringMarshalling.Utf8)] internal static partial nint vips_operation_new(string name);
    [LibraryImport(Lib)] internal static partial nint vips_cache_operation_build(nint operation);
    [LibraryImport(Lib, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int vips_object_set_argument_from_string(nint target, string name, string value);
    [LibraryImport(Lib)] internal static partial void vips_object_unref_outputs(nint target);

    [LibraryImport(Lib)] internal static partial nuint vips_image_get_type();
    [LibraryImport(Lib)] internal static partial nuint vips_blob_get_type();
    [LibraryImport(Lib)] internal static partial nint vips_blob_new(nint free, nint data, nuint size);
    [LibraryImport(Lib)] internal static partial nint vips_blob_get(nint blob, out nuint size);
    [LibraryImport(Lib)] internal static partial void vips_area_unref(nint area);

    [LibraryImport(Lib)] internal static partial nint vips_image_new_from_memory_copy(nint data, nuint size, int width, int height, int bands, int format);
    [LibraryImport(Lib)] internal static partial nint vips_image_write_to_memory(nint image, out nuint size);
    [LibraryImport(Lib)] internal static partial int vips_image_get_width(nint image);
    [LibraryImport(Lib)] internal static partial int vips_image_get_height(nint image);
    [LibraryImport(Lib)] internal static partial int vips_image_get_bands(nint image);
    [LibraryImport(Lib)] internal static partial int vips_image_hasalpha(nint image);
    [LibraryImport(Lib)] internal static partial int vips_image_get_orientation_swap(nint image);

    [LibraryImport(Lib, StringMarshalling = StringMarshalling.Utf8)] internal static partial nuint vips_image_get_typeof(nint image, string name);

    [LibraryImport(GObject)] internal static partial void g_object_unref(nint target);
    [LibraryImport(GObject)] internal static partial nint g_object_ref(nint target);
    [LibraryImport(GObject)] internal static partial nint g_value_init(ref GValue value, nuint type);
    [LibraryImport(GObject)] internal static partial void g_value_unset(ref GValue value);
    [LibraryImport(GObject)] internal static partial void g_value_set_object(ref GValue value, nint target);
    [LibraryImport(GObject)] internal static partial nint g_value_get_object(ref GValue value);
    [LibraryImport(GObject)] internal static partial void g_value_set_boxed(ref GValue value, nint boxed);
    [LibraryImport(GObject)] internal static partial nint g_value_get_boxed(ref GValue value);
    [LibraryImport(GObject, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial void g_object_set_property(nint target, string name, ref GValue value);
    [LibraryImport(GObject, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial void g_object_get_property(nint target, string name, ref GValue value);

    [LibraryImport(GLib)] internal static partial void g_free(nint memory);
    [LibraryImport(GLib, StringMarshalling = StringMarshalling.Utf8)] internal static partial int g_setenv(string name, string value, int overwrite);
}
