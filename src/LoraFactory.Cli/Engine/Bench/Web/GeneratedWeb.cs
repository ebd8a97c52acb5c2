using System.Globalization;
using System.Net;
using System.Text;
using LoraFactory.Flow;
using LoraFactory.Images.Scenes;

namespace LoraFactory.Cli.Engine.Bench.Web;

/// <summary>What a generated web is like. The same values give the same web, byte for byte.</summary>
/// <param name="Pages">Pages that a crawl can reach, 1 or more.</param>
/// <param name="Hosts">Hosts that they are spread over, 1 to 1000.</param>
/// <param name="Seed">Seed of everything.</param>
public sealed record WebShape(int Pages = 2000, int Hosts = 20, int Seed = 1)
{
    /// <summary>Mean of the hosts' answering times in milliseconds, spread exponentially over hosts; 0 answers at once.</summary>
    public double LatencyMs { get; init; }
    /// <summary>Share of pages, 0..1, that answer 503 with Retry-After the first time; as many again link to what is missing, breaks off or hangs.</summary>
    public double FailureRate { get; init; }
    /// <summary>Share of pages, 0..1, that link into a trap: a calendar without end, paths that repeat, session ids, soft 404s.</summary>
    public double TrapRate { get; init; }
    /// <summary>Share of pages, 0..1, that have moved: most links to them lead to a former address, which redirects once or twice, within the host or from others.</summary>
    public double RedirectRate { get; init; }
    /// <summary>Share of pages, and of pictures, 0..1, that refuse training: by X-Robots-Tag, by TDMRep's header, pages by their meta elements too.</summary>
    public double OptOutRate { get; init; }
    /// <summary>Further hosts as a share of <see cref="Hosts"/>, 0..1, to which pages link and whose robots.txt cannot be had: every other one answers 503, the rest never.</summary>
    public double RobotsFailureRate { get; init; }
    /// <summary>Pause between requests that robots.txt asks for, in seconds; 0 asks for none.</summary>
    public double CrawlDelay { get; init; }
    /// <summary>Pause that the crawler promised, in seconds: what is sooner is a violation.</summary>
    public double Pause { get; init; }
    /// <summary>Seconds of the web's own time that pass in one second, 1 or more: latencies, pauses and Retry-After are in its own time.</summary>
    public double Speedup { get; init; } = 1;
}

/// <summary>An answer of a generated web.</summary>
/// <param name="Status">HTTP status; 0 breaks the connection off, -1 never answers.</param>
/// <param name="Type">Content-Type.</param>
/// <param name="Body">The body.</param>
public sealed record WebAnswer(int Status, string Type, byte[] Body)
{
    /// <summary>Retry-After in seconds, null for none.</summary>
    public int? RetryAfter { get; init; }
    /// <summary>Further header fields.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];
}

/// <summary>
/// A web that is calculated, not stored: page p lies on host p mod H; it links to 2p+1 and 2p+2, so that all can be reached from the first, and to a
/// dozen others; it has menus, an article of some 4 kB, three pictures named in three ways, a link that robots.txt denies, and, at the rates
/// asked for, links that fail, links into traps, former addresses of pages, opt-outs, and links to hosts whose robots.txt cannot be had.
/// Each kind draws from numbers of its own: with its rate at 0 the rest of the web is as it would be without it.
/// </summary>
public sealed partial class GeneratedWeb
{
    private const int Words = 4096;
    private readonly string[] words;

    /// <summary>The web of this shape.</summary>
    public GeneratedWeb(WebShape shape)
    {
        Shape = shape;
        var random = new Sequence(shape.Seed, -1);
        words = [.. Enumerable.Range(0, Words).Select(_ => Word(random))];
    }

    /// <summary>What it is like.</summary>
    public WebShape Shape { get; }

    /// <summary>Name of a host.</summary>
    public static string HostName(int host) => string.Create(CultureInfo.InvariantCulture, $"h{host}.bench.test");

    /// <summary>Its address: each host has one of its own on loopback.</summary>
    public static IPAddress Address(int host) => new([127, (byte)(1 + host / 62_500), (byte)(host / 250 % 250), (byte)(1 + host % 250)]);

    /// <summary>Names of all its hosts, those whose robots.txt cannot be had at the end.</summary>
    public IEnumerable<string> HostNames => Enumerable.Range(0, HostCount).Select(HostName);

    /// <summary>"host=ip:port" for each host.</summary>
    public IEnumerable<string> Resolve(int port) => Enumerable.Range(0, HostCount).Select(h => $"{HostName(h)}={Address(h)}:{port}");

    /// <summary>URL of a page.</summary>
    public string Url(int page) => string.Create(CultureInfo.InvariantCulture, $"http://{HostName(page % Shape.Hosts)}/a/p{page / Shape.Hosts}.html");

    /// <summary>Title of a page.</summary>
    public string Title(int page) => string.Create(CultureInfo.InvariantCulture, $"{Sentence(new(Shape.Seed, page), 6)} {page}");

    /// <summary>Answering time of a host in milliseconds.</summary>
    public double Latency(int host) => Shape.LatencyMs <= 0 ? 0 : -Math.Log(1 - new Sequence(Shape.Seed ^ 77, host).Share()) * Shape.LatencyMs;

    /// <summary>The answer for a host's path; <paramref name="first"/> says that it was not asked for before.</summary>
    public WebAnswer Answer(int host, string path, bool first)
    {
        if (IsClosed(host)) return Closed(host, path);
        if (path == "/robots.txt") return new(200, "text/plain", Encoding.ASCII.GetBytes($"User-agent: *\nDisallow: /private/\n{(Shape.CrawlDelay > 0 ? string.Create(CultureInfo.InvariantCulture, $"Crawl-delay: {Shape.CrawlDelay}\n") : "")}"));
        if (Page(host, path) is { } page)
            return Fails(page) && first ? new(503, "text/plain", "busy"u8.ToArray()) { RetryAfter = 1 } : Html(Html(page)) with { Headers = OptOutHeaders(page) };
        if (path.StartsWith("/img/", StringComparison.Ordinal)) return new(200, "image/png", Dot) { Headers = OptOutHeaders(host, path) };
        if (Redirect(host, path) is { } moved) return moved;
        if (path.StartsWith("/reset/", StringComparison.Ordinal)) return new(0, "", []);
        if (path.StartsWith("/hang/", StringComparison.Ordinal)) return new(-1, "", []);
        if (path.StartsWith("/soft/", StringComparison.Ordinal)) return Html("<!doctype html><title>Not found</title><h1>Sorry, this page does not exist</h1><p>What you look for is not here. It may have been moved.");
        if (Trap(host, path) is { } trap) return Html(trap);
        return new(404, "text/html; charset=utf-8", "<!doctype html><title>404</title><h1>Not found</h1>"u8.ToArray());
    }

    /// <summary>Whether the path leads into a trap or to something that a crawl may not find: everything but pages, their former addresses, pictures and robots.txt.</summary>
    public static bool IsBeside(string path) => !(path == "/robots.txt" || path.StartsWith("/a/p", StringComparison.Ordinal) || path.StartsWith("/img/", StringComparison.Ordinal) || IsFormer(path) || path.StartsWith("/.well-known/", StringComparison.Ordinal));

    private int? Page(int host, string path)
    {
        if (!path.StartsWith("/a/p", StringComparison.Ordinal) || !path.EndsWith(".html", StringComparison.Ordinal)) return null;
        if (!int.TryParse(path.AsSpan(4, path.Length - 9), NumberStyles.None, CultureInfo.InvariantCulture, out var place)) return null;
        var page = (long)place * Shape.Hosts + host;
        return page < Shape.Pages ? (int)page : null;
    }

    private bool Fails(int page) => page > 0 && new Sequence(Shape.Seed ^ 99, page).Share() < Shape.FailureRate;

    private string Html(int page)
    {
        var random = new Sequence(Shape.Seed, page);
        var title = Title(page);
        random.Skip(8);
        var html = new StringBuilder(8192);
        html.Append("<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>").Append(title).Append("</title><link rel=\"canonical\" href=\"").Append(Url(page))
            .Append("\"><meta name=\"description\" content=\"").Append(Sentence(random, 12)).Append("\">").Append(OptOutMeta(page)).Append("<style>body{font:14px serif}</style><script>var page=").Append(page)
            .Append(";</script></head><body><nav class=\"menu\"><ul><li><a href=\"/a/p0.html\">Home</a></li><li>About us</li><li>Subscribe to our newsletter</li></ul></nav><aside><h3>Most read</h3><ul>");
        foreach (var link in Links(page, random)) html.Append("<li><a href=\"").Append(Href(page, link, random)).Append("\">").Append(Sentence(random, 4)).Append("</a></li>");
        html.Append("</ul></aside><article><h1>").Append(title).Append("</h1>");
        var paragraphs = random.Next(4, 12);
        for (var i = 0; i < paragraphs; i++)
        {
            html.Append("<p>");
            for (var sentences = random.Next(2, 6); sentences > 0; sentences--) html.Append(Sentence(random, random.Next(6, 20))).Append(". ");
            html.Append("</p>");
            if (i == 1) Pictures(html, page, random);
        }
        html.Append("</article><footer>Copyright. All rights reserved. Cookie settings. <a href=\"/private/x").Append(page).Append(".html\">p</a> <a href=\"mailto:x@y.z\">mail</a> <a href=\"#top\">top</a>");
        Faults(html, page, random);
        LinkToClosed(html, page);
        return html.Append("</footer></body></html>").ToString();
    }

    private HashSet<int> Links(int page, Sequence random)
    {
        var links = new HashSet<int>();
        for (var child = 2L * page + 1; child <= 2L * page + 2; child++)
            if (child < Shape.Pages) links.Add((int)child);
        for (var i = 0; i < 6; i++) links.Add(random.Next(0, Shape.Pages - 1));
        for (var i = 0; i < 6; i++) links.Add((int)((page + (long)Shape.Hosts * random.Next(1, 40)) % Shape.Pages));
        return links;
    }

    private string Href(int from, int to, Sequence random)
    {
        var url = Url(to);
        var href = from % Shape.Hosts == to % Shape.Hosts && random.Share() < 0.7 ? url[url.IndexOf("/a/", StringComparison.Ordinal)..] : url;
        return Former(from, to) ?? href;
    }

    private void Pictures(StringBuilder html, int page, Sequence random)
    {
        var own = OptsOut(page) ? string.Create(CultureInfo.InvariantCulture, $"{OptedOutPictures}{page}-") : "/img/i"; // so that the server sees whether they are asked for
        string Source() => string.Create(CultureInfo.InvariantCulture, $"{own}{random.Next(0, Math.Max(1, Shape.Pages / Shape.Hosts))}.png");
        var second = Source();
        html.Append("<figure><img src=\"").Append(Source()).Append("\" alt=\"").Append(Sentence(random, 5)).Append("\"><figcaption>").Append(Sentence(random, 8)).Append("</figcaption></figure><img srcset=\"")
            .Append(second).Append(" 1x, ").Append(second).Append(" 2x\" alt=\"set ").Append(page).Append("\"><img src=\"data:image/gif;base64,R0lGODlhAQABAAAAACw=\" data-src=\"").Append(Source()).Append("\" alt=\"lazy\">");
    }

    private void Faults(StringBuilder html, int page, Sequence random)
    {
        if (random.Share() < Shape.FailureRate)
        {
            var kind = (random.Next(0, 9)) switch { < 6 => "missing", < 9 => "reset", _ => "hang" };
            html.Append(CultureInfo.InvariantCulture, $" <a href=\"/{kind}/{page}.html\">{Sentence(random, 3)}</a>");
        }
        if (random.Share() >= Shape.TrapRate) return;
        html.Append(random.Next(0, 3) switch
        {
            0 => "<a href=\"/calendar/2026/1/1.html\">calendar</a>",
            1 => "<a href=\"/shop/shop/index.html\">shop</a>",
            2 => string.Create(CultureInfo.InvariantCulture, $"<a href=\"/session/start.html?sid={random.Next(1, int.MaxValue):x8}{random.Next(1, int.MaxValue):x8}\">account</a>"),
            _ => string.Create(CultureInfo.InvariantCulture, $"<a href=\"/soft/{page}.html\">archive</a>"),
        });
    }

    // Traps: each page leads to more of its kind.
    private string? Trap(int host, string path)
    {
        var random = new Sequence(Shape.Seed ^ host, (long)(TextHash.Of(path) >> 1));
        if (path.StartsWith("/calendar/", StringComparison.Ordinal))
        {
            var parts = path[10..].Split('/', '.');
            if (parts.Length < 3 || !int.TryParse(parts[0], out var year) || !int.TryParse(parts[1], out var month) || !int.TryParse(parts[2], out var day)) return null;
            var next = day < 28 ? (year, month, day + 1) : month < 12 ? (year, month + 1, 1) : (year + 1, 1, 1);
            return string.Create(CultureInfo.InvariantCulture, $"<!doctype html><title>Day {day}.{month}.{year}</title><p>Nothing happens on day {day}.</p><a href=\"/calendar/{next.Item1}/{next.Item2}/{next.Item3}.html\">next day</a> <a href=\"/calendar/{year + 1}/{month}/{day}.html\">next year</a>");
        }
        if (path.StartsWith("/shop/", StringComparison.Ordinal)) return $"<!doctype html><title>Shop</title><p>All our goods.</p><a href=\"{path[..^10]}shop/index.html\">more</a>";
        if (path.StartsWith("/session/", StringComparison.Ordinal))
            return $"<!doctype html><title>Account</title><p>Your account.</p>{string.Concat(Enumerable.Range(0, 3).Select(i => $"<a href=\"/session/start.html?sid={random.Next(1, int.MaxValue):x8}{random.Next(1, int.MaxValue):x8}\">view {i}</a> "))}";
        return null;
    }

    private string Sentence(Sequence random, int length)
    {
        var text = new StringBuilder(length * 7);
        for (var i = 0; i < length; i++)
        {
            // a few words are common and most are rare, as in any language
            var share = random.Share();
            var word = words[(int)(share * share * share * (Words - 1))];
            if (i > 0) text.Append(' ').Append(word);
            else text.Append(char.ToUpperInvariant(word[0])).Append(word, 1, word.Length - 1);
        }
        return text.ToString();
    }

    private static string Word(Sequence random)
    {
        const string letters = "etaoinshrdlucmfwypvbgkjqxz";
        return string.Create(random.Next(2, 10), random, static (span, r) =>
        {
            foreach (ref var c in span) c = letters[Math.Min(r.Next(0, 25), r.Next(0, 25))];
        });
    }

    private static WebAnswer Html(string text) => new(200, "text/html; charset=utf-8", Encoding.UTF8.GetBytes(text));

    // A grey PNG of one pixel.
    private static readonly byte[] Dot = Convert.FromBase64String("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==");

    // A sequence for each page, begun anywhere at no cost; a class, so that what draws from it moves it on.
    private sealed class Sequence(long seed, long item)
    {
        private SceneRandom random = new(seed, item);

        public double Share() => random.NextDouble();

        public int Next(int least, int most) => least + random.Next(most - least + 1);

        public void Skip(int numbers)
        {
            for (; numbers > 0; numbers--) random.NextBits();
        }
    }
}
