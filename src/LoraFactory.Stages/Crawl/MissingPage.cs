using System.Buffers;

namespace LoraFactory.Stages.Crawl;

/// <summary>
/// Pages that say "not found" with status 200 (soft 404s): short ones whose title says so in so many words. Those that say it otherwise are known by
/// their likeness to what the host shows with status 404 (<see cref="Frontier.MissingPage"/>).
/// </summary>
public static class MissingPage
{
    private const int MostWords = 150;

    private static readonly string[] Phrases =
    [
        "not found", "404", "page does not exist", "page doesn't exist", "no longer exists", "no longer available", "page is missing", "cannot be found", "can't be found",
        "nicht gefunden", "existiert nicht", "introuvable", "n'existe pas", "no encontrada", "no encontrado", "no existe", "non trovata", "non trovato", "não encontrada", "não encontrado",
        "niet gevonden", "nie znaleziono", "не найдена", "не найден", "не существует", "bulunamadı", "未找到", "找不到", "不存在", "見つかりません", "찾을 수 없",
    ];

    // Most titles hold none of them, which one search says.
    private static readonly SearchValues<string> Any = SearchValues.Create(Phrases, StringComparison.OrdinalIgnoreCase);

    /// <summary>Why it counts as missing; null where it does not.</summary>
    /// <param name="title">The page's title.</param>
    /// <param name="text">Its headings and first paragraphs.</param>
    public static Refusal? Judge(string title, string text)
    {
        if (title.Length is 0 or > 120 || !title.AsSpan().ContainsAny(Any)) return null;
        var said = Array.Find(Phrases, phrase => Says(title, phrase));
        return said is not null && text.Count(c => c == ' ') < MostWords ? new("soft-404", $"its title says \"{said}\"") : null;
    }

    // "404" is a word of its own: "Route 4041" is a place.
    private static bool Says(string title, string phrase)
    {
        var at = title.IndexOf(phrase, StringComparison.OrdinalIgnoreCase);
        if (at < 0 || !char.IsAsciiDigit(phrase[0])) return at >= 0;
        return (at == 0 || !char.IsLetterOrDigit(title[at - 1])) && (at + phrase.Length == title.Length || !char.IsLetterOrDigit(title[at + phrase.Length]))
            && (title.Trim().Length == phrase.Length || title.Contains("error", StringComparison.OrdinalIgnoreCase) || title.TrimStart().StartsWith(phrase, StringComparison.Ordinal));
    }
}
