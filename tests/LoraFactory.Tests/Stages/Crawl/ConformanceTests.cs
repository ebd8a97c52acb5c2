using System.Net;
using System.Text;
using System.Text.Json;
using LoraFactory.Flow;
using LoraFactory.Pages;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Tests.Stages.Crawl;

/// <summary>Public test corpora, kept beside the repository (conformance/ in LORA_SHARED or ../shared).</summary>
public sealed class ConformanceTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData("google.jsonl", 80)]
    [InlineData("crawler-commons.jsonl", 150)]
    [InlineData("protego.jsonl", 200)]
    public void Robots_rules_agree_with_three_parsers(string file, int least)
    {
        var (wrong, cases, others, othersWrong) = (new List<string>(), 0, 0, 0);
        foreach (var test in Lines("robots/" + file))
        {
            var rules = RobotsRules.Parse(Bytes(test, "robots"), Encoding.UTF8.GetString(Bytes(test, "agent")));
            var url = Encoding.UTF8.GetString(Bytes(test, "url"));
            var agrees = rules.Allows(url, out var rule) == test.GetProperty("allowed").GetBoolean();
            if (test.GetProperty("kind").GetString() is "standard" or "rfc9309")
            {
                cases++;
                if (!agrees) wrong.Add($"{test.GetProperty("id")} {test.GetProperty("agent")} {url}: {rule}");
            }
            else
            {
                others++;
                othersWrong += agrees ? 0 : 1;
            }
        }
        output.WriteLine($"{file}: {cases - wrong.Count} of {cases}; of {others} that are one parser's own choice {others - othersWrong} agree");
        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
        Assert.True(cases >= least, $"only {cases} cases found");
    }

    [Fact]
    public void Robots_rules_agree_on_real_files()
    {
        var (wrong, cases) = (new List<string>(), 0);
        foreach (var site in Lines("robots/real.jsonl"))
        {
            var bytes = File.ReadAllBytes(Folder("robots/" + site.GetProperty("file").GetString()));
            foreach (var test in site.GetProperty("cases").EnumerateArray().Where(c => c.GetProperty("kind").GetString() == "agreed"))
            {
                cases++;
                var rules = RobotsRules.Parse(bytes, test.GetProperty("agent").GetString()!);
                if (rules.Allows(test.GetProperty("url").GetString()!, out var rule) != test.GetProperty("allowed").GetBoolean())
                    wrong.Add($"{site.GetProperty("file")} {test.GetProperty("agent")} {test.GetProperty("url")}: {rule}");
            }
        }
        output.WriteLine($"{cases - wrong.Count} of {cases}");
        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
        Assert.True(cases >= 1700, $"only {cases} cases found");
    }

    [Fact]
    public void Robots_paths_and_patterns_are_spelled_as_in_Google_s_parser()
    {
        var cases = 0;
        foreach (var test in Lines("robots/google-facts.jsonl"))
        {
            if (test.TryGetProperty("match_path", out var path)) Assert.Equal(path.GetString(), RobotsRules.PathOf(test.GetProperty("url").GetString()!));
            else if (test.TryGetProperty("valid", out var valid)) Assert.Equal(valid.GetBoolean(), IsToken(test.GetProperty("agent").GetString()!));
            else if (test.TryGetProperty("sitemaps", out var sitemaps))
                Assert.Equal(sitemaps.EnumerateArray().Select(s => s.GetString()), RobotsRules.Parse(Bytes(test, "robots"), "foo").Sitemaps);
            else continue;
            cases++;
        }
        Assert.True(cases >= 20, $"only {cases} cases found");
        static bool IsToken(string name) => name.Length > 0 && RobotsRules.ProductToken(name).Length == name.Length;
    }

    [Fact]
    public void Crawl_delays_are_read_per_group()
    {
        var cases = 0;
        foreach (var test in Lines("robots/protego-extensions.jsonl").Where(t => t.TryGetProperty("crawl_delay_s", out _)))
        {
            var expected = test.GetProperty("crawl_delay_s") is { ValueKind: JsonValueKind.Number } s ? TimeSpan.FromSeconds(s.GetDouble()) : (TimeSpan?)null;
            Assert.Equal(expected, RobotsRules.Parse(Bytes(test, "robots"), test.GetProperty("agent").GetString()!).CrawlDelay);
            cases++;
        }
        foreach (var test in Lines("robots/extension-facts.jsonl").Where(t => t.TryGetProperty("crawl_delay_ms", out _)))
        {
            // "Mozilla denybot 99.9" is a user agent that only that parser searches for names inside.
            var agent = test.GetProperty("agent").GetString()!;
            if (agent.StartsWith("Mozilla", StringComparison.Ordinal)) continue;
            var expected = test.GetProperty("crawl_delay_ms") is { ValueKind: JsonValueKind.Number } ms ? TimeSpan.FromMilliseconds(ms.GetDouble()) : (TimeSpan?)null;
            Assert.Equal(expected, RobotsRules.Parse(Bytes(test, "robots"), agent).CrawlDelay);
            cases++;
        }
        Assert.True(cases >= 10, $"only {cases} cases found");
    }

    [Fact]
    public void Addresses_are_judged_as_the_registries_say()
    {
        var (holes, defects, cases) = (new List<string>(), new List<string>(), 0);
        foreach (var test in Lines("ssrf/addresses.jsonl"))
        {
            cases++;
            var address = test.GetProperty("address").GetString()!;
            var (allowed, global) = (test.GetProperty("allowed").GetBoolean(), AddressGuard.IsGlobal(IPAddress.Parse(address)));
            if (global && !allowed) holes.Add(address);
            if (!global && allowed && !test.TryGetProperty("stricter_ok", out _)) defects.Add(address);
        }
        Assert.Empty(holes);
        Assert.Empty(defects);
        Assert.True(cases >= 160, $"only {cases} cases found");
    }

    [Fact]
    public async Task Urls_of_private_hosts_are_refused_in_every_spelling()
    {
        var (holes, defects, cases) = (new List<string>(), new List<string>(), 0);
        foreach (var test in Lines("ssrf/urls.jsonl"))
        {
            cases++;
            var text = test.GetProperty("url").GetString()!;
            var allowed = await MayDialAsync(text, []);
            if (allowed && !test.GetProperty("allowed").GetBoolean()) holes.Add(text);
            if (!allowed && test.GetProperty("allowed").GetBoolean()) defects.Add(text);
        }
        Assert.Empty(holes);
        Assert.Empty(defects);
        Assert.True(cases >= 45, $"only {cases} cases found");
    }

    [Fact]
    public async Task Redirects_and_names_that_lead_inside_are_refused()
    {
        var cases = 0;
        foreach (var test in Lines("ssrf/redirects-and-dns.jsonl"))
        {
            cases++;
            var allowed = true;
            foreach (var hop in test.GetProperty("chain").EnumerateArray())
            {
                var answers = hop.TryGetProperty("connect_resolves_to", out var later) ? later : hop.GetProperty("resolves_to");
                allowed &= await MayDialAsync(hop.GetProperty("request").GetString()!, [.. answers.EnumerateArray().Select(a => IPAddress.Parse(a.GetString()!))]);
                if (hop.TryGetProperty("location", out var location))
                {
                    var next = CanonicalUrl.Parse(location.GetString()!, new Uri(hop.GetProperty("request").GetString()!));
                    allowed &= next is not null && await MayDialAsync(next.AbsoluteUri, [IPAddress.Parse("93.184.216.34")]);
                }
            }
            Assert.True(allowed == test.GetProperty("allowed").GetBoolean(), test.GetProperty("why").GetString());
        }
        Assert.True(cases >= 11, $"only {cases} cases found");
    }

    [Fact]
    public async Task Compressed_bodies_unpack_within_caps()
    {
        var cases = 0;
        foreach (var test in Lines("bombs/cases.jsonl"))
        {
            var codings = test.GetProperty("content_encoding").EnumerateArray().Select(c => c.GetString()!).ToList();
            var limit = test.TryGetProperty("limit", out var l) ? l.GetInt64() : 10_000_000;
            await using var file = File.OpenRead(Folder("bombs/" + test.GetProperty("file").GetString()));
            var (bytes, refusal) = await BoundedBody.ReadAsync(file, codings, limit, TestContext.Current.CancellationToken);
            cases++;
            if (codings.Contains("zstd")) Assert.Equal("unsupported-encoding", refusal!.Reason); // never asked for
            else if (test.GetProperty("expect").GetString() == "decode")
            {
                Assert.Null(refusal);
                Assert.Equal(test.GetProperty("sha256").GetString(), ContentId.OfBytes(bytes));
            }
            else if (test.GetProperty("expect").GetString()!.StartsWith("refuse", StringComparison.Ordinal))
            {
                Assert.NotNull(refusal);
                Assert.True(bytes.Length <= limit);
            }
            else Assert.True(refusal is not null || bytes.Length <= test.GetProperty("recoverable_prefix_bytes").GetInt32());
        }
        Assert.True(cases >= 12, $"only {cases} cases found");
    }

    [Fact]
    public void Opt_out_signals_are_read_as_their_rules_say()
    {
        var (wrong, cases) = (new List<string>(), 0);
        foreach (var test in Lines("optout/cases.jsonl"))
        {
            cases++;
            var agent = test.GetProperty("agent").GetString()!;
            var url = new Uri(test.GetProperty("url").GetString()!);
            var rules = test.TryGetProperty("robots", out var robots) ? RobotsRules.Parse(Encoding.UTF8.GetBytes(robots.GetString()!), agent) : RobotsRules.Empty;
            var policy = new OriginPolicy { Rules = rules, Tdm = test.TryGetProperty("tdmrep_json", out var tdm) ? TdmReservation.Parse(Encoding.UTF8.GetBytes(tdm.GetRawText())) : [] };
            var headers = test.TryGetProperty("response_headers", out var fields)
                ? fields.EnumerateArray().Select(f => new KeyValuePair<string, string>(f[0].GetString()!, f[1].GetString()!)).ToList() : [];
            var page = test.TryGetProperty("html", out var html) ? new PageParser(agent).Parse(Encoding.UTF8.GetBytes(html.GetString()!), "utf-8", url).Page!.Statements : PageStatements.None;
            var mayTrain = rules.Allows(url.AbsoluteUri, out _)
                && new OptOuts(agent).Find(url, policy, headers, page, test.GetProperty("content").GetString() == "image") is null;
            var expected = test.GetProperty("expect").GetProperty("may_train").GetBoolean();
            if (mayTrain != expected && !(expected && test.TryGetProperty("stricter_ok", out _))) wrong.Add(test.GetProperty("id").GetString()!);
        }
        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
        Assert.True(cases >= 50, $"only {cases} cases found");
    }

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

    [Fact]
    public void A_ConceptNet_excerpt_is_imported_whole()
    {
        using var folder = new TemporaryFolder();
        var done = ConceptStore.Import(Folder("conceptnet/assertions.csv"), folder.File("all.db"), language: null, token: TestContext.Current.CancellationToken);
        var expected = JsonDocument.Parse(File.ReadAllText(Folder("conceptnet/expected.json"))).RootElement;
        using var store = ConceptStore.Open(folder.File("all.db"));
        Assert.Equal(expected.GetProperty("edges").GetInt64(), done.Edges);
        Assert.Equal(expected.GetProperty("edges").GetInt64(), store.Count);
        Assert.Equal(expected.GetProperty("distinct_uris").GetInt64(), store.Totals.Distinct);
        Assert.Equal(expected.GetProperty("sum_of_weights").GetDouble(), store.Totals.Weights, 6);
        Assert.Equal(expected.GetProperty("relations").EnumerateObject().ToDictionary(r => r.Name, r => r.Value.GetInt64()), store.Relations);
        var english = ConceptStore.Import(Folder("conceptnet/assertions.csv"), folder.File("en.db"), token: TestContext.Current.CancellationToken);
        Assert.Equal(expected.GetProperty("english_english_edges").GetInt64(), english.Edges);
    }

    [Fact]
    public void Urls_are_normalised_nearly_as_another_crawler_does()
    {
        var (right, cases) = (0, 0);
        foreach (var test in Lines("urls/crawler-commons-normalizer.jsonl"))
        {
            var url = test.GetProperty("url").GetString()!;
            if (!url.StartsWith("http", StringComparison.OrdinalIgnoreCase)) continue;
            cases++;
            var mine = CanonicalUrl.Parse(url)?.AbsoluteUri;
            if (mine == test.GetProperty("normalized").GetString()) right++;
            else output.WriteLine($"{url} -> {mine}, there {test.GetProperty("normalized")}");
        }
        output.WriteLine($"{right} of {cases}");
        Assert.True(cases >= 60, $"only {cases} cases found");
        Assert.True(right >= cases * 0.75, $"{right} of {cases}; the policy's own choices are in the stage's README");
    }

    private static async Task<bool> MayDialAsync(string text, IPAddress[] answers)
    {
        if (CanonicalUrl.Parse(text) is not { } url) return false;
        var guard = new AddressGuard(resolve: (_, _) => Task.FromResult(answers));
        if (guard.Judge(url) is not null) return false;
        try
        {
            return (await guard.EndPointsAsync(url.Host, url.Port, CancellationToken.None)).Count > 0;
        }
        catch (Exception e) when (e is AddressRefusedException or System.Net.Sockets.SocketException)
        {
            return false;
        }
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
