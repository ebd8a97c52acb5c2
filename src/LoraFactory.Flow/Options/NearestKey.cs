namespace LoraFactory.Flow;

/// <summary>Finds the key that was probably meant.</summary>
public static class NearestKey
{
    /// <summary>
    /// The full key nearest to <paramref name="name"/> as written in <paramref name="section"/>, or null when none is near:
    /// the same name in another section, or a name within a third of its length in edits (same section first).
    /// </summary>
    public static string? Of(string section, string name)
    {
        var written = name.ToLowerInvariant().Replace('-', '_');
        var full = section.Length == 0 ? written : $"{section}.{written}";
        if (OptionCatalog.Find(full) is not null) return full;
        var near = OptionCatalog.Of(section).Select(o => (o.Key, Edits: Edits(written, o.Name)))
            .Where(c => c.Edits <= Math.Max(1, written.Length / 3)).OrderBy(c => c.Edits).FirstOrDefault();
        if (near.Key is not null) return near.Key;
        if (OptionCatalog.All.FirstOrDefault(o => o.Name == written || o.Key == written) is { } elsewhere) return elsewhere.Key;
        if (section.Length == 0 && Among(written, OptionCatalog.Sections) is { } meant) return meant;
        if (written.Length < 4) return null;
        var containing = OptionCatalog.All.Where(o => o.Name.Contains(written, StringComparison.Ordinal) || written.Contains(o.Name, StringComparison.Ordinal))
            .OrderBy(o => o.Section == section ? 0 : 1).ThenBy(o => Math.Abs(o.Name.Length - written.Length)).FirstOrDefault();
        return containing?.Key;
    }

    /// <summary>The word nearest to <paramref name="written"/>, or null when none is within a third of its length.</summary>
    public static string? Among(string written, IEnumerable<string> words)
    {
        var best = words.Select(word => (word, Edits: Edits(written.ToLowerInvariant(), word.ToLowerInvariant()))).OrderBy(c => c.Edits).FirstOrDefault();
        return best.word is not null && best.Edits <= Math.Max(1, Math.Min(written.Length, 64) / 3) ? best.word : null;
    }

    /// <summary>Insertions, deletions, replacements and swaps of neighbours between two words (optimal string alignment).</summary>
    public static int Edits(string a, string b)
    {
        if (Math.Max(a.Length, b.Length) > 64) return a == b ? 0 : 64;
        var d = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++) d[i, 0] = i;
        for (var j = 0; j <= b.Length; j++) d[0, j] = j;
        for (var i = 1; i <= a.Length; i++)
        {
            for (var j = 1; j <= b.Length; j++)
            {
                var cost = a[i - 1] == b[j - 1] ? 0 : 1;
                d[i, j] = Math.Min(Math.Min(d[i - 1, j] + 1, d[i, j - 1] + 1), d[i - 1, j - 1] + cost);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) d[i, j] = Math.Min(d[i, j], d[i - 2, j - 2] + 1);
            }
        }
        return d[a.Length, b.Length];
    }
}
