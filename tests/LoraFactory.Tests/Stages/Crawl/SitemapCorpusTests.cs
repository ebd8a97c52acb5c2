using System.Text;
using System.Text.Json;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Tests.Stages.Crawl;

/// <summary>Public sitemaps, kept beside the repository.</summary>
public sealed class SitemapCorpusTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Hostile_sitemaps_open_nothing_and_good_ones_give_their_pages()
    {
        var (right, cases, hostile) = (0, 0, 0);
        foreach (var test in Lines("sitemaps/cases.jsonl"))
        {
            var expect = test.GetProperty("expect");
            var body = test.TryGetProperty("file", out var file) ? File.ReadAllBytes(Folder("sitemaps/" + file.GetString())) : Bytes(test, "body");
            var read = await SitemapReader.ReadAsync(body, new Uri(test.GetProperty("url").GetString()!), TestContext.Current.CancellationToken);
            var urls = read.Urls.Select(u => u.AbsoluteUri).ToList();
            if (expect.GetProperty("kind").GetString() == "error-or-urls")
            {
                hostile++;
                var listed = expect.GetProperty("urls").EnumerateArray().Select(Location).ToList();
                Assert.All(urls, u => Assert.Contains(u, listed));
                continue;
            }
            cases++;
            var all = urls.Concat(read.Sitemaps.Select(s => s.AbsoluteUri)).ToList();
            var wanted = expect.TryGetProperty("urls", out var list) || expect.TryGetProperty("sitemaps", out list)
                ? list.EnumerateArray().Select(Location).ToList() : null;
            var good = wanted is not null ? wanted.Count == all.Count : expect.TryGetProperty("count", out var count) && count.GetInt32() == all.Count;
            if (good) right++;
            else output.WriteLine($"{test.GetProperty("name")}: {all.Count} URLs");
        }
        output.WriteLine($"{right} of {cases}, {hostile} hostile");
        Assert.True(hostile >= 4 && cases >= 30, $"only {cases} and {hostile} cases found");
        Assert.True(right >= cases * 0.85, $"{right} of {cases}");
        static string Location(JsonElement e) => (e.ValueKind == JsonValueKind.String ? e.GetString() : e.GetProperty("loc").GetString())!;
    }

    private static string Folder(string path)
    {
        var found = TestData.Shared("conformance/" + path);
        Assert.SkipWhen(found is null, "The public corpora are not kept in this repository; set LORA_SHARED to a folder with conformance/.");
        return found!;
    }

    private static IEnumerable<JsonElement> Lines(string path) => File.ReadLines(Folder(path)).Where(l => l.Length > 0).Select(l => JsonDocument.Parse(l).RootElement);

    private static byte[] Bytes(JsonElement test, string name) =>
        test.TryGetProperty(name + "_base64", out var packed) ? packed.GetBytesFromBase64()
        : test.TryGetProperty(name, out var text) && text.ValueKind == JsonValueKind.String ? Encoding.UTF8.GetBytes(text.GetString()!) : [];
}
