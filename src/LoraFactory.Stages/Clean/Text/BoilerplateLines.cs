namespace LoraFactory.Stages.Clean.Text;

/// <summary>
/// Lines that belong to the site and not to the page: cookie notices, calls to share or subscribe, rights and policies; and lines that most pages of a host have
/// in common. A line goes only as a whole, and only where the phrase makes up much of it, so an article about cookies keeps its sentences.
/// </summary>
internal static class BoilerplateLines
{
    private const int MostCharacters = 240, FewestPages = 8;
    private const double Common = 0.6;

    private static readonly string[] Phrases =
    [
        "we use cookies", "uses cookies", "use of cookies", "accept cookies", "accept all cookies", "cookie policy", "cookie settings", "cookie preferences", "manage cookies", "share this", "share on facebook", "share on twitter",
        "share on x", "share on pinterest", "share via email", "tweet this", "pin it", "follow us on", "like us on facebook", "subscribe to our newsletter", "sign up for our newsletter", "join our newsletter", "join our mailing list",
        "enter your email address", "all rights reserved", "privacy policy", "terms of service", "terms of use", "terms and conditions", "skip to content", "skip to main content", "skip to navigation", "back to top", "read more", "continue reading",
        "click here", "log in", "sign in", "sign up", "create an account", "forgot your password", "leave a comment", "leave a reply", "post a comment", "your email address will not be published", "related articles", "related posts",
        "you may also like", "recommended for you", "enable javascript", "javascript is disabled", "powered by wordpress", "proudly powered by", "advertisement", "sponsored content", "add to cart", "print this page", "jump to navigation",
        "wir verwenden cookies", "verwendet cookies", "alle rechte vorbehalten", "newsletter abonnieren", "zum inhalt springen", "weiterlesen", "tous droits réservés", "nous utilisons des cookies", "politique de confidentialité", "lire la suite",
        "partager sur", "s'abonner à la newsletter", "utilizamos cookies", "todos los derechos reservados", "política de privacidad", "leer más", "compartir en", "todos os direitos reservados", "utilizza i cookie", "tutti i diritti riservati",
        "alle rechten voorbehouden", "wij gebruiken cookies", "все права защищены", "читать далее", "版权所有", "隐私政策", "分享到", "阅读更多", "无断转载", "無断転載", "プライバシーポリシー", "クッキーを使用",
    ];

    // By the hash of a phrase's first word: the words behind it, of the longest phrase first.
    private static readonly System.Collections.Frozen.FrozenDictionary<ulong, ulong[][]> Known = System.Collections.Frozen.FrozenDictionary.ToFrozenDictionary(
        Phrases.Select(phrase => TextTokens.Of(phrase).Words.Select(word => word.Hash).ToArray()).GroupBy(words => words[0])
            .ToDictionary(group => group.Key, group => group.Select(words => words[1..]).OrderByDescending(words => words.Length).ToArray()));

    /// <summary>The text without lines that are boilerplate by their words; the same object where there are none.</summary>
    public static string Remove(TextTokens text, TextChanges changes)
    {
        HashSet<int>? gone = null;
        var word = 0;
        for (var i = 0; i < text.Lines.Length; i++)
        {
            var line = text.Lines[i];
            var (end, covered) = (line.Start + line.Length, 0);
            for (; word < text.Words.Length && text.Words[word].Start < end; word++)
            {
                var length = PhraseAt(text.Words.AsSpan(word));
                if (length == 0) continue;
                var last = text.Words[word + length - 1];
                covered += last.Start + last.Length - text.Words[word].Start;
                word += length - 1;
            }
            if (covered > 0 && IsFurniture(text.Text.AsSpan(line.Start, line.Length), covered)) (gone ??= []).Add(line.Start);
        }
        return gone is null ? text.Text : Without(text.Text, (line, start) => gone.Contains(start), changes, "boilerplate_lines");
    }

    /// <summary>Hashes of lines that at least six in ten of a host's pages have, where it has eight or more; prose of a sentence or more stays.</summary>
    public static HashSet<ulong> CommonTo(IReadOnlyCollection<TextTokens> pages)
    {
        var counts = new Dictionary<ulong, int>();
        if (pages.Count < FewestPages) return [];
        foreach (var page in pages)
            foreach (var hash in page.Lines.Where(line => line.Length <= MostCharacters / 3).Select(line => line.Hash).Distinct()) counts[hash] = counts.GetValueOrDefault(hash) + 1;
        return [.. counts.Where(pair => pair.Value >= pages.Count * Common).Select(pair => pair.Key)];
    }

    /// <summary>The text without these lines.</summary>
    public static string Remove(string text, HashSet<ulong> lines, TextChanges changes) =>
        lines.Count == 0 ? text : Without(text, (line, _) => lines.Contains(TextTokens.HashOfLine(line)), changes, "common_lines");

    // Words of the longest phrase that begins here, 0 for none. Words of a phrase may lie on two lines only where a site breaks them so.
    private static int PhraseAt(ReadOnlySpan<TextSpan> words)
    {
        if (!Known.TryGetValue(words[0].Hash, out var phrases)) return 0;
        foreach (var rest in phrases)
        {
            if (rest.Length + 1 > words.Length) continue;
            var i = 0;
            while (i < rest.Length && words[i + 1].Hash == rest[i]) i++;
            if (i == rest.Length) return rest.Length + 1;
        }
        return 0;
    }

    // "Read more" is nearly all of its line; a cookie notice says a sentence around it.
    private static bool IsFurniture(ReadOnlySpan<char> line, int covered) =>
        line.Length <= MostCharacters && (covered * 2 >= line.Length || (line.Length <= 160 && covered * 4 >= line.Length && !EndsInside(line)) || IsNotice(line));

    // A sentence of an article that happens to hold the phrase is longer and ends with a full stop.
    private static bool EndsInside(ReadOnlySpan<char> line) => line.Length > 60 && line[^1] is '.' or '。' or '!' or '?';

    private static bool IsNotice(ReadOnlySpan<char> line) =>
        (line.StartsWith("We use cookies", StringComparison.OrdinalIgnoreCase) || line.StartsWith("This website uses cookies", StringComparison.OrdinalIgnoreCase) || line.StartsWith("This site uses cookies", StringComparison.OrdinalIgnoreCase)
            || line.StartsWith("By continuing to use", StringComparison.OrdinalIgnoreCase) || line.StartsWith("By using this", StringComparison.OrdinalIgnoreCase) || line.StartsWith("©", StringComparison.Ordinal) || line.StartsWith("Copyright", StringComparison.OrdinalIgnoreCase));

    private delegate bool LineTest(ReadOnlySpan<char> line, int start);

    private static string Without(string text, LineTest goes, TextChanges changes, string name)
    {
        var kept = new System.Text.StringBuilder(text.Length);
        var removed = 0;
        var at = 0;
        while (at < text.Length)
        {
            var end = text.IndexOf('\n', at);
            end = end < 0 ? text.Length : end + 1;
            var line = text.AsSpan(at, end - at);
            var words = line.Trim();
            if (words.Length > 0 && goes(words, at + line.IndexOf(words[0]))) removed++;
            else kept.Append(line);
            at = end;
        }
        if (removed == 0) return text;
        changes.Add(name, removed);
        return kept.ToString().TrimEnd();
    }
}
