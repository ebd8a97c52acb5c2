using System.Text;
using System.Text.Json;
using LoraFactory.Pages;

namespace LoraFactory.Stages.Crawl.Rendering;

/// <summary>
/// Answers the requests of one page in the browser. The page itself is answered with what the crawl has fetched already; scripts and data are fetched
/// by <see cref="PageResources"/>; style sheets are empty; anything else is not answered: pictures, fonts, media, frames, other methods than GET, other pages.
/// </summary>
/// <param name="page">The page as the crawl fetched it.</param>
/// <param name="mainFrame">Number of the page's frame.</param>
/// <param name="resources">Fetches.</param>
/// <param name="limits">How much it may ask for.</param>
internal sealed class TabRequests(Fetched page, string mainFrame, PageResources resources, RenderLimits limits)
{
    private const int LongestUrl = 4000, LongestAccept = 200;

    // Answers of addresses that a redirect led to, for when the browser follows it.
    private readonly Dictionary<string, Fetched> redirected = new(StringComparer.Ordinal);
    private readonly List<Uri> targets = [];
    private readonly ByteBudget bytes = new(limits.MaxBytes, limits.MaxBytesOfAnswer);
    private bool isGiven;
    private int answers, questions;

    /// <summary>Whether it has asked so much that it is taken as it is.</summary>
    public bool IsEndless => Volatile.Read(ref questions) > RenderLimits.MaxQuestions;

    /// <summary>Whether the page has been led elsewhere, and was not let.</summary>
    public bool WasLedAway { get; private set; }

    /// <summary>Where it was led.</summary>
    public IReadOnlyList<Uri> Targets
    {
        get
        {
            lock (targets) return [.. targets];
        }
    }

    /// <summary>The answer to one request; throws only when <paramref name="token"/> is cancelled.</summary>
    /// <param name="paused">Parameters of Fetch.requestPaused.</param>
    /// <param name="token">Ends it.</param>
    public async Task<ResourceAnswer> AnswerAsync(JsonElement paused, CancellationToken token)
    {
        Interlocked.Increment(ref questions);
        var request = paused.GetProperty("request");
        var kind = paused.GetProperty("resourceType").GetString();
        var address = request.GetProperty("url").GetString()!;
        if (kind == "Document") return Document(address, paused.GetProperty("frameId").GetString() == mainFrame);
        if (request.GetProperty("method").GetString() != "GET" || address.Length > LongestUrl || CanonicalUrl.Parse(address, page.FinalUrl) is not { } url) return ResourceAnswer.None;
        return kind switch
        {
            "Stylesheet" => new(200, [new("content-type", "text/css"), new("access-control-allow-origin", "*")], []), // scripts that wait for it go on
            "Script" => await FetchAsync(url, true, "*/*", request, token),
            "XHR" or "Fetch" when Field(request, "accept") is var accept && accept?.Contains("event-stream", StringComparison.OrdinalIgnoreCase) != true =>
                await FetchAsync(url, false, Plain(accept) ?? "*/*", request, token),
            _ => ResourceAnswer.None,
        };
    }

    private ResourceAnswer Document(string address, bool isMain)
    {
        if (!isMain) return ResourceAnswer.None;
        lock (targets)
        {
            if (!isGiven)
            {
                isGiven = true;
                var csp = page.Headers.Where(h => h.Key == "content-security-policy");
                return new(200, [new("content-type", "text/html; charset=utf-8"), .. csp], Encoding.UTF8.GetBytes(PageEncoding.Decode(page.Body, page.Charset)));
            }
            WasLedAway = true;
            if (address.Length <= LongestUrl && targets.Count < RenderLimits.MaxDialogs && CanonicalUrl.Parse(address, page.FinalUrl) is { } target && target != page.FinalUrl) targets.Add(target);
        }
        return ResourceAnswer.None;
    }

    private async Task<ResourceAnswer> FetchAsync(Uri url, bool isScript, string accept, JsonElement request, CancellationToken token)
    {
        Fetched? fetched;
        lock (redirected) redirected.Remove(url.AbsoluteUri, out fetched);
        if (fetched is null)
        {
            if (Interlocked.Increment(ref answers) > RenderLimits.MaxAnswers) return ResourceAnswer.None;
            var taken = await bytes.TakeAsync(token);
            if (taken == 0) return ResourceAnswer.None;
            var used = taken;
            try
            {
                var origin = CanonicalUrl.Origin(page.FinalUrl) == CanonicalUrl.Origin(url) ? null : Plain(Field(request, "origin"));
                (fetched, used) = await resources.GetAsync(url, isScript, accept, origin, taken, token);
            }
            finally
            {
                bytes.GiveBack(taken, used);
            }
            if (fetched.FinalUrl != url && PageResources.Hand(fetched).Status != 0)
            {
                // the browser is to know where it came from: what a script asks for next may be relative to that
                lock (redirected) redirected[fetched.FinalUrl.AbsoluteUri] = fetched;
                return new(302, [new("location", fetched.FinalUrl.AbsoluteUri), new("access-control-allow-origin", "*")], []);
            }
        }
        return PageResources.Hand(fetched);
    }

    private static string? Field(JsonElement request, string name)
    {
        foreach (var field in request.GetProperty("headers").EnumerateObject())
            if (field.Name.Equals(name, StringComparison.OrdinalIgnoreCase)) return field.Value.GetString();
        return null;
    }

    // What a page wrote goes into a header of the crawl's only where it is short and plain.
    private static string? Plain(string? value) => value is { Length: > 0 and <= LongestAccept } && value.All(c => c is >= ' ' and < '\x7f') ? value : null;
}
