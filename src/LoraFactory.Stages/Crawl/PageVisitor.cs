using LoraFactory.Flow;
using LoraFactory.Pages;
using LoraFactory.Pages.Html;
using LoraFactory.Stages.Crawl.Rendering;

namespace LoraFactory.Stages.Crawl;

/// <summary>Visits one URL: asks robots.txt, fetches within caps, judges opt-outs, parses. Bytes go to the blob store; the frontier is not touched.</summary>
public sealed class PageVisitor(CrawlOptions options, Seed seed, RunDirectory run, PageFetcher fetcher, RobotsCache robots, TopicRelevance relevance, LinkPolicy policy, TimeProvider clock, IKnownPages known, PageRenderer? renderer = null)
{
    private static readonly string[] KeptHeaders =
        ["content-type", "content-language", "content-length", "last-modified", "etag", "link", "license", "x-robots-tag", "tdm-reservation", "tdm-policy", "content-signal", "content-usage"];

    private readonly OptOuts optOuts = new(options.UserAgent);
    private readonly PageParser parser = new(options.UserAgent);

    /// <summary>Visits; throws only when cancelled, and where bytes cannot be written.</summary>
    public async Task<Visit> VisitAsync(FrontierUrl item, CancellationToken token)
    {
        try
        {
            return await (item.Kind switch
            {
                UrlKind.Page => PageAsync(item, token),
                UrlKind.Picture => PictureAsync(item, token),
                _ => SitemapAsync(item, token),
            });
        }
        catch (Exception e) when (!(e is OperationCanceledException && token.IsCancellationRequested) && e is not (IOException or UnauthorizedAccessException or LoraException or OutOfMemoryException))
        {
            // one answer that a library chokes on costs that answer, never the night's crawl
            var refusal = new Refusal("unreadable", $"{e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}");
            return new(item, refusal) { Picture = item.Kind == UrlKind.Picture ? new PictureOutcome(null, refusal.Reason, null, null) : null };
        }
    }

    private async Task<Visit> PageAsync(FrontierUrl item, CancellationToken token)
    {
        // A seed may be a sitemap or a feed as well.
        var isSeed = item.Depth == 0;
        var order = new FetchOrder("text/html,application/xhtml+xml;q=0.9,*/*;q=0.1", isSeed ? MostOfSitemap : options.MaxPageBytes, (url, stop) => AdmitPageAsync(item.Url, url, stop), a => isSeed && IsListing(a.MediaType) ? null : JudgeType(a)) { Missing = url => !known.HasMissingPage(url.Host) };
        var answer = await fetcher.GetAsync(item.Url, order, token);
        if (answer.Refusal is null && isSeed && IsListing(MediaSniffing.Compute(answer.Body, answer.MediaType.Length > 0 ? answer.MediaType : null)) && await SeedListAsync(item, answer, token) is { } list) return list;
        if (answer.Refusal is null && JudgeType(answer) is { } other) return new(item, other) { Status = answer.Status };
        if (answer.Refusal is not null) return Failed(item, answer) with { Missing = answer.Body.Length > 0 && parser.Parse(answer.Body, answer.Charset, answer.FinalUrl).Page is { } shown ? SignatureOf(shown).Words : 0 };
        var (parsed, broken) = parser.Parse(answer.Body, answer.Charset, answer.FinalUrl);
        var read = new ReadPage(answer, parsed, null, broken);
        if (renderer is not null && parsed is not null && renderer.Wants(answer) && optOuts.Find(answer.FinalUrl, await robots.OfAsync(answer.FinalUrl, token), answer.Headers, parsed.Statements, image: true) is null)
            read = await RenderAsync(renderer, answer, parsed, token);
        if ((read.Parsed is null ? read.Fault : MissingPage.Judge(read.Parsed.Title, read.Parsed.Gist)) is { } unfit) return new(item, unfit) { Status = answer.Status };
        return await KeptAsync(item, read.Answer, read.Parsed!, read.Sent, token);
    }

    // A page as it is kept; Sent are the bytes that came where its scripts have made others of them.
    private sealed record ReadPage(Fetched Answer, ParsedPage? Parsed, byte[]? Sent, Refusal? Fault);

    // The page that its scripts made stands in for the one that was sent, and what either says about its use counts. Where it cannot be had, the one
    // that was sent is taken, unless it is empty without its scripts.
    private async Task<ReadPage> RenderAsync(PageRenderer renderer, Fetched sent, ParsedPage before, CancellationToken token)
    {
        var rendered = await renderer.RenderAsync(sent, token);
        if (rendered.Html is null) return PageRenderer.IsShell(sent) ? new(sent, null, null, new("render-failed", rendered.Failure)) : new(sent, before, null, null);
        var body = PageRenderer.Bytes(rendered.Html);
        if (body.Length > options.MaxPageBytes) return new(sent, null, null, new("too-large", $"{body.Length} bytes when its scripts have run, at most {options.MaxPageBytes}", body.Length, options.MaxPageBytes));
        var (after, broken) = parser.Parse(body, null, rendered.Url);
        if (after is null) return new(sent, null, null, broken);
        var links = after.Links.Concat(rendered.Targets.Select(t => new PageLink(t, ""))).DistinctBy(l => l.Url.AbsoluteUri).ToList();
        var parsed = after with { Reading = after.Reading with { Links = links }, Statements = PageStatements.Stricter(before.Statements, after.Statements) };
        return new(sent with { Body = body, MediaType = "text/html" }, parsed, sent.Body, null);
    }

    private static Visit Failed(FrontierUrl item, Fetched answer) => new(item, answer.Refusal) { Status = answer.Status, RetryAfter = answer.RetryAfter, AnsweredBy = Other(item, answer), Redirected = answer.Redirects > 0 };

    private static string? Other(FrontierUrl item, Fetched answer) => answer.FinalUrl.Host == item.Url.Host ? null : answer.FinalUrl.Host;

    // Before each hop: what was withdrawn is not asked for, whatever leads there, and robots.txt has its say.
    private async ValueTask<Refusal?> AdmitAsync(Uri url, CancellationToken token) => policy.Withdrawn(url.AbsoluteUri) ?? await robots.JudgeAsync(url, token);

    // A redirect to a page that is kept or waits for its own turn is one address more of it, and need not be fetched.
    private ValueTask<Refusal?> AdmitPageAsync(Uri from, Uri to, CancellationToken token) =>
        to != from && known.HoldsOrAwaits(to) ? ValueTask.FromResult<Refusal?>(new("duplicate-url", to.AbsoluteUri)) : AdmitAsync(to, token);

    private static PageSignature SignatureOf(ParsedPage page) => PageSignature.Of(page.Gist, page.Pictures.Select(p => p.Url));

    private async Task<Visit> KeptAsync(FrontierUrl item, Fetched answer, ParsedPage parsed, byte[]? sent, CancellationToken token)
    {
        var origin = await robots.OfAsync(answer.FinalUrl, token);
        var consent = optOuts.Judge(answer.FinalUrl, origin, answer.Headers, parsed.Statements, image: true, answer.At);
        var optOut = consent.Verdict == "refused" ? consent.Signal : null;
        var hash = run.PutBlob(answer.Body, durable: false);
        var pictures = parsed.Pictures.Select(p => optOut is not null ? p with { OptOut = optOut, Refused = PagePicture.RefusedByOptOut + optOut } : policy.Withdrawn(p.Url) is not null ? p with { Refused = "withdrawn" } : p).ToList();
        var page = new Page
        {
            Id = ContentId.Of(item.Url.AbsoluteUri, hash),
            SeedId = seed.Id,
            Url = item.Url.AbsoluteUri,
            FinalUrl = answer.FinalUrl.AbsoluteUri,
            Status = answer.Status,
            FetchedAt = answer.At,
            Headers = Kept(answer.Headers),
            BlobHash = hash,
            Rendered = sent is not null,
            SentHash = sent is null ? null : run.PutBlob(sent, durable: false),
            MediaType = answer.MediaType.Length > 0 ? answer.MediaType : "text/html",
            Depth = item.Depth,
            Relevance = Math.Round(Math.Max(relevance.Of(parsed.Gist), relevance.Of(answer.FinalUrl)), 4),
            Title = parsed.Title,
            Authors = parsed.Reading.Authors,
            Published = parsed.Reading.Published,
            Modified = parsed.Reading.Modified,
            SiteName = parsed.Reading.SiteName,
            OptOut = optOut,
            Consent = consent,
            Licence = parsed.Licence,
            Pictures = pictures,
        };
        var links = optOuts.NoFollow(answer.Headers, parsed.Statements) ? [] : parsed.Links;
        return new(item, null) { Status = answer.Status, Page = page, Signature = SignatureOf(parsed), Links = [.. links.Select(l => policy.Judge(l, item, page))], Sitemaps = item.Depth > 0 ? [] : SitemapsOf(origin, answer.FinalUrl) };
    }

    // Named by the robots.txt of a seed's host, which may have answered late.
    private static List<Uri> SitemapsOf(OriginPolicy origin, Uri url) => [.. origin.Rules.Sitemaps.Select(line => CanonicalUrl.Parse(line, url)).OfType<Uri>()];

    private async Task<Visit> PictureAsync(FrontierUrl item, CancellationToken token)
    {
        Consent? consent = null;
        OriginPolicy? origin = null;
        Refusal? Judge(Uri url, IReadOnlyList<KeyValuePair<string, string>> headers)
        {
            consent = optOuts.Judge(url, origin!, headers, PageStatements.None, image: true, clock.GetUtcNow());
            return consent.Verdict == "refused" ? new(PagePicture.RefusedByOptOut + consent.Signal) : null;
        }

        var order = new FetchOrder(
            "image/webp,image/png,image/jpeg,image/gif,image/*;q=0.5", options.MaxPictureBytes,
            async (url, stop) =>
            {
                if (await AdmitAsync(url, stop) is { } denied) return denied;
                origin = await robots.OfAsync(url, stop); // kept until the answer is judged: the cache may have let go of it by then
                return Judge(url, []);
            },
            answer => Judge(answer.FinalUrl, answer.Headers) ?? PictureType.JudgeHeader(answer.MediaType));
        var answer = await fetcher.GetAsync(item.Url, order, token);
        var refusal = answer.Refusal ?? PictureType.JudgeBody(answer.MediaType, answer.Body);
        var media = answer.MediaType.Length > 0 ? answer.MediaType : null;
        var outcome = refusal is null
            ? new PictureOutcome(run.PutBlob(answer.Body, durable: false), null, PictureType.Sniff(answer.Body) ?? media, null) { Consent = consent }
            : new PictureOutcome(null, refusal.Reason, media, consent?.Verdict == "refused" ? consent.Signal : null) { Consent = consent };
        return new(item, refusal) { Status = answer.Status, RetryAfter = answer.RetryAfter, AnsweredBy = Other(item, answer), Redirected = answer.Redirects > 0, Picture = outcome };
    }

    private async Task<Visit> SitemapAsync(FrontierUrl item, CancellationToken token)
    {
        var order = new FetchOrder("application/xml,text/xml,text/plain;q=0.8,*/*;q=0.5", MostOfSitemap, AdmitAsync);
        var answer = await fetcher.GetAsync(item.Url, order, token);
        if (answer.Refusal is not null) return Failed(item, answer);
        var content = await SitemapReader.ReadAsync(answer.Body, answer.FinalUrl, token, answer.Charset);
        // A sitemap speaks for its own host only (sitemaps.org, location).
        return new(item, null)
        {
            Status = answer.Status,
            Links = [.. content.Urls.Where(u => u.Host == item.Url.Host).Select(u => policy.Judge(new PageLink(u, ""), item, null))],
            Sitemaps = [.. content.Sitemaps.Where(u => u.Host == item.Url.Host)],
        };
    }

    private long MostOfSitemap => Math.Max(options.MaxPageBytes, 10 << 20);

    private static bool IsListing(string mediaType) =>
        mediaType is "application/xml" or "text/xml" or "application/rss+xml" or "application/atom+xml" or "application/rdf+xml" or "text/plain" or "application/gzip" or "application/x-gzip";

    // What a person names as a seed may list pages of any host; the recipe's limits judge them. Null where it is no list.
    private async Task<Visit?> SeedListAsync(FrontierUrl item, Fetched answer, CancellationToken token)
    {
        var content = await SitemapReader.ReadAsync(answer.Body, answer.FinalUrl, token, answer.Charset);
        if (content.Kind == SitemapKind.None) return null;
        return new(item, null)
        {
            Status = answer.Status,
            Links = [.. content.Urls.Select(u => policy.Judge(new PageLink(u, ""), item, null))],
            Sitemaps = content.Sitemaps,
        };
    }

    private static Refusal? JudgeType(Fetched answer) =>
        answer.MediaType is "" or "text/html" or "application/xhtml+xml" ? null : new("not-html", answer.MediaType);

    private static SortedDictionary<string, string> Kept(IReadOnlyList<KeyValuePair<string, string>> headers)
    {
        var kept = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in headers)
        {
            if (!KeptHeaders.Contains(name)) continue;
            var text = value.Length <= 1000 ? value : value[..1000];
            kept[name] = kept.TryGetValue(name, out var known) ? $"{known}, {text}" : text;
        }
        return kept;
    }
}

/// <summary>Which files count as pictures: media types that stage 2 can decode, and the signatures they begin with.</summary>
public static class PictureType
{
    private static readonly string[] Known = ["image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp", "image/tiff", "image/jpg", "image/pjpeg", "image/x-png", "image/x-ms-bmp"];

    /// <summary>Judges a declared type; "" and application/octet-stream are left to the bytes.</summary>
    public static Refusal? JudgeHeader(string mediaType) =>
        mediaType is "" or "application/octet-stream" or "binary/octet-stream" || Known.Contains(mediaType) ? null : new("not-a-picture", mediaType);

    /// <summary>Judges the bytes where the type says nothing.</summary>
    public static Refusal? JudgeBody(string mediaType, ReadOnlySpan<byte> body) =>
        Known.Contains(mediaType) || Sniff(body) is not null ? null : new("not-a-picture", "no picture's signature");

    /// <summary>Media type by signature, null for none of these.</summary>
    public static string? Sniff(ReadOnlySpan<byte> body)
    {
        if (body.StartsWith((ReadOnlySpan<byte>)[0x89, (byte)'P', (byte)'N', (byte)'G'])) return "image/png";
        if (body.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xD8, 0xFF])) return "image/jpeg";
        if (body.StartsWith("GIF87a"u8) || body.StartsWith("GIF89a"u8)) return "image/gif";
        if (body.Length > 11 && body.StartsWith("RIFF"u8) && body[8..].StartsWith("WEBP"u8)) return "image/webp";
        if (body.StartsWith("BM"u8) && body.Length > 26) return "image/bmp";
        if (body.StartsWith("II*\0"u8) || body.StartsWith("MM\0*"u8)) return "image/tiff";
        return null;
    }
}
