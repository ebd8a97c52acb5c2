using System.Text.Json.Serialization;

namespace LoraFactory.Stages.Crawl;

/// <summary>Why a URL is not fetched or its answer not used.</summary>
/// <param name="Reason">Short fixed reason: "robots-denied", "address-refused", "too-large" …; the reason of the drop.</param>
/// <param name="Detail">The rule, address, size or message that decided it.</param>
/// <param name="Value">The number that was judged, in the unit of its threshold; null where the reason has none.</param>
/// <param name="Threshold">What it was judged by.</param>
public sealed record Refusal(string Reason, string? Detail = null, double? Value = null, double? Threshold = null)
{
    /// <summary>After how long it may be otherwise; null where it is final.</summary>
    public TimeSpan? Wait { get; init; }

    /// <summary>Whether the URL stays in the frontier for a crawl with another limit, or on another day.</summary>
    [JsonIgnore]
    public bool IsDeferral => Defers(Reason);

    /// <summary>Whether what is dropped for this reason stays in the frontier; see <see cref="IsDeferral"/>.</summary>
    public static bool Defers(string reason) => reason is "crawl-delay" or "robots-unreachable";
}
