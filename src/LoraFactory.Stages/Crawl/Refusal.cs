namespace LoraFactory.Stages.Crawl;

/// <summary>Why a URL is not fetched or its answer not used.</summary>
/// <param name="Reason">Short fixed reason: "robots-denied", "address-refused", "too-large" …; the reason of the drop.</param>
/// <param name="Detail">The rule, address, size or message that decided it.</param>
public sealed record Refusal(string Reason, string? Detail = null);
