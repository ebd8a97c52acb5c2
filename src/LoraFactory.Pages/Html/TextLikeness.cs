namespace LoraFactory.Pages.Html;

/// <summary>How much of a text another one repeats.</summary>
internal static class TextLikeness
{
    /// <summary>1 less the share of <paramref name="other"/>'s characters in words that <paramref name="text"/> lacks, 0..1.</summary>
    public static double Of(string text, string other)
    {
        var known = Words(text).ToHashSet(StringComparer.OrdinalIgnoreCase);
        int all = 0, strange = 0;
        foreach (var word in Words(other))
        {
            all += word.Length + 1;
            if (!known.Contains(word)) strange += word.Length + 1;
        }
        return known.Count == 0 || all == 0 ? 0 : 1 - ((double)strange / all);
    }

    private static IEnumerable<string> Words(string text)
    {
        var start = -1;
        for (var i = 0; i <= text.Length; i++)
        {
            var isWord = i < text.Length && char.IsLetterOrDigit(text[i]);
            if (isWord && start < 0) start = i;
            else if (!isWord && start >= 0)
            {
                yield return text[start..i];
                start = -1;
            }
        }
    }
}
