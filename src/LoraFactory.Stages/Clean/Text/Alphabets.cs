namespace LoraFactory.Stages.Clean.Text;

/// <summary>
/// Which letters a language is written with (Unicode CLDR's exemplar characters): a word with ą is not Catalan, however Catalan its other letters look.
/// Letters of loanwords that are common in a language count as its own.
/// </summary>
internal static class Alphabets
{
    private const string Russian = "абвгдежзийклмнопрстуфхцчшщъыьэюяё";

    // For Latin: what goes beyond a to z. For the other scripts: all letters.
    private static readonly Dictionary<string, HashSet<char>> Letters = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["en"] = "", ["de"] = "äöüßé", ["fr"] = "àâæçéèêëîïôœùûüÿ", ["es"] = "áéíñóúü", ["it"] = "àèéìíîòóù", ["pt"] = "áâãàçéêíóôõúü", ["nl"] = "áäéëèêíïóöúüĳ",
        ["sv"] = "åäöéà", ["da"] = "æøåéá", ["nb"] = "æøåéòóôê", ["fi"] = "åäöšž", ["pl"] = "ąćęłńóśźż", ["cs"] = "áčďéěíňóřšťúůýž", ["sk"] = "áäčďéíĺľňóôŕšťúýž",
        ["hu"] = "áéíóöőúüű", ["ro"] = "ăâîșțşţ", ["hr"] = "čćđšž", ["bs"] = "čćđšž", ["sl"] = "čšžćđ", ["lt"] = "ąčęėįšųūž", ["lv"] = "āčēģīķļņšūž", ["et"] = "äõöüšž",
        ["tr"] = "çğıöşüâîûi̇", ["az"] = "çəğıöşüi̇", ["id"] = "é", ["ms"] = "é", ["jv"] = "éèê", ["ca"] = "àçéèíïóòúü", ["gl"] = "áéíñóúü", ["eu"] = "ñçü", ["af"] = "áéèêëïíîôóúû",
        ["sq"] = "çë", ["ga"] = "áéíóú", ["cy"] = "âêîôûŵŷáéíóúäëïöü", ["is"] = "áéíóúýðþæö", ["mt"] = "ċġħżàèìòù", ["eo"] = "ĉĝĥĵŝŭ", ["tl"] = "ñ", ["sw"] = "", ["mg"] = "àâéèêëìïîñôò", ["uz"] = "ʻʼ",
        ["vi"] = "àáâãèéêìíòóôõùúýăđĩũơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ",
        ["ru"] = Russian, ["uk"] = "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя", ["be"] = "абвгдежзійклмнопрстуўфхцчшыьэюяё", ["bg"] = "абвгдежзийклмнопрстуфхцчшщъьюяѝ",
        ["mk"] = "абвгдѓежзѕијклљмнњопрстќуфхцчџшѐѝ", ["sr"] = "абвгдђежзијклљмнњопрстћуфхцчџш", ["kk"] = Russian + "әғқңөұүһі", ["mn"] = Russian + "өү",
        ["ar"] = "ابتثجحخدذرزسشصضطظعغفقكلمنهويءآأؤإئةىـ", ["fa"] = "ابتثجحخدذرزسشصضطظعغفقلمنهوءآأؤئپچژگکیۀةـ", ["ur"] = "ابتثجحخدذرزسشصضطظعغفقلمنوءآأؤئپچژگکیٹڈڑںےہھۂۃۓـ",
    }.ToDictionary(pair => pair.Key, pair => pair.Value.ToHashSet(), StringComparer.Ordinal);

    private static readonly HashSet<char> Arabic = [.. Letters["ar"].Intersect(Letters["ur"])];

    /// <summary>Share of a text's letters that are not the language's, 0..1; 0 where the language's letters are not known.</summary>
    public static double Foreign(ReadOnlySpan<char> text, string language)
    {
        if (!Letters.TryGetValue(language, out var own)) return 0;
        int letters = 0, foreign = 0;
        foreach (var c in text)
        {
            if (char.IsAsciiLetter(c)) letters++;
            else if (char.IsLetter(c))
            {
                letters++;
                if (!own.Contains(char.ToLowerInvariant(c)) && !Arabic.Contains(c)) foreign++;
            }
        }
        return letters == 0 ? 0 : (double)foreign / letters;
    }
}
