using System.Globalization;
using LoraFactory.Flow;

namespace LoraFactory.Cli.Engine.Bench.Web;

// Pages and pictures that refuse training.
public sealed partial class GeneratedWeb
{
    private const string OptedOutPictures = "/img/o";
    private const int OfPages = 0x5E04, OfPictures = 0x5E05;

    private static readonly KeyValuePair<string, string> NoAi = new("X-Robots-Tag", "noai, noimageai"), Reserved = new("tdm-reservation", "1");

    /// <summary>Whether a page refuses training; its pictures are refused with it.</summary>
    public bool OptsOut(int page) => Shape.OptOutRate > 0 && new Sequence(Shape.Seed ^ OfPages, page).Share() < Shape.OptOutRate;

    /// <summary>Whether the path is that of a picture that only a page shows which refuses training.</summary>
    public static bool IsOfOptedOut(string path) => path.StartsWith(OptedOutPictures, StringComparison.Ordinal);

    /// <summary>How many pages and pictures that refuse training a crawl has kept as if they did not: pages without that verdict, and pictures with bytes.</summary>
    public int OptedOutKept(IEnumerable<Page> pages)
    {
        var kept = new HashSet<string>(StringComparer.Ordinal);
        foreach (var page in pages)
        {
            var refuses = PageAt(page.FinalUrl) is { } number && OptsOut(number);
            if (refuses && page.OptOut is null) kept.Add(page.FinalUrl);
            kept.UnionWith(page.Pictures.Where(p => p.BlobHash is not null && (refuses || PictureOptsOut(p.Url))).Select(p => p.Url));
        }
        return kept.Count;
    }

    /// <summary>The page at an address; null where it is none of the web's.</summary>
    public int? PageAt(string url) => HostAt(url) is { } at ? Page(at.Host, at.Path) : null;

    /// <summary>Whether the picture at an address refuses training by itself, or with the page that shows it.</summary>
    public bool PictureOptsOut(string url) => HostAt(url) is var (host, path) && (IsOfOptedOut(path) || OptOutHeaders(host, path).Count > 0);

    private (int Host, string Path)? HostAt(string url)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out var at) || !at.Host.StartsWith('h')) return null;
        return int.TryParse(at.Host.AsSpan(1, at.Host.IndexOf('.', StringComparison.Ordinal) - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var host) && host < Shape.Hosts ? (host, at.AbsolutePath) : null;
    }

    // One of four ways, of which two are header fields.
    private int WayOf(int page) => new Sequence(Shape.Seed ^ OfPages, ~page).Next(0, 3);

    private IReadOnlyList<KeyValuePair<string, string>> OptOutHeaders(int page) => !OptsOut(page) ? [] : WayOf(page) switch { 0 => [NoAi], 1 => [Reserved], _ => [] };

    private string OptOutMeta(int page) => !OptsOut(page) ? "" : WayOf(page) switch { 2 => "<meta name=\"robots\" content=\"noai, noimageai\">", 3 => "<meta name=\"tdm-reservation\" content=\"1\">", _ => "" };

    private IReadOnlyList<KeyValuePair<string, string>> OptOutHeaders(int host, string path)
    {
        if (Shape.OptOutRate <= 0) return [];
        var random = new Sequence(Shape.Seed ^ OfPictures ^ host, (long)(TextHash.Of(path) >> 1));
        return random.Share() < Shape.OptOutRate ? [random.Next(0, 1) == 0 ? NoAi : Reserved] : [];
    }
}
