namespace LoraFactory.Stages.Crawl;

/// <summary>What a resource says about its use by TDMRep, Content-Signal and Content-Usage.</summary>
public sealed record UseSignals
{
    /// <summary>Says nothing.</summary>
    public static UseSignals None { get; } = new();

    /// <summary>Whether rights of text and data mining are reserved; null where nothing says so.</summary>
    public bool? TdmReserved { get; init; }

    /// <summary>What says so: "tdmrep-file", "tdmrep-header" or "tdmrep-meta"; null where nothing does.</summary>
    public string? TdmSource { get; init; }

    /// <summary>Address of the terms on which mining may be licensed, of the same statement; null where it names none.</summary>
    public string? TdmPolicy { get; init; }

    /// <summary>Content-Signal: "search", "ai-input", "ai-train" to yes (true) or no; words that nothing was said about are not there.</summary>
    public IReadOnlyDictionary<string, bool?> ContentSignals { get; init; } = new Dictionary<string, bool?>();

    /// <summary>Content-Usage: "train-ai", "search" … to y (true) or n; words that nothing was said about are not there.</summary>
    public IReadOnlyDictionary<string, bool?> ContentUsage { get; init; } = new Dictionary<string, bool?>();

    /// <summary>Reads one Content-Signal value (contentsignals.org): "search=yes, ai-train=no"; of a word that stands twice a no counts.</summary>
    public static IReadOnlyDictionary<string, bool?> OfContentSignal(string value)
    {
        var said = new Dictionary<string, bool?>(StringComparer.Ordinal);
        foreach (var pair in value.Split(','))
        {
            var equals = pair.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0) continue;
            var word = pair[..equals].Trim().ToLowerInvariant();
            bool? says = pair[(equals + 1)..].Trim().ToLowerInvariant() switch { "yes" => true, "no" => false, _ => null };
            if (word.Length > 0 && says is not null && said.GetValueOrDefault(word) != false) said[word] = says;
        }
        return said;
    }

    /// <summary>
    /// Reads one Content-Usage value, a structured-field dictionary (RFC 9651) of the IETF's aipref drafts: the last value of a key counts, and one that is
    /// neither y nor n says nothing; parameters after ";" do not count. Keys of any case are read, which is the stricter way. What drafts have called the
    /// training of generative models ("genai", "train-genai") counts as "train-ai" as well, and of several a no.
    /// </summary>
    public static IReadOnlyDictionary<string, bool?> OfContentUsage(string value)
    {
        var said = new Dictionary<string, bool?>(StringComparer.Ordinal);
        foreach (var member in Members(value))
        {
            var bare = member.Split(';')[0];
            var equals = bare.IndexOf('=', StringComparison.Ordinal);
            var key = (equals < 0 ? bare : bare[..equals]).Trim().ToLowerInvariant();
            if (key.Length > 0) said[key] = equals < 0 ? null : bare[(equals + 1)..].Trim().ToLowerInvariant() switch { "y" => true, "n" => false, _ => null };
        }
        foreach (var alias in (string[])["genai", "train-genai"])
            if (said.Remove(alias, out var says) && says is not null && said.GetValueOrDefault("train-ai") != false) said["train-ai"] = says;
        return said;
    }

    // Parts between commas that stand in no quoted string.
    private static List<string> Members(string value)
    {
        var members = new List<string>();
        var (from, quoted) = (0, false);
        for (var i = 0; i < value.Length; i++)
        {
            if (value[i] == '\\' && quoted) i++;
            else if (value[i] == '"') quoted = !quoted;
            else if (value[i] == ',' && !quoted)
            {
                members.Add(value[from..i]);
                from = i + 1;
            }
        }
        members.Add(value[from..]);
        return members;
    }
}
