using System.Text.Json;
using LoraFactory.Images;
using Xunit;

namespace LoraFactory.Tests.Images;

public class PictureProcessorTests
{
    [Fact]
    public void Resized_and_processed_pictures_equal_the_golden_ones()
    {
        using var golden = new GoldenPictures();
        int cases = 0, resizedCases = 0;
        var misses = new List<string>();
        foreach (var (name, options, file) in golden.Cases())
        {
            cases++;
            var processor = PictureProcessor.Parse(options);
            var input = golden.Picture($"in.{file}.rgb");
            if (golden.Contains($"out.{name}.{file}.resized"))
            {
                resizedCases++;
                var expected = golden.Picture($"out.{name}.{file}.resized");
                var resized = processor.Resize(input);
                if (resized.Width != expected.Width || resized.Height != expected.Height || !resized.Pixels.AsSpan().SequenceEqual(expected.Pixels))
                    misses.Add($"{name} {file}: resized differs");
            }
            var values = processor.Process(input, out var height, out var width);
            var expectedValues = golden.Floats($"out.{name}.{file}.pixel_values");
            Assert.Equal(expectedValues.Length, 3 * height * width);
            var worst = values.Zip(expectedValues, (a, b) => Math.Abs(a - b)).Max();
            if (!(worst <= 1e-6)) misses.Add($"{name} {file}: off by {worst}");
        }
        Assert.Empty(misses);
        Assert.Equal(52, cases);
        Assert.Equal(34, resizedCases);
    }

    [Fact]
    public void Resampling_weights_equal_the_golden_tables()
    {
        using var tables = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(GoldenPictures.Folder, "resample_coefficients.json")));
        var rows = 0;
        foreach (var table in tables.RootElement.EnumerateArray())
        {
            var weights = new PictureResampler.Weights(table.GetProperty("in").GetInt32(), table.GetProperty("out").GetInt32(),
                Enum.Parse<Resampling>(table.GetProperty("filter").GetString()!, ignoreCase: true));
            var all = table.GetProperty("rows").GetArrayLength() == weights.Count;
            foreach (var (row, i) in table.GetProperty("rows").EnumerateArray().Select((row, i) => (row, i)))
            {
                // Large tables state the first two rows and the last two.
                var at = all || i < 2 ? i : weights.Count - 4 + i;
                var (low, fixedPoint) = weights[at];
                Assert.Equal(row.GetProperty("lo").GetInt32(), low);
                Assert.Equal(row.GetProperty("fixed22").EnumerateArray().Select(value => value.GetInt32()), fixedPoint);
                Assert.Equal(row.GetProperty("w").EnumerateArray().Select(value => value.GetDouble()), weights.Exact[at], (a, b) => Math.Abs(a - b) < 1e-14);
                rows++;
            }
        }
        Assert.True(rows > 50, $"{rows} rows");
    }

    [Theory]
    [InlineData("""{"size": {"shortest_edge": 0}}""", "size.shortest_edge")]
    [InlineData("""{"resample": 9}""", "resample")]
    [InlineData("""{"image_mean": [0.5], "image_std": [0.5]}""", "image_mean")]
    public void A_wrong_configuration_is_named(string config, string field)
    {
        using var parsed = JsonDocument.Parse(config);
        Assert.Contains(field, Assert.Throws<FormatException>(() => PictureProcessor.Parse(parsed.RootElement)).Message);
    }
}
