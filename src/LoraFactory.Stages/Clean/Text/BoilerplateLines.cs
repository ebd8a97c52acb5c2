using System.Buffers;

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

    private static readonly SearchValues<string> Known = SearchValues.Create(Phrases, StringComparison.OrdinalIgnoreCase);

    /// <summary>The text without lines that are boilerplate by their words.</summary>
    public static string Remove(string text, TextChanges changes) =>
        text.AsSpan().IndexOfAny(Known) < 0 ? text : Without(text, line => IsKnown(line), changes, "boilerplate_lines");

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
        lines.Count == 0 ? text : Without(text, line => lines.Contains(TextTokens.HashOfLine(line.Trim())), changes, "common_lines");

    private static bool IsKnown(ReadOnlySpan<char> line)
    {
        if (line.Length > MostCharacters) return false;
        var rest = line;
        var covered = 0;
        while (rest.IndexOfAny(Known) is var at and >= 0)
        {
            var length = LengthAt(rest[at..]);
            covered += length;
            rest = rest[(at + length)..];
        }
        // "Read more" is nearly all of its line; a cookie notice says a sentence around it.
        return covered > 0 && (covered * 2 >= line.Length || (line.Length <= 160 && covered * 4 >= line.Length && !EndsInside(line)) || IsNotice(line));
    }

    private static int LengthAt(ReadOnlySpan<char> text)
    {
        var longest = 0;
        foreach (var phrase in Phrases)
            if (phrase.Length > longest && text.StartsWith(phrase, StringComparison.OrdinalIgnoreCase)) longest = phrase.Length;
        return longest;
    }

    // A sentence of an article that happens to hold the phrase is longer and ends with a full stop.
    private static bool EndsInside(ReadOnlySpan<char> line) => line.Length > 60 && line[^1] is '.' or '。' or '!' or '?';

    private static bool IsNotice(ReadOnlySpan<char> line) =>
        (line.StartsWith("We use cookies", StringComparison.OrdinalIgnoreCase) || line.StartsWith("This website uses cookies", StringComparison.OrdinalIgnoreCase) || line.StartsWith("This site uses cookies", StringComparison.OrdinalIgnoreCase)
            || line.StartsWith("By continuing to use", StringComparison.OrdinalIgnoreCase) || line.StartsWith("By using this", StringComparison.OrdinalIgnoreCase) || line.StartsWith("©", StringComparison.Ordinal) || line.StartsWith("Copyright", StringComparison.OrdinalIgnoreCase));

    private delegate bool LineTest(ReadOnlySpan<char> line);

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
            if (line.Trim() is { Length: > 0 } words && goes(words)) removed++;
            else kept.Append(line);
            at = end;
        }
        if (removed == 0) return text;
        changes.Add(name, removed);
        return kept.ToString().TrimEnd();
    }
}
