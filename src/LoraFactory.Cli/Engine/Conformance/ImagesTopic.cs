using System.Text.Json;
using LoraFactory.Images;

namespace LoraFactory.Cli.Engine.Conformance;

/// <summary>Photographs decode to the size, format and colours that their index states.</summary>
internal sealed class ImagesTopic : IConformanceTopic
{
    private const string Index = "images.jsonl";

    /// <inheritdoc/>
    public string Name => "images";

    /// <inheritdoc/>
    public IReadOnlyList<string> Marks => [Index];

    /// <inheritdoc/>
    public Task JudgeAsync(ConformanceFolder folder, CancellationToken token)
    {
        foreach (var test in folder.Lines(Index))
        {
            token.ThrowIfCancellationRequested();
            var file = test.GetProperty("file").GetString()!;
            if (!folder.Has(file)) folder.Of(Index).Skip("the file is not in the folder");
            else
            {
                var fault = Fault(test, File.ReadAllBytes(folder.File(file)));
                folder.Of(Index).Require(fault is null, () => $"{file}: {fault}");
            }
        }
        return Task.CompletedTask;
    }

    private static string? Fault(JsonElement test, byte[] bytes)
    {
        var size = (test.GetProperty("width").GetInt32(), test.GetProperty("height").GetInt32());
        if (PictureHeader.Read(bytes) is not { } header) return "its header is not read";
        if (ConformanceFolder.Text(test, "format") is { } format && !header.Format.ToString().Equals(format, StringComparison.OrdinalIgnoreCase)) return $"a {header.Format}, expected {format}";
        if (test.TryGetProperty("frames", out var frames) && header.Frames != frames.GetInt32()) return $"{header.Frames} frames, expected {frames}";
        Picture picture;
        try
        {
            picture = PictureDecoder.Decode(bytes);
        }
        catch (PictureException e)
        {
            return e.Message;
        }
        if ((picture.Width, picture.Height) != size) return $"{picture.Width}×{picture.Height}, expected {size.Item1}×{size.Item2}";
        // Pictures are three bands here whatever the file has: one of grey is grey in each pixel, one of colour is not in all.
        var grey = true;
        for (var i = 0; i < picture.Pixels.Length && grey; i += 3) grey = picture.Pixels[i] == picture.Pixels[i + 1] && picture.Pixels[i] == picture.Pixels[i + 2];
        return ConformanceFolder.Text(test, "mode") switch
        {
            "L" or "1" or "I;16" or "I" when !grey => "has colours, expected grey",
            "RGB" when grey => "is grey, expected colours",
            _ => null,
        };
    }
}
