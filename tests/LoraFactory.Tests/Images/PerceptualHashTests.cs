using System.Text.Json;
using LoraFactory.Images;
using Xunit;

namespace LoraFactory.Tests.Images;

public class PerceptualHashTests
{
    private static readonly Dictionary<string, Func<Picture, string>> Hashes = new()
    {
        ["ahash"] = picture => PerceptualHash.Average(picture),
        ["dhash"] = picture => PerceptualHash.Difference(picture),
        ["dhash_vertical"] = picture => PerceptualHash.DifferenceVertical(picture),
        ["phash"] = picture => PerceptualHash.Dct(picture),
        ["phash_16"] = picture => PerceptualHash.Dct(picture, 16),
        ["dhash_16"] = picture => PerceptualHash.Difference(picture, 16),
    };

    [Fact]
    public void Every_hash_of_the_golden_pictures_is_exact()
    {
        var folder = TestData.Golden("text-image/image-hash");
        using var cases = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "cases.json")));
        var misses = new List<string>();
        var count = 0;
        foreach (var image in cases.RootElement.GetProperty("images").EnumerateArray())
        {
            foreach (var variant in image.GetProperty("variants").EnumerateObject())
            {
                var file = variant.Value.GetProperty("file").GetString()!;
                var picture = PictureDecoder.DecodeFile(Path.Combine(folder, "images", file));
                foreach (var (name, hash) in Hashes)
                {
                    count++;
                    var expected = variant.Value.GetProperty(name).GetString();
                    var actual = hash(picture);
                    if (actual != expected) misses.Add($"{file} {name}: {actual}, not {expected}");
                }
            }
        }
        Assert.Empty(misses);
        Assert.Equal(111 * 6, count);
    }

    [Fact]
    public void Distance_counts_bits()
    {
        Assert.Equal(0, PerceptualHash.Distance("ccc82e966e8cab53", "ccc82e966e8cab53"));
        Assert.Equal(1 + 4, PerceptualHash.Distance("0000000000000000f0", "0000000000000001" + "00"));
    }

    [Fact]
    public void Public_near_duplicates_are_joined_and_others_stay_apart()
    {
        // Third-party photographs, kept beside the repository.
        if (TestData.Shared("conformance/imagedups") is not { } folder)
        {
            Assert.Skip("conformance/imagedups is not there");
            return;
        }
        using var expected = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "expected.json")));
        var files = Directory.GetFiles(Path.Combine(folder, "mixed_images")).Order(StringComparer.Ordinal).ToArray();
        var hashes = new Dictionary<string, string>();
        foreach (var file in files)
        {
            try
            {
                hashes[Path.GetFileName(file)] = PerceptualHash.Dct(PictureDecoder.DecodeFile(file));
            }
            catch (PictureException e)
            {
                Assert.Contains(Path.GetFileName(file), expected.RootElement.GetProperty("corrupt").EnumerateArray().Select(name => name.GetString()));
                Assert.True(e.Fault is PictureFault.Damaged or PictureFault.Unsupported, e.Message);
            }
        }
        Assert.True(hashes.Count >= 3, $"{hashes.Count} readable pictures");
        foreach (var (name, hash) in hashes)
        {
            // Their hash has another layout, so the digits are not compared; who is whose twin is.
            var twins = expected.RootElement.GetProperty("duplicates_phash_distance_10").GetProperty(name).EnumerateArray().Select(twin => twin.GetString());
            Assert.Equal(twins.Where(twin => hashes.ContainsKey(twin!)), hashes.Where(other => other.Key != name && PerceptualHash.Distance(hash, other.Value) <= 10).Select(other => other.Key));
        }
    }
}
