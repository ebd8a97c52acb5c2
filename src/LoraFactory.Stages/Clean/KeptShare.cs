using LoraFactory.Flow;
using LoraFactory.Stages.Clean.Text;

namespace LoraFactory.Stages.Clean;

/// <summary>Stops a run that would go on with next to nothing, and says what to change.</summary>
internal static class KeptShare
{
    /// <summary>Throws <see cref="LoraException"/> with the three commonest reasons when too little was kept; what the crawl did not fetch counts in no share.</summary>
    public static void Require(int kept, IReadOnlyDictionary<string, int> drops, IReadOnlyDictionary<string, int> notFetched, CleanOptions options, bool folder)
    {
        var judged = kept + drops.Sum(drop => drop.Value);
        if (judged == 0)
        {
            throw new LoraException(notFetched.Count == 0
                ? "clean was given no pictures: the crawled pages show none; add seed.urls with pictures on your topic."
                : $"clean was given no pictures: the crawl fetched none of the {notFetched.Values.Sum()} that it found ({string.Join(", ", notFetched.OrderByDescending(n => n.Value).Select(n => $"{n.Key} {n.Value}"))}); 2-clean/dropped.jsonl says why for each.");
        }
        if (TooFew("clean kept", kept, judged, drops, options, folder) is { } fault) throw new LoraException($"{fault} 2-clean/dropped.jsonl lists every picture, and lora clean report RUN shows them.");
    }

    /// <summary>What is too little about <paramref name="kept"/> of <paramref name="judged"/> pictures, with the three commonest reasons; null where it is enough.</summary>
    public static string? TooFew(string subject, int kept, int judged, IReadOnlyDictionary<string, int> drops, CleanOptions options, bool folder)
    {
        var share = (double)kept / judged;
        if (kept >= options.MinKept && share >= options.MinKeptShare) return null;
        return $"{subject} {kept} of {judged} pictures ({share:P1}), but a run needs {options.MinKept} (clean.min_kept) and {options.MinKeptShare:P0} (clean.min_kept_share)."
            + (drops.Count == 0 ? "" : $" Commonest reasons: {Reasons(drops, options, folder)}.");
    }

    /// <summary>The three commonest reasons, each with its count and what to change.</summary>
    public static string Reasons(IReadOnlyDictionary<string, int> drops, CleanOptions options, bool folder)
    {
        var advice = drops.OrderByDescending(drop => drop.Value).ThenBy(drop => drop.Key, StringComparer.Ordinal).Take(3)
            .Select(drop => $"{drop.Key} {drop.Value} ({Advice(drop.Key, options, folder)})");
        return string.Join("; ", advice);
    }

    /// <summary>", most dropped as off-topic (12)" or nothing.</summary>
    public static string Commonest(IReadOnlyDictionary<string, int> drops) => drops.Count == 0 ? ""
        : drops.OrderByDescending(drop => drop.Value).ThenBy(drop => drop.Key, StringComparer.Ordinal).First() is var most ? $", most dropped as {most.Key} ({most.Value})" : "";

    private static string Advice(string reason, CleanOptions options, bool folder) => reason switch
    {
        "off-topic" => $"lower clean.min_relevance below {options.MinRelevance}, or add seed.synonyms",
        TextQuality.Reason => $"lower clean.min_text_quality below {options.MinTextQuality}, or choose other seed.urls",
        "language" => $"clean.languages keeps only {string.Join(", ", options.Languages)}",
        "too-small" => $"lower clean.min_side below {options.MinSide}{(folder ? "" : ", or choose sites with larger pictures")}",
        "too-large" => $"raise clean.max_megapixels above {options.MaxMegapixels}",
        "odd-aspect" => $"raise clean.max_aspect above {options.MaxAspect}",
        "near-duplicate" or "duplicate" => $"{(folder ? "add different pictures" : "crawl more sites")}, or lower clean.duplicate_distance below {options.DuplicateDistance}",
        CleanStage.OptedOut => "these sites do not allow training; choose others",
        "damaged" or "unreadable" => "the files are broken or end early",
        _ when PictureRule.All.FirstOrDefault(rule => rule.Reason == reason) is { } rule => rule.Advice,
        _ when TextRules.All.Any(rule => rule.Name == reason) => $"change it by clean.thresholds, as in {reason}=NUMBER, or leave its set out of clean.rules",
        _ => "see dropped.jsonl",
    };
}
