using System.Text.Json;

namespace LoraFactory.Images;

/// <summary>
/// How a model wants its pictures: the options of a Hugging Face preprocessor_config.json of the CLIP, BLIP and ViT kinds, applied as their
/// Pillow path does, bit for bit: resize, centre crop, rescale, normalise.
/// </summary>
public sealed record PictureProcessor
{
    /// <summary>Side that the shorter edge is resized to; null when <see cref="Height"/> and <see cref="Width"/> say the exact size.</summary>
    public int? ShortestEdge { get; init; }
    /// <summary>Exact height after resizing, pixels.</summary>
    public int Height { get; init; } = 224;
    /// <summary>Exact width after resizing, pixels.</summary>
    public int Width { get; init; } = 224;
    /// <summary>Whether to resize.</summary>
    public bool Resizes { get; init; } = true;
    /// <summary>Filter.</summary>
    public Resampling Filter { get; init; } = Resampling.Bicubic;
    /// <summary>Height and width of the centre crop; null crops nothing.</summary>
    public (int Height, int Width)? Crop { get; init; }
    /// <summary>Factor on 0..255; null leaves the levels.</summary>
    public double? RescaleFactor { get; init; } = 1 / 255.0;
    /// <summary>Mean per channel, subtracted; null normalises nothing.</summary>
    public IReadOnlyList<float>? Mean { get; init; }
    /// <summary>Standard deviation per channel, divided by.</summary>
    public IReadOnlyList<float>? Deviation { get; init; }

    /// <summary>OpenAI CLIP at 224: shortest edge, bicubic, centre crop, CLIP's mean and deviation.</summary>
    public static PictureProcessor Clip(int side = 224) => new()
    {
        ShortestEdge = side,
        Crop = (side, side),
        Mean = [0.48145466f, 0.4578275f, 0.40821073f],
        Deviation = [0.26862954f, 0.26130258f, 0.27577711f],
    };

    /// <summary>Height and width of the result, when it does not depend on the picture: the crop, or the exact size.</summary>
    public (int Height, int Width)? OutputSize => Crop ?? (ShortestEdge is null && Resizes ? (Height, Width) : null);

    /// <summary>The square that it takes of a picture before it looks at numbers; null where it takes anything else. Of that square it makes the same numbers as of the picture.</summary>
    public PictureSquare? Square => Resizes && ShortestEdge is { } edge && Crop == (edge, edge) ? new(edge, Filter) : null;

    /// <summary>Reads the object of preprocessor_config.json. Throws <see cref="FormatException"/> that names the field.</summary>
    public static PictureProcessor Parse(JsonElement config)
    {
        var processor = new PictureProcessor();
        if (config.TryGetProperty("size", out var size))
        {
            processor = size.ValueKind == JsonValueKind.Number ? processor with { ShortestEdge = size.GetInt32() }
                : size.TryGetProperty("shortest_edge", out var edge) ? processor with { ShortestEdge = Side(edge, "size.shortest_edge") }
                : processor with { Height = Side(size.GetProperty("height"), "size.height"), Width = Side(size.GetProperty("width"), "size.width") };
        }
        if (Flag(config, "do_center_crop", false) && config.TryGetProperty("crop_size", out var crop))
        {
            processor = processor with
            {
                Crop = crop.ValueKind == JsonValueKind.Number ? (crop.GetInt32(), crop.GetInt32())
                    : (Side(crop.GetProperty("height"), "crop_size.height"), Side(crop.GetProperty("width"), "crop_size.width")),
            };
        }
        if (config.TryGetProperty("resample", out var resample))
        {
            processor = processor with
            {
                Filter = resample.GetInt32() switch
                {
                    1 => Resampling.Lanczos,
                    2 => Resampling.Bilinear,
                    3 => Resampling.Bicubic,
                    4 => Resampling.Box,
                    var other => throw new FormatException($"resample: {other} is no filter that is known; 1 Lanczos, 2 bilinear, 3 bicubic, 4 box."),
                },
            };
        }
        return processor with
        {
            Resizes = Flag(config, "do_resize", true),
            RescaleFactor = !Flag(config, "do_rescale", true) ? null : config.TryGetProperty("rescale_factor", out var factor) ? factor.GetDouble() : 1 / 255.0,
            Mean = Flag(config, "do_normalize", true) ? Channels(config, "image_mean") : null,
            Deviation = Flag(config, "do_normalize", true) ? Channels(config, "image_std") : null,
        };
    }

    /// <summary>The resized picture, before cropping.</summary>
    public Picture Resize(Picture picture) => !Resizes ? picture
        : ShortestEdge is { } edge ? PictureResampler.ResizeShortestEdge(picture, edge, Filter)
        : PictureResampler.Resize(picture, Width, Height, Filter);

    /// <summary>All of it: float32 [3, H, W], channel by channel.</summary>
    public float[] Process(Picture picture, out int height, out int width)
    {
        var resized = Resize(picture);
        var cropped = Crop is { } crop ? CentreCrop(resized, crop.Height, crop.Width) : resized;
        (height, width) = (cropped.Height, cropped.Width);
        var plane = height * width;
        var output = new float[3 * plane];
        for (var channel = 0; channel < 3; channel++)
        {
            for (var i = 0; i < plane; i++)
            {
                float value = cropped.Pixels[i * 3 + channel];
                if (RescaleFactor is { } factor) value = (float)(cropped.Pixels[i * 3 + channel] * factor);
                if (Mean is { } mean && Deviation is { } deviation) value = (value - mean[channel]) / deviation[channel];
                output[channel * plane + i] = value;
            }
        }
        return output;
    }

    /// <summary>Cuts out the middle; a picture that is smaller is set on black, the larger margin left and on top.</summary>
    public static Picture CentreCrop(Picture picture, int height, int width)
    {
        int top = FloorHalf(picture.Height - height), left = FloorHalf(picture.Width - width);
        if (top >= 0 && left >= 0) return picture.Crop(left, top, width, height);
        // The reference pads both axes first and then cuts at the shifted place.
        int padTop = (Math.Max(0, height - picture.Height) + 1) / 2, padLeft = (Math.Max(0, width - picture.Width) + 1) / 2;
        var canvas = new Picture(width, height, new byte[width * height * 3]);
        canvas.Paste(picture, padLeft - Math.Max(0, left + padLeft), padTop - Math.Max(0, top + padTop));
        return canvas;
    }

    private static int FloorHalf(int value) => (int)Math.Floor(value / 2.0);

    private static bool Flag(JsonElement config, string name, bool otherwise) =>
        config.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : otherwise;

    private static int Side(JsonElement value, string name) =>
        value.TryGetInt32(out var side) && side is >= 1 and <= 65536 ? side : throw new FormatException($"{name}: {value} is no side of 1 to 65536 pixels.");

    private static float[]? Channels(JsonElement config, string name)
    {
        if (!config.TryGetProperty(name, out var values)) return null;
        var channels = values.EnumerateArray().Select(value => value.GetSingle()).ToArray();
        return channels.Length == 3 ? channels : throw new FormatException($"{name}: {channels.Length} values; 3 are needed.");
    }
}
