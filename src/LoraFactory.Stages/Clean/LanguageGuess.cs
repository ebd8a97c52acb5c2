using LoraFactory.Flow;
using LoraFactory.Stages.Clean.Text;

namespace LoraFactory.Stages.Clean;

/// <summary>
/// The language of a text: by script where a script has one language, else by the share of words that are its commonest function words
/// (and of letters that only it has). Sure for a paragraph; short texts are "und" unless the page declares a language that fits.
/// </summary>
public static class LanguageGuess
{
    private static readonly Dictionary<string, (HashSet<string> Words, string Letters)> Profiles = Build(
        ("en", "", "the of and to in is that it was for on are as with his they at be this from have or by had not but what were we when there an which their said if will each she do how her"),
        ("de", "ßäöü", "der die das und ist in den von zu mit sich des auf für nicht ein eine dem es im auch als an nach wie bei werden aus oder dass wird sind war einen hat durch nur noch über einer ich sie er wir"),
        ("fr", "çœêèàùëî", "de la le et les des en un une du est que dans qui pour pas sur au il par plus ce avec sont se ne cette ses mais nous ou son ont été aux je vous elle leur comme à l d c s"),
        ("es", "ñ¿¡", "de la que el en y los del se las por un para con no una su al es lo como más pero sus le ya este sí porque esta entre cuando muy sin sobre también fue había ha son está desde nos"),
        ("it", "", "di che e la il un a per è in una sono con non si le dei del lo da della al i più come gli ma anche nel alla delle ha questo dal suo o ci nella essere stato hanno se mi dell all"),
        ("pt", "ãõ", "de a o que e do da em um para é com não uma os no se na por mais as dos como mas foi ao ele das tem à seu sua ou ser quando muito há nos já está eu também só pelo pela até isso são"),
        ("nl", "", "de en van het een in is dat op te zijn met voor niet aan er om die ook als maar bij nog door naar hij worden uit over wordt werd dan heeft deze was zich hebben kan meer geen ik je"),
        ("sv", "", "och i att det som en på är av för med till den har de inte om ett han men var jag sig från vi så kan man när år säger hon under också efter eller nu sin där vid mot ska skulle"),
        ("da", "", "og i at det er en til af på som med for den de har ikke han et der var jeg fra kan men om sig vi så skal ved efter også være havde blev hun eller hvis nu mere meget blive noget siger hvor"),
        ("nb", "", "og i å det er en på som til av for med at den ikke har de han et var jeg fra men om seg kan vi så skal ved etter også være hadde ble hun eller hvis nå mer mye bli noe sier hvor opp"),
        ("fi", "", "ja on ei että se hän oli ovat mutta kun niin tai joka myös jos kuin sen ole hänen mukaan vain nyt sitä siitä tämä voi olla minä ollut mitä ne jo kanssa ennen vuonna tässä joka oma"),
        ("pl", "ąęłśźćń", "i w na z do że się nie to jest o jak po od za przez ale dla co tak był oraz jego tym czy już przy są może ich być jej było które który także tylko kiedy lub bardzo"),
        ("cs", "řěů", "a v se na je že s z to o do i k pro za ale jako jsem by si po jsou jeho tak nebo od byl bylo když při není podle ve což také jen které který už být jak"),
        ("sk", "ľĺŕô", "a v sa na je že s z to o do i k pre za ale ako som by si po sú jeho tak alebo od bol bolo keď pri nie podľa vo čo aj len ktoré ktorý už byť"),
        ("hu", "őű", "a az és hogy nem is egy van ez meg csak de már még volt mint vagy ha el kell azt ki lehet nagyon itt majd amely aki minden után szerint között lesz ezt pedig így"),
        ("ro", "șțăşţ", "de și în a la care cu nu pe o că din un sunt este pentru mai sau fi prin au al ce dar lui dacă după ai fost său această cele fără când ca le se"),
        ("hr", "đ", "i u je na se da za od su s a ne kao o iz što koji bi će to te ali ili nije koje po biti do samo kako sve bio više ima već još prema"),
        ("sl", "", "in je v se na da za so pa ki ne z tudi po iz kot bi s od še ali ko bo pri to lahko ni bil zaradi ker le kako vse do med samo več že"),
        ("lt", "ėįųū", "ir yra į kad iš su į tai kaip bet buvo ar per apie nuo ne už po jis dar tik prie jo ji savo taip pat gali kurie metu jau dėl tačiau"),
        ("lv", "āņļķģē", "un ir ar ka no uz par kas bet arī lai tas vai pie līdz kā pēc tika gan tad viņa savu šo jau nav pret vēl to kad bija ne"),
        ("et", "", "ja on ei et see oli ka kui mis oma ta aga ning või seda tema mida siis välja veel kes üle pole olid oleks mitte juba ainult ole pärast kuid saab"),
        ("tr", "ğışİ", "ve bir bu da de için ile olarak çok daha olan gibi kadar sonra ne ise var en değil ama o mi her olduğu ya ben göre tarafından önce oldu şey diye veya kendi iki"),
        ("id", "", "yang dan di dari untuk dengan ini pada itu tidak dalam akan adalah ke juga ada oleh saya karena atau telah bisa sebagai mereka dapat kami sudah lebih anda satu tersebut bahwa orang"),
        ("vi", "ơưđạảấầẩẫậắằẳẵặẹẻẽếềểễệ", "và của là có không được cho trong một với các người những đã này khi đến từ cũng như ra để tôi nhưng đó vào về còn thì phải nhiều sẽ trên năm ông"),
        ("ca", "ŀ", "de la i el que a en els les un per una del amb és al no es com més va l d ha per o però seva aquest són també ser aquesta entre què fins pels"),
        ("eu", "", "eta da du ez bat dira dute den ere zuen baina izan hau dituzte egin zen edo bere dela hori zuten duen baino behar beste oso gero"),
        ("af", "", "die van en in is het dat vir te nie met op sy om wat hy was aan word ook as deur by hulle maar ons kan sal een tot na uit of oor daar"),
        ("sq", "ë", "të e në dhe që i për me një nga është së si u ka do më ai nuk kjo duke janë edhe por ta kishte kanë tij"),
        ("ga", "", "an na agus a ar i is go le bhí sé do ag ní sin tá seo ach mar gur as nach aon chun faoi"),
        ("cy", "ŵŷ", "y yn a i o yr ar ei mae am wedi oedd gan fel bod hyn hefyd ond eu wrth nid ac un roedd"),
        ("is", "þð", "og í að á sem er til við um en hann með af ekki það var fyrir frá hún því eru hefur ég þar þá eða verið"),
        ("eo", "ĉĝĥĵŝŭ", "la de kaj en estas ne al por ke mi vi kun sed li tio ĝi pri estis aŭ kiel el ĉu oni plej"),
        ("tl", "", "ang ng sa na at mga ay ko ito para siya hindi niya may ni kung nang mo po si ako isang"),
        ("sw", "", "na ya wa kwa ni katika za la kuwa hiyo yake huo hii kama si cha hilo watu sana lakini wake baada"),
        ("ru", "ыэё", "и в не на что с по как это из он к за но для от все так у его было о же бы только или был мы также при если году быть она они чтобы"),
        ("uk", "їєґ", "і в на що не з та до у за як це для від про по але є його був який було він також вони все так її має або бути якщо"),
        ("be", "ў", "і ў на не што з да як у гэта па за ад для але быў яго ён таксама якія было мы яны ці калі"),
        ("bg", "", "на и в за да се от с не са е че по това като ще до при но или към има беше след само които който си още може"),
        ("mk", "ѓќѕј", "на и во за да се од со не е што ќе го ги по тоа како но до или беше при има кој која само"),
        ("sr", "ђћџљњј", "и у је на се да за од су са не као о из што који ће то али или није које по бити до само како све"),
        ("kk", "әғқңөұүһ", "және мен бұл де бір да үшін болып бар деп осы еді сол ол болды керек"),
        ("mn", "өү", "нь юм байна бол энэ гэж байсан болон ба тэр их нэг дээр"),
        ("zh", "", "的 一 是 不 了 在 有 我 他 这 中 大 来 上 国 和 就 也 为 们 到 以 于 而 都 把 用 会 没 得 与 及 或 等 其"),
        ("ja", "", "の に は を た が で て と し れ さ る い も な か す ま あ り こ そ う"),
        ("ar", "", "في من على إلى أن التي الذي هذا هذه عن مع ما كان لا كما بعد أو كل بين ذلك قد هو هي لم وقد عند حيث"),
        ("fa", "پچژگ", "و در به از که این را با است برای آن یک خود تا بر هم نیز شده می ها بود او ما"),
        ("ur", "ٹڈڑںےہ", "کے کی میں ہے اور سے کا کو نے پر کہ یہ ہیں اس بھی کر ایک تھا جو ان"),
        ("hi", "", "के में है की से को का और पर ने कि यह एक हैं भी लिए इस नहीं था कर तो हो"),
        ("mr", "ळ", "आहे आणि या व ते की हे तो ही होते आहेत असे म्हणून एक त्या नाही होता केला"));

    private static readonly Dictionary<string, (HashSet<ulong> Words, HashSet<char> Characters)> Hashes = Profiles.ToDictionary(p => p.Key,
        p => (p.Value.Words.Select(word => TextTokens.HashOf(word)).ToHashSet(), p.Value.Words.Where(word => word.Length == 1 && word[0] > '\u2e80').Select(word => word[0]).ToHashSet()), StringComparer.Ordinal);

    /// <summary>Languages in the order of the bits of <see cref="StopWordLanguages"/>; at most 64.</summary>
    internal static IReadOnlyList<string> Languages { get; } = [.. Profiles.Keys];

    /// <summary>For the hash of a function word a bit for each of <see cref="Languages"/> that has it.</summary>
    internal static System.Collections.Frozen.FrozenDictionary<ulong, ulong> StopWordLanguages { get; } = System.Collections.Frozen.FrozenDictionary.ToFrozenDictionary(
        Languages.SelectMany((language, bit) => Hashes[language].Words.Select(word => (word, mask: 1ul << bit))).GroupBy(pair => pair.word).ToDictionary(group => group.Key, group => group.Aggregate(0ul, (mask, pair) => mask | pair.mask)));

    private static readonly (int First, int Last, string Language)[] Scripts =
    [
        (0x0370, 0x03FF, "el"), (0x0590, 0x05FF, "he"), (0x0980, 0x09FF, "bn"), (0x0A00, 0x0A7F, "pa"), (0x0A80, 0x0AFF, "gu"), (0x0B80, 0x0BFF, "ta"), (0x0C00, 0x0C7F, "te"),
        (0x0C80, 0x0CFF, "kn"), (0x0D00, 0x0D7F, "ml"), (0x0E00, 0x0E7F, "th"), (0x0E80, 0x0EFF, "lo"), (0x1000, 0x109F, "my"), (0x10A0, 0x10FF, "ka"), (0x0530, 0x058F, "hy"),
        (0x1780, 0x17FF, "km"), (0x1200, 0x137F, "am"), (0xAC00, 0xD7AF, "ko"), (0x1100, 0x11FF, "ko"), (0x3040, 0x30FF, "ja"), (0x4E00, 0x9FFF, "zh"), (0x3400, 0x4DBF, "zh"),
        (0x0600, 0x06FF, "Arabic"), (0x0900, 0x097F, "Devanagari"), (0x0400, 0x04FF, "Cyrillic"),
    ];

    private static readonly Dictionary<string, string[]> Shared = new()
    {
        ["Arabic"] = ["ar", "fa", "ur"],
        ["Devanagari"] = ["hi", "mr"],
        ["Cyrillic"] = ["ru", "uk", "be", "bg", "mk", "sr", "kk", "mn"],
    };

    private static readonly string[] Latin = [.. Profiles.Keys.Except([.. Shared.Values.SelectMany(languages => languages), "zh", "ja"])];

    /// <summary>BCP-47 code of the text's language, "und" when it cannot be told. A fitting <paramref name="declared"/> language decides when the text is short.</summary>
    public static string Of(string text, string declared = "")
    {
        var (script, share) = Script(text);
        if (share == 0) return "und";
        if (script is not ("Latin" or "Arabic" or "Devanagari" or "Cyrillic")) return script;
        var candidates = Shared.GetValueOrDefault(script, Latin);
        var words = WordStem.Words(text).ToList();
        var scores = candidates.Select(language => (Language: language, Score: Score(language, words, text))).OrderByDescending(pair => pair.Score).ThenBy(pair => pair.Language, StringComparer.Ordinal).ToList();
        var stated = declared.Split('-', '_')[0];
        if (stated is "no" or "nn") stated = "nb";
        var best = scores[0];
        var own = scores.FirstOrDefault(pair => pair.Language == stated);
        // Two languages that look alike, or a handful of words: the page knows better, if what it says is possible.
        if (own.Language is not null && own.Score >= (words.Count < 12 ? 0 : best.Score * 0.7)) return stated;
        // Three words with one function word among them are as likely a name.
        if (script == "Latin" && words.Count < 4) return "und";
        return best.Score > 0 ? best.Language : script == "Latin" ? "und" : candidates[0];
    }

    /// <summary>Languages that are known in a script that several share.</summary>
    internal static IReadOnlyList<string> WrittenIn(string script) => Shared.GetValueOrDefault(script, Latin);

    /// <summary>Function words of a language; null when none are known.</summary>
    public static IReadOnlySet<string>? StopWords(string language) => Profiles.TryGetValue(language, out var profile) ? profile.Words : null;

    /// <summary>The same as hashes of <see cref="TextTokens"/>; null when none are known.</summary>
    internal static HashSet<ulong>? StopWordHashes(string language) => Hashes.GetValueOrDefault(language).Words;

    /// <summary>Function words that are single characters of a script without spaces; empty elsewhere.</summary>
    internal static HashSet<char> StopCharacters(string language) => Hashes.GetValueOrDefault(language).Characters ?? [];

    /// <summary>Hashes of the function words of a language that writes words apart; null where none are known.</summary>
    internal static HashSet<ulong>? FunctionWords(string language) => StopCharacters(language).Count > 5 ? null : StopWordHashes(language);

    /// <summary>Whether a word is a function word of any language written with it; such words say nothing about a topic.</summary>
    public static bool IsStopWord(string word, string language) => Profiles.TryGetValue(language, out var profile) && profile.Words.Contains(word);

    private static double Score(string language, List<string> words, string text)
    {
        var (stops, letters) = Profiles[language];
        var hits = words.Count == 0 ? 0 : (double)words.Count(stops.Contains) / words.Count;
        var marks = letters.Length == 0 ? 0 : (double)text.Count(c => letters.Contains(char.ToLowerInvariant(c), StringComparison.Ordinal)) / Math.Max(1, text.Length);
        return hits + 4 * marks;
    }

    /// <summary>The commonest script: the language of a script that has one, else "Latin", "Arabic", "Devanagari" or "Cyrillic"; with its share of the letters, 0 without any.</summary>
    internal static (string Script, double Share) Script(string text)
    {
        var counts = new Dictionary<string, int>();
        int letters = 0, ascii = 0;
        foreach (var c in text.AsSpan(0, Math.Min(text.Length, 20_000)))
        {
            if (char.IsAsciiLetter(c)) ascii++;
            else if (c >= 0x80 && char.IsLetter(c))
            {
                letters++;
                var language = c < 0x0370 ? "Latin" : ScriptOf(c);
                counts[language] = counts.GetValueOrDefault(language) + 1;
            }
        }
        letters += ascii;
        if (ascii > 0) counts["Latin"] = counts.GetValueOrDefault("Latin") + ascii;
        if (letters == 0) return ("", 0);
        // Japanese mixes kana with the characters that Chinese uses alone.
        if (counts.TryGetValue("ja", out var kana) && kana * 10 > counts.GetValueOrDefault("zh")) counts["ja"] = kana + counts.GetValueOrDefault("zh") + 1;
        var most = counts.MaxBy(pair => pair.Value);
        return (most.Key, (double)most.Value / letters);
    }

    private static string ScriptOf(char c)
    {
        foreach (var (first, last, language) in Scripts)
            if (c >= first && c <= last) return language;
        return "Latin";
    }

    private static Dictionary<string, (HashSet<string>, string)> Build(params (string Language, string Letters, string Words)[] rows) =>
        rows.ToDictionary(row => row.Language, row => (row.Words.Split(' ').ToHashSet(StringComparer.Ordinal), row.Letters), StringComparer.Ordinal);
}
