using System.Globalization;
using System.Text;

namespace LoraFactory.Cli.Engine.Bench.Web;

// Pages that have moved, and hosts whose robots.txt cannot be had, to which a redirect may lead too.
public sealed partial class GeneratedWeb
{
    private const string First = "/m/", Second = "/n/", ToClosed = "/m/x";
    private const double LinksToFormer = 0.7, LinksToClosed = 0.2, RedirectsToClosed = 0.3;
    private const int OfMoves = 0x5E01, OfMovedLinks = 0x5E02, OfClosedLinks = 0x5E03;

    private static readonly int[] Statuses = [301, 302, 303, 307, 308];

    /// <summary>Hosts of either kind.</summary>
    public int HostCount => Shape.Hosts + ClosedHosts;

    private int ClosedHosts => (int)Math.Ceiling(Shape.RobotsFailureRate * Shape.Hosts);

    /// <summary>Whether a host's robots.txt cannot be had, so that nothing of it may be fetched.</summary>
    public bool IsClosed(int host) => host >= Shape.Hosts;

    /// <summary>Whether the path is a former address of a page.</summary>
    public static bool IsFormer(string path) => path.StartsWith(First, StringComparison.Ordinal) || path.StartsWith(Second, StringComparison.Ordinal);

    /// <summary>A page's former address and the one that it redirects to before the page's own, if any: at which hosts, and with which status; null where it has not moved.</summary>
    public (int Status, int First, int? Second)? MoveOf(int page)
    {
        if (page == 0 || Shape.RedirectRate <= 0) return null;
        var random = new Sequence(Shape.Seed ^ OfMoves, page);
        if (random.Share() >= Shape.RedirectRate) return null;
        var status = Statuses[random.Next(0, Statuses.Length - 1)];
        var own = page % Shape.Hosts;
        var other = Shape.Hosts == 1 ? 0 : (own + random.Next(1, Shape.Hosts - 1)) % Shape.Hosts;
        return random.Next(0, 2) switch { 0 => (status, own, null), 1 => (status, other, null), _ => (status, other, random.Next(0, Shape.Hosts - 1)) };
    }

    private static string At(int host, string where, int page) => string.Create(CultureInfo.InvariantCulture, $"http://{HostName(host)}{where}{page}.html");

    private string? Former(int from, int to) =>
        MoveOf(to) is var (_, first, _) && new Sequence(Shape.Seed ^ OfMovedLinks, (long)from * Shape.Pages + to).Share() < LinksToFormer ? At(first, First, to) : null;

    // The answer of a former address; null where the path is none of this host.
    private WebAnswer? Redirect(int host, string path)
    {
        if (Number(path, ToClosed) is { } closed && ClosedHosts > 0) return To(302, ClosedUrl(closed));
        if (Number(path, First) is { } page && page < Shape.Pages && MoveOf(page) is { } move && move.First == host)
            return To(move.Status, move.Second is { } next ? At(next, Second, page) : Url(page));
        if (Number(path, Second) is { } later && later < Shape.Pages && MoveOf(later) is { Second: { } second } last && second == host) return To(last.Status, Url(later));
        return null;
    }

    private static WebAnswer To(int status, string url) => new(status, "text/html; charset=utf-8", "<!doctype html><title>Moved</title>"u8.ToArray()) { Headers = [new("Location", url)] };

    private static int? Number(string path, string before) =>
        path.StartsWith(before, StringComparison.Ordinal) && path.EndsWith(".html", StringComparison.Ordinal)
            && int.TryParse(path.AsSpan(before.Length, path.Length - before.Length - 5), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    private string ClosedUrl(int number) => At(Shape.Hosts + number % ClosedHosts, "/a/p", number / ClosedHosts);

    private static WebAnswer Closed(int host, string path)
    {
        if (path == "/robots.txt") return host % 2 == 0 ? new(503, "text/plain", "busy"u8.ToArray()) : new(-1, "", []);
        return Html($"<!doctype html><title>Closed {path}</title><p>Whoever reads this has not been allowed to.");
    }

    private void LinkToClosed(StringBuilder html, int page)
    {
        if (ClosedHosts == 0) return;
        var random = new Sequence(Shape.Seed ^ OfClosedLinks, page);
        if (page > 0 && random.Share() >= LinksToClosed) return; // the first page has one, so that every web has
        var number = random.Next(0, ClosedHosts * Math.Max(1, Shape.Pages / Shape.Hosts) - 1);
        var href = page > 0 && Shape.RedirectRate > 0 && random.Share() < RedirectsToClosed ? string.Create(CultureInfo.InvariantCulture, $"{ToClosed}{number}.html") : ClosedUrl(number);
        html.Append(" <a href=\"").Append(href).Append("\">elsewhere</a>");
    }
}
