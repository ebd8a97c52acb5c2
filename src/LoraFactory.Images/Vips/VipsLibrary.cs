using System.Runtime.InteropServices;
using static LoraFactory.Images.Vips.VipsNative;

namespace LoraFactory.Images.Vips;

/// <summary>Loads libvips when the first picture needs it, once per process.</summary>
public static class VipsLibrary
{
    private static readonly Lazy<string> Loaded = new(Load, LazyThreadSafetyMode.ExecutionAndPublication);

    /// <summary>Its version, e.g. "8.14.1". Throws <see cref="PictureException"/> (LibraryMissing) that names the package to install.</summary>
    public static string Version => Loaded.Value;

    /// <summary>Makes sure that it is there.</summary>
    internal static void Require() => _ = Loaded.Value;

    /// <summary>Takes what libvips said about the last failure, in one line, and clears it.</summary>
    internal static string TakeError()
    {
        var text = Marshal.PtrToStringUTF8(vips_error_buffer()) ?? "";
        vips_error_clear();
        var line = string.Join("; ", text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Distinct());
        return line.Length switch { 0 => "no reason given", > 300 => line[..300], _ => line };
    }

    private static string Load()
    {
        try
        {
            // Warnings about other people's files would go to the terminal.
            g_setenv("VIPS_WARNING", "0", 1);
            // libvips would load its plug-ins (ImageMagick, poppler, openslide …) into the process, symbols of another SQLite with them, which
            // then break ours; a home without any keeps them out, and their attack surface too.
            g_setenv("VIPSHOME", "/nonexistent", 1);
            if (vips_init("lora") != 0) throw new PictureException(PictureFault.LibraryMissing, $"libvips could not start: {TakeError()}.");
            var version = $"{vips_version(0)}.{vips_version(1)}.{vips_version(2)}";
            if (vips_version(0) != 8 || vips_version(1) < 13)
                throw new PictureException(PictureFault.LibraryMissing, $"libvips {version} is too old: 8.13 or newer is needed; run: apt-get install libvips42");
            // One thread per call: the callers run several calls at once. No cache: no picture is computed twice.
            vips_concurrency_set(1);
            vips_cache_set_max(0);
            // Only the loaders whose libraries are fuzzed and that are used here; everything else stays shut.
            vips_block_untrusted_set(1);
            vips_operation_block_set("VipsForeignLoad", 1);
            foreach (var loader in (string[])["Png", "Jpeg", "Webp", "Nsgif", "Tiff"])
                vips_operation_block_set($"VipsForeignLoad{loader}", 0);
            return version;
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            throw new PictureException(PictureFault.LibraryMissing,
                "libvips.so.42 was not found; pictures need it: run apt-get install libvips42 (Debian, Ubuntu).", e);
        }
    }
}
