using System.Globalization;
using LoraFactory.Pages;

namespace LoraFactory.Stages.Crawl;

/// <summary>Says in words what a crawl waits for: answers that are late, or else the host that may be asked again first.</summary>
internal sealed class CrawlWaits(Frontier frontier, RobotsCache robots)
{
    private const int Named = 3;
    private static readonly TimeSpan LeastRest = TimeSpan.FromSeconds(1); // shorter ones are what politeness always takes

    /// <summary>e.g. "waiting for closed.test (robots.txt, try 2 of 3)"; empty where there is nothing to wait for.</summary>
    /// <param name="asked">What was asked for and is not answered yet, one for each host.</param>
    public string ForAnswers(IReadOnlyCollection<FrontierUrl> asked)
    {
        if (asked.Count == 0) return "";
        var names = asked.OrderBy(i => i.Url.Host, StringComparer.Ordinal).Take(Named).Select(item => item.Url.Host + Try(item));
        return "waiting for " + string.Join(", ", names) + (asked.Count > Named ? string.Create(CultureInfo.InvariantCulture, $" and {asked.Count - Named} hosts more") : "");
    }

    /// <summary>e.g. "waiting for closed.test: asked again in 12 s (robots.txt, try 2 of 3)"; empty where the wait is too short to be worth a word.</summary>
    /// <param name="host">The host that may be asked first.</param>
    /// <param name="rest">For how long it may not.</param>
    public string ForRest(string? host, TimeSpan rest)
    {
        if (host is null || rest < LeastRest || rest == TimeSpan.MaxValue) return "";
        var tried = Math.Max(robots.Unanswered($"http://{host}"), robots.Unanswered($"https://{host}"));
        return string.Create(CultureInfo.InvariantCulture, $"waiting for {host}: asked again in {Math.Ceiling(rest.TotalSeconds)} s{(tried > 0 ? OfRobots(tried) : "")}");
    }

    private string Try(FrontierUrl item)
    {
        var origin = CanonicalUrl.Origin(item.Url);
        return robots.Known(origin) is null ? OfRobots(robots.Unanswered(origin)) : Of("", frontier.TriesOf(item), CrawlRecord.MostTries);
    }

    private static string OfRobots(int before) => Of("robots.txt, ", before, RobotsCache.MostTries);

    private static string Of(string what, int before, int most) => string.Create(CultureInfo.InvariantCulture, $" ({what}try {Math.Min(before + 1, most)} of {most})");
}
