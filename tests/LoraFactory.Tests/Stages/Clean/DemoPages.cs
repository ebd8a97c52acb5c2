using System.Text.Json;
using AngleSharp.Dom;
using AngleSharp.Html.Parser;
using LoraFactory.Flow;

namespace LoraFactory.Tests.Stages.Clean;

/// <summary>The demo web's files as the crawl would have found them: what robots.txt closes is not fetched, what opted out says so.</summary>
internal static class DemoPages
{
    public static string Folder { get; } = Path.Combine(TestData.Root, "demo", "web");

    /// <summary>One line of truth.jsonl.</summary>
    public sealed record Truth(string Host, string Image, string Style, bool Keep, string? Why)
    {
        public string Url => $"http://{Host}{Image}";
    }

    public static IReadOnlyList<Truth> ReadTruth() => [.. RunDirectory.ReadLines<Truth>(Path.Combine(Folder, "truth.jsonl"))];

    /// <summary>Writes 1-crawl of a run.</summary>
    public static void Crawl(RunDirectory run, Seed seed)
    {
        RunDirectory.WriteJson(run.File(StageName.Crawl, "seed.json"), seed);
        var pages = new List<Page>();
        foreach (var file in Directory.GetFiles(Folder, "*.html", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            var path = Path.GetRelativePath(Folder, file).Replace('\\', '/');
            var host = path[..path.IndexOf('/', StringComparison.Ordinal)];
            if (host is "closed.test" or "down.test" or "ads.test" || path.StartsWith("drawings.test/drafts/", StringComparison.Ordinal)) continue;
            pages.Add(ToPage(run, seed, file, new Uri($"http://{path.Replace("/index.html", "/", StringComparison.Ordinal)}")));
        }
        RunDirectory.WriteLines(run.File(StageName.Crawl, "pages.jsonl"), pages);
    }

    private static Page ToPage(RunDirectory run, Seed seed, string file, Uri url)
    {
        var bytes = File.ReadAllBytes(file);
        using var document = new HtmlParser().ParseDocument(new MemoryStream(bytes));
        var optOut = url.Host == "optout.test" ? "x-robots-tag:noai" : null;
        var hash = run.PutBlob(bytes);
        return new Page
        {
            Id = ContentId.Of(url.AbsoluteUri, hash),
            SeedId = seed.Id,
            Url = url.AbsoluteUri,
            FinalUrl = url.AbsoluteUri,
            Status = 200,
            FetchedAt = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero),
            Headers = new Dictionary<string, string> { ["content-type"] = "text/html; charset=utf-8" },
            BlobHash = hash,
            MediaType = "text/html",
            Depth = url.Segments.Length - 1,
            Title = document.Title ?? "",
            OptOut = optOut,
            Licence = document.QuerySelector("link[rel=license]")?.GetAttribute("href"),
            Pictures = [.. document.QuerySelectorAll("img").Select(image => ToPicture(run, image, url, optOut))],
        };
    }

    private static PagePicture ToPicture(RunDirectory run, IElement image, Uri page, string? optOut)
    {
        var url = new Uri(page, image.GetAttribute("src"));
        var path = Path.Combine(Folder, url.Host, url.AbsolutePath.TrimStart('/'));
        var figure = image.Closest("figure");
        IElement place = figure ?? image;
        var near = new[] { Nearest(place, e => e.PreviousElementSibling), Nearest(place, e => e.NextElementSibling) };
        var refused = url.Host == "ads.test" ? "robots-denied" : File.Exists(path) ? null : "status-404";
        return new PagePicture
        {
            Url = url.AbsoluteUri,
            BlobHash = refused is null ? run.PutBlob(File.ReadAllBytes(path)) : null,
            Refused = refused,
            Caption = figure?.QuerySelector("figcaption")?.TextContent ?? "",
            Alt = image.GetAttribute("alt") ?? "",
            Title = image.GetAttribute("title") ?? "",
            Context = string.Join(' ', near.Where(text => text.Length > 0)),
            OptOut = optOut,
        };
    }

    private static string Nearest(IElement from, Func<IElement, IElement?> next)
    {
        for (var element = next(from); element is not null; element = next(element))
            if (element.LocalName is "p" or "h1" or "h2") return element.TextContent;
        return "";
    }

    /// <summary>What seed expansion makes of a topic, without its long tail.</summary>
    public static Seed Seed(string topic, params (string Text, double Weight)[] terms) =>
        new(ContentId.Of(topic), topic, [new SeedTerm(topic, 1, "topic"), .. terms.Select(term => new SeedTerm(term.Text, term.Weight, "wordnet"))], ["http://drawings.test/"]);
}
