using System.Text.Json;
using LoraFactory.Flow;

namespace LoraFactory.Stages.Crawl;

public sealed partial class Frontier
{
    /// <summary>
    /// The next URLs to fetch, best first: of each host with work at most its quota, of all at most what is left of the budgets.
    /// </summary>
    /// <param name="hosts">Hosts asked at most.</param>
    /// <param name="quota">URLs of one host at most; 0 passes over it.</param>
    /// <param name="budget">What is left.</param>
    public IReadOnlyList<FrontierUrl> NextRound(int hosts, Func<FrontierHost, int> quota, RoundBudget budget)
    {
        var chosen = new List<FrontierUrl>();
        lock (gate)
        {
            // read as it goes: a web of a million hosts with work is not listed for the sake of a hundred
            foreach (var (id, host) in Sqlite.Rows(tables.Db, "SELECT id, name, pages, ready FROM host WHERE queued > 0 ORDER BY best DESC, name",
                r => (r.GetInt64(0), new FrontierHost(r.GetString(1), r.GetInt32(2)) { Ready = r.GetDouble(3) })))
            {
                if (hosts == 0) break;
                var most = quota(host);
                if (most < 1) continue;
                var mine = Waiting(id, UrlKind.Sitemap, budget.Pages > 0 ? Math.Min(most, budget.Sitemaps) : 0)
                    .Concat(Waiting(id, UrlKind.Page, Math.Min(most, Math.Min(budget.Pages, budget.PagesPerHost - host.Pages))))
                    .Concat(Waiting(id, UrlKind.Picture, Math.Min(most, budget.Pictures)));
                var taken = Order(mine).Take(most).ToList();
                if (taken.Count > 0) hosts--;
                chosen.AddRange(taken);
            }
        }
        return [.. Order(Order(chosen.Where(c => c.Kind == UrlKind.Sitemap)).Take(budget.Sitemaps)
            .Concat(Order(chosen.Where(c => c.Kind == UrlKind.Page)).Take(budget.Pages))
            .Concat(Order(chosen.Where(c => c.Kind == UrlKind.Picture)).Take(budget.Pictures)))];
    }

    /// <inheritdoc/>
    public bool HoldsOrAwaits(Uri url)
    {
        lock (gate) return tables.FindUrl.First(r => r.GetInt32(0) is 0 or 1, FrontierTables.Key(UrlKind.Page, url.AbsoluteUri));
    }

    /// <inheritdoc/>
    public bool HasMissingPage(string host)
    {
        lock (gate) return hosts.TryGetValue(host, out var row) ? row.Missing != 0 : tables.FindHost.First(r => r.GetInt64(6) != 0, host);
    }

    /// <summary>Pages kept, by host.</summary>
    public IEnumerable<(string Host, int Pages)> PagesByHost() => Sqlite.Rows(tables.Db, "SELECT name, pages FROM host WHERE pages > 0", r => (r.GetString(0), r.GetInt32(1)));

    /// <summary>The earliest time, in seconds since 1970, at which a host with work that rests may be asked again; null where none rests.</summary>
    public (string Host, double At)? EarliestReady(double now)
    {
        lock (gate) return Sqlite.Rows(tables.Db, "SELECT name, MIN(ready) FROM host WHERE queued > 0 AND ready > $now", r => r.IsDBNull(1) ? ((string, double)?)null : (r.GetString(0), r.GetDouble(1)), ("$now", now)).First();
    }

    /// <summary>Hosts with work that rest, and until when in seconds since 1970.</summary>
    public IEnumerable<(string Host, double Until)> Resting(double now) =>
        Sqlite.Rows(tables.Db, "SELECT name, ready FROM host WHERE ready > $now", r => (r.GetString(0), r.GetDouble(1)), ("$now", now));

    /// <summary>
    /// Keeps what a visit brought until it is recorded, so that a crawl that is killed meanwhile does not ask again. Recording (<see cref="Done"/>,
    /// <see cref="Drop"/>) ends it.
    /// </summary>
    public void KeepVisit(FrontierUrl item, byte[] visit) => visits.Add(item.Key, visit);

    /// <summary>What an earlier process fetched for this URL and did not come to record; null where it did not.</summary>
    public byte[]? KeptVisit(FrontierUrl item) => visits.Find(item.Key);

    /// <summary>Whether visits of an earlier process are waiting to be recorded.</summary>
    public bool HasKeptVisits => !visits.IsEmpty;

    /// <summary>Forgets a visit that is not recorded, such as one that is to be tried again.</summary>
    public void ForgetVisit(FrontierUrl item) => visits.End(item.Key, waits: true);

    /// <summary>Keeps what an origin's robots.txt said.</summary>
    public void KeepRobots(string origin, KeptRobots robots)
    {
        lock (gate) tables.SetRobots.Run(origin, robots.Fetched, robots.Body, robots.Tdm);
    }

    /// <summary>What it said when it was last asked; null where it never was.</summary>
    public KeptRobots? RobotsOf(string origin)
    {
        lock (gate) return tables.FindRobots.First(r => new KeptRobots(r.GetDouble(0), r.IsDBNull(1) ? null : r.GetBytes(1), r.IsDBNull(2) ? null : r.GetBytes(2)), origin);
    }

    /// <summary>What is known of the pages of one shape on a host; see <see cref="PageShape"/>.</summary>
    public ShapeHistory HistoryOf(string host, long shape) =>
        tables.FindShape.First(r => new ShapeHistory(r.GetInt32(0), r.GetInt32(1), r.GetBytes(2)), Host(host).Id, shape) ?? ShapeHistory.None;

    /// <summary>Keeps it.</summary>
    public void SetHistory(string host, long shape, ShapeHistory history) => tables.SetShape.Run(Host(host).Id, shape, history.Seen, history.Novel, history.Signatures);

    /// <summary>
    /// A page that is kept and makes this one needless: it has the same bytes, and its pictures are fetched or are the same ones. Null when there
    /// is none: the bytes of a copy on another host name pictures that may be only there, or only where it was copied from.
    /// </summary>
    public string? CoveredBy(Page page)
    {
        var pictures = page.Pictures.Select(p => p.Url).ToHashSet(StringComparer.Ordinal);
        return WithBytes(page.BlobHash).FirstOrDefault(twin => twin.Pictures.All(p => pictures.Contains(p.Url)) || Fetched(twin) == twin.Pictures.Count)?.Url;
    }

    /// <summary>Of pages with the same bytes keeps the one whose pictures came, else the one nearest to the seed; the others are dropped as its copies.</summary>
    public void SettleTwins() => Commit(() =>
    {
        foreach (var content in Sqlite.Rows(tables.Db, "SELECT content FROM page GROUP BY content HAVING COUNT(*) > 1", r => r.GetString(0)).ToList())
        {
            var twins = WithBytes(content).OrderByDescending(Fetched).ThenBy(p => p.Depth).ThenBy(p => p.Url, StringComparer.Ordinal).ToList();
            foreach (var copy in twins.Skip(1))
            {
                Sqlite.Run(tables.Db, "DELETE FROM page WHERE id = $id", ("$id", FrontierTables.Key(UrlKind.Page, copy.Url)));
                Drop(new(new Uri(copy.Url), UrlKind.Page, copy.Depth, copy.Relevance), new("duplicate-content", twins[0].Url));
            }
        }
    });

    /// <summary>All pages by URL, pictures with what came of them; without what was <paramref name="withdrawn"/>.</summary>
    public IEnumerable<Page> AllPages(ConsentLedger? withdrawn = null)
    {
        foreach (var json in Sqlite.Rows(tables.Db, "SELECT p.json FROM (SELECT id FROM page ORDER BY url) o JOIN page p ON p.id = o.id", r => r.GetString(0)))
        {
            var page = JsonSerializer.Deserialize(json, CrawlJson.Default.Page)!;
            if ((withdrawn?.Of(page.Url) ?? withdrawn?.Of(page.FinalUrl)) is not null) continue;
            yield return page with { Pictures = [.. page.Pictures.Where(p => withdrawn?.Of(p.Url) is null).Select(WithOutcome)] };
        }
    }

    /// <summary>All that was dropped, by URL; what still waits was not reached.</summary>
    public IEnumerable<(UrlKind Kind, Drop Drop)> AllDrops() =>
        Sqlite.Rows(tables.Db, "SELECT url, kind, CASE WHEN state >= 2 THEN COALESCE(reason, 'not-reached') ELSE 'not-reached' END, detail, value, threshold FROM url WHERE state <> 1 ORDER BY url, kind", r =>
            ((UrlKind)r.GetInt32(1), new Drop(ContentId.Of(r.GetString(0)), r.GetString(2), r.GetString(0), r.IsDBNull(3) ? null : r.GetString(3)) { Value = r.IsDBNull(4) ? null : r.GetDouble(4), Threshold = r.IsDBNull(5) ? null : r.GetDouble(5) }));

    private static IOrderedEnumerable<FrontierUrl> Order(IEnumerable<FrontierUrl> items) =>
        items.OrderByDescending(i => i.Kind == UrlKind.Sitemap).ThenByDescending(i => i.Priority).ThenBy(i => i.Depth).ThenBy(i => i.Url.AbsoluteUri, StringComparer.Ordinal);

    private List<FrontierUrl> Waiting(long host, UrlKind kind, int most) =>
        most < 1 ? [] : tables.Queue.All(r => new FrontierUrl(new Uri(r.GetString(0)), kind, r.GetInt32(1), r.GetDouble(2)).With(key: r.GetInt64(3)), host, (int)kind, most);

    private List<Page> WithBytes(string hash) => [.. tables.Twins.All(r => r.GetString(0), hash).Select(json => JsonSerializer.Deserialize(json, CrawlJson.Default.Page)!)];

    private int Fetched(Page page) => page.Pictures.Count(p => WithOutcome(p).BlobHash is not null);

    private PagePicture WithOutcome(PagePicture picture)
    {
        if (picture.Refused is not null) return picture;
        var json = tables.FindPicture.First(r => r.GetString(0), FrontierTables.Key(UrlKind.Picture, picture.Url));
        if (json is null) return picture with { Refused = "not-reached" };
        var outcome = JsonSerializer.Deserialize(json, CrawlJson.Default.PictureOutcome)!;
        return picture with { BlobHash = outcome.BlobHash, Refused = outcome.Refused, MediaType = outcome.MediaType, OptOut = outcome.OptOut ?? picture.OptOut, Consent = outcome.Consent };
    }
}

/// <summary>What a robots.txt said when it was asked.</summary>
/// <param name="Fetched">When, in seconds since 1970.</param>
/// <param name="Body">Its octets; null where there is none.</param>
/// <param name="Tdm">The origin's tdmrep.json; null where there is none.</param>
public sealed record KeptRobots(double Fetched, byte[]? Body, byte[]? Tdm);
