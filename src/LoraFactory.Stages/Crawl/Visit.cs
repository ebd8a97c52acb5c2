using System.Text.Json.Serialization;

namespace LoraFactory.Stages.Crawl;

/// <summary>A link, judged: to be followed, or why not.</summary>
/// <param name="Item">The link as the frontier keeps it.</param>
/// <param name="Denied">Why it is not followed; null where it is.</param>
public sealed record JudgedLink(FrontierUrl Item, Refusal? Denied);

/// <summary>What came of one URL.</summary>
/// <param name="Item">The URL.</param>
/// <param name="Refusal">Why nothing came of it.</param>
public sealed record Visit(FrontierUrl Item, Refusal? Refusal)
{
    /// <summary>HTTP status, 0 where no answer came.</summary>
    public int Status { get; init; }
    /// <summary>The host that the last request went to, where a redirect led to another than the URL's; null where it did not.</summary>
    public string? AnsweredBy { get; init; }
    /// <summary>The page, with its pictures as found.</summary>
    public Flow.Page? Page { get; init; }
    /// <summary>Links of the page, or pages of a sitemap.</summary>
    public IReadOnlyList<JudgedLink> Links { get; init; } = [];
    /// <summary>Further sitemaps of a sitemap.</summary>
    public IReadOnlyList<Uri> Sitemaps { get; init; } = [];
    /// <summary>How the picture fared.</summary>
    public PictureOutcome? Picture { get; init; }
    /// <summary>What the page says and shows, to tell pages that are nearly the same.</summary>
    public PageSignature? Signature { get; init; }
    /// <summary>Signature of the words with which the host says that something is not there.</summary>
    public long Missing { get; init; }
    /// <summary>Whether redirects led to what decided, so that a server was asked even where the last one was not.</summary>
    public bool Redirected { get; init; }
    /// <summary>How long the host asks to be left alone.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Whether the host says that it is busy or broken: asked again later, it may answer.</summary>
    [JsonIgnore]
    public bool IsBusy => Refusal?.Reason == "bad-status" && Status is 429 or 500 or 502 or 503 or 504;

    /// <summary>Whether the network failed it.</summary>
    [JsonIgnore]
    public bool IsCutOff => Refusal?.Reason is "timeout" or "unreachable" or "dns";

    /// <summary>Whether a server was asked for it.</summary>
    [JsonIgnore]
    public bool WasAsked => Redirected || Refusal?.Reason is not ("robots-denied" or "robots-unreachable" or "crawl-delay" or "address-refused" or "withdrawn");
}
