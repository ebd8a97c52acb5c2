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
    public static double Foreign(ReadOnlySpan<char> text, string language) => new LetterCounts(text).Foreign(language);

    /// <summary>The letters of a text, counted once for all languages.</summary>
    internal readonly struct LetterCounts
    {
        private readonly Dictionary<char, int> others = [];
        private readonly int letters;

        /// <summary>Counts the letters of a text.</summary>
        public LetterCounts(ReadOnlySpan<char> text)
        {
            foreach (var c in text)
            {
                if (char.IsAsciiLetter(c)) letters++;
                else if (c >= 0x80 && char.IsLetter(c))
                {
                    letters++;
                    var lower = char.ToLowerInvariant(c);
                    others[lower] = others.GetValueOrDefault(lower) + 1;
                }
            }
        }

        /// <summary>Share of the letters that are not the language's, 0..1; 0 where the language's letters are not known.</summary>
        public double Foreign(string language)
        {
            if (letters == 0 || !Letters.TryGetValue(language, out var own)) return 0;
            var foreign = 0;
            foreach (var (letter, count) in others)
                if (!own.Contains(letter) && !Arabic.Contains(letter)) foreign += count;
            return (double)foreign / letters;
        }
    }
}
