using System.Runtime.InteropServices;
using LoraFactory.Images;
using LoraFactory.Models.Weights;

namespace LoraFactory.Models.Parity;

/// <summary>Model processors from decoded pictures: the resized bytes exactly, the values within the case's tolerance.</summary>
public sealed class ProcessorCheck : IGoldenCheck
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Kinds => ["processors"];

    /// <inheritdoc/>
    public void Run(GoldenCase @case, Findings found)
    {
        var tolerance = @case.Tolerance("pixel_values");
        foreach (var options in @case.Json.GetProperty("processors").EnumerateObject())
        {
            var processor = PictureProcessor.Parse(options.Value);
            foreach (var file in options.Value.GetProperty("files").EnumerateArray().Select(file => file.GetString()!))
            {
                var input = ReadPicture(@case, $"in.{file}.rgb");
                var resized = $"out.{options.Name}.{file}.resized";
                if (@case.Has(resized)) Same(found, resized, processor.Resize(input), ReadPicture(@case, resized));
                var name = $"out.{options.Name}.{file}.pixel_values";
                var values = processor.Process(input, out var height, out var width);
                var expected = @case.Open()[name];
                if (found.Same($"{name} shape", [3L, height, width], expected.Shape))
                    found.Close(name, Array.ConvertAll(values, value => (double)value), Floats(expected), tolerance, [3, height, width]);
            }
        }
    }

    private static double[] Floats(Weight weight) => Array.ConvertAll(MemoryMarshal.Cast<byte, float>(weight.ToArray()).ToArray(), value => (double)value);

    internal static Picture ReadPicture(GoldenCase @case, string name)
    {
        var weight = @case.Open()[name];
        return new Picture((int)weight.Shape[1], (int)weight.Shape[0], weight.ToArray());
    }

    internal static void Same(Findings found, string name, Picture actual, Picture expected)
    {
        if (found.Same($"{name} size", [actual.Width, actual.Height], [expected.Width, expected.Height])) found.Same(name, actual.Pixels, expected.Pixels);
    }
}

/// <summary>Shrinking by area, bit for bit.</summary>
public sealed class AreaCheck : IGoldenCheck
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Kinds => ["area"];

    /// <inheritdoc/>
    public void Run(GoldenCase @case, Findings found)
    {
        foreach (var image in @case.Json.GetProperty("images").EnumerateObject())
        {
            var expected = ProcessorCheck.ReadPicture(@case, $"out.{image.Name}.resized");
            ProcessorCheck.Same(found, $"out.{image.Name}.resized", AreaShrinking.Shrink(ProcessorCheck.ReadPicture(@case, $"in.{image.Name}.rgb"), expected.Width, expected.Height), expected);
        }
    }
}
