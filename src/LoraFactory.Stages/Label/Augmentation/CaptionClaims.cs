using System.Buffers;
using System.Collections.Frozen;

namespace LoraFactory.Stages.Label.Augmentation;

/// <summary>
/// What words say of a picture that a change of the picture would make untrue: a side, writing, a colour, the frame. Judged by word lists of ten
/// languages, all of them at once; a word too many costs a variant, a word too few a wrong caption.
/// </summary>
internal static class CaptionClaims
{
    private static readonly FrozenSet<string> Sides = Set("""
        left right leftmost rightmost leftward leftwards rightward rightwards lefty clockwise anticlockwise counterclockwise starboard larboard portside east west eastern western eastward westward
        easterly westerly northeast northwest southeast southwest mirror mirrored reversed backwards dexter sinister lefthand righthand lefthanded righthanded leftfacing rightfacing
        links rechts linke linken linker linkes linkem rechte rechten rechter rechtes rechtem linkshändig rechtshändig uhrzeigersinn osten westen östlich westlich spiegelverkehrt
        gauche droite droit ouest gaucher orient occident izquierda izquierdo derecha derecho zurdo oeste oriental occidental sinistra sinistro destra destro ovest mancino
        esquerda esquerdo direita direito leste canhoto oosten oost linkerkant rechterkant
        слева справа налево направо левый левая левое левой левую правый правая правое правой правую левша восток запад восточный западный
        """);

    private static readonly FrozenSet<string> Writing = Set("""
        text texts letter letters lettering word words wording writing written handwriting handwritten calligraphy script inscription inscribed inscriptions sign signs signage signpost signboard
        billboard poster placard banner label labels labelled labeled title titled caption captioned captions slogan logo logos trademark monogram initials signature signed autograph reads reading says saying
        spelling alphabet typography typographic font numeral numerals number numbers digit digits plate newspaper magazine cover page pages book books document letterhead screenshot menu receipt ticket
        map maps chart charts diagram diagrams clock clocks watch dial calendar keyboard score scoreboard flag flags stamp stamps coin coins banknote banknotes barcode annotated annotations dimensioned
        schrift text inschrift schild beschriftet buchstabe buchstaben plakat karte uhr flagge texte lettre lettres inscription écrit affiche carte horloge drapeau texto letra letras letrero escrito cartel mapa reloj bandera
        testo lettera lettere scritta iscrizione manifesto mappa orologio bandiera relógio placa escrita tekst letters opschrift bord kaart klok vlag текст надпись буквы плакат карта часы флаг
        """);

    private static readonly FrozenSet<string> Colours = Set("""
        red orange yellow green blue purple violet pink brown black white grey gray magenta cyan turquoise teal indigo crimson scarlet maroon burgundy vermilion ruby cherry rose salmon coral peach apricot amber gold golden
        ochre mustard lemon lime olive emerald jade mint khaki beige cream ivory tan sepia bronze copper brass silver silvery lavender lilac mauve plum fuchsia azure navy ultramarine cobalt cerulean aquamarine charcoal ebony
        blond blonde brunette auburn ginger reddish pinkish bluish greenish yellowish brownish greyish grayish whitish blackish colour colours coloured colourful color colors colored colorful colourless multicoloured multicolored
        monochrome monochromatic greyscale grayscale rainbow pastel neon vivid vibrant saturated desaturated faded pale dark darker bright brighter dim tone tones toned tint tinted hue hues shade shaded contrast exposure
        overexposed underexposed silhouette silhouetted
        rot rote roten roter rotes orangefarben gelb gelbe gelben gelber grün grüne grünen grüner blau blaue blauen blauer lila rosa braun braune braunen schwarz schwarze schwarzen schwarzer weiß weiße weißen weißer grau graue grauen
        farbe farben farbig bunt hell helle dunkel dunkle golden silbern rouge rouges jaune jaunes vert verte verts vertes bleu bleue bleus violet violette marron brun noir noire noirs blanc blanche blancs gris grise doré argenté
        couleur couleurs clair sombre rojo roja amarillo amarilla verde azul morado rosa marrón negro negra blanco blanca gris dorado plateado color colores claro oscuro rosso rossa giallo gialla blu azzurro viola marrone nero nera bianco
        bianca grigio dorato colore colori chiaro scuro vermelho vermelha amarelo amarela roxo castanho preto preta branco branca cinza dourado cor cores rood rode oranje geel gele groen groene blauw blauwe paars roze bruin bruine zwart
        zwarte wit witte grijs grijze kleur kleuren licht donker красный красная красное желтый жёлтый зеленый зелёный синий голубой черный чёрный белый белая серый коричневый розовый цвет цветной
        """);

    private static readonly FrozenSet<string> Frames = Set("""
        border bordered borders frame framed frames edge edges margin margins corner corners centre centred center centered middle symmetrical symmetric symmetry whole entire full fullbody fulllength panorama panoramic
        closeup portrait bust cropped cutoff pattern tiled tiling seamless wallpaper layout sheet grid triptych diptych collage
        rahmen rand ecke mitte ganz cadre bord coin milieu entier marco borde esquina centro entero cornice bordo angolo intero moldura canto inteiro kader rand hoek midden geheel рамка край угол центр
        """);

    private static readonly FrozenSet<string> Numbers = Set("""
        zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million
        dozen pair couple half third quarter first second fourth fifth sixth seventh eighth ninth tenth single double triple several few many both
        """);

    // Characters where words are not written apart: sides and compass points; colours; writing.
    private static readonly SearchValues<char> SideCharacters = SearchValues.Create("左右东東西北南"), ColourCharacters = SearchValues.Create("红紅黄黃蓝藍绿綠白黑紫灰橙粉金银銀棕褐赤青色彩暗亮"),
        WritingCharacters = SearchValues.Create("字文书書图圖表钟鐘时時旗报報币幣邮郵票牌标標签籤"), FrameCharacters = SearchValues.Create("框边邊角中全"), Quotes = SearchValues.Create("\"“”„«»「」『』");
    private static readonly FrozenSet<string> Languages = Set("en de fr es it pt nl ru zh ja und");

    // Beginnings of words that are bent or put together in many ways.
    private static readonly string[] SideStems =
    [
        "links", "linker", "rechts", "rechter", "östlich", "westlich", "ostwärts", "westwärts", "nordost", "nordwest", "südost", "südwest", "nordöst", "südöst", "westelijk", "oostelijk", "noordoost", "noordwest", "zuidoost", "zuidwest",
        "gauch", "droit", "orienta", "occidenta", "izquierd", "derech", "zurd", "esquerd", "direit", "sinistr", "destr", "слев", "справ", "лево", "лева", "леву", "левы", "прав", "восточн", "западн", "осток", "запад", "налев", "направ",
    ];

    // What is a side only beside another word: este is "this" too.
    private static readonly string[] SidePhrases = ["port side", "l'est", "lado este", "al este", "del este", "el este", "ao leste", "a est", "all'est"];

    /// <summary>Whether the words name a side, a compass point or a turn.</summary>
    public static bool NameSide(string words)
    {
        words = words.Replace('\u2019', '\'');
        return Names(words, Sides, SideCharacters) || SidePhrases.Any(phrase => words.Contains(phrase, StringComparison.OrdinalIgnoreCase))
            || CaptionText.Words(words).Any(word => Array.Exists(SideStems, stem => word.StartsWith(stem, StringComparison.Ordinal)));
    }

    /// <summary>Whether the words speak of writing or of what has a right way round, or quote something.</summary>
    public static bool NameWriting(string words) => Names(words, Writing, WritingCharacters) || HasQuotes(words);

    /// <summary>Whether something is quoted, which often is what the picture shows in writing.</summary>
    public static bool HasQuotes(string words) => words.AsSpan().IndexOfAny(Quotes) >= 0;

    /// <summary>Whether the words name a colour, a tone or a light.</summary>
    public static bool NameColour(string words) => Names(words, Colours, ColourCharacters);

    /// <summary>Whether the words speak of edges, the middle, or how much is seen.</summary>
    public static bool NameFrame(string words) => Names(words, Frames, FrameCharacters);

    /// <summary>Whether this word, in lower case, has to stay in a caption whatever else is said otherwise: it names a side, a colour or a number.</summary>
    public static bool Stays(string word) => Sides.Contains(word) || Colours.Contains(word) || Numbers.Contains(word);

    /// <summary>Whether the lists can judge a text in this language (BCP-47): one of theirs, or unknown while its letters are of one of their scripts.</summary>
    public static bool CanJudge(string words, string language) =>
        Languages.Contains(language.Split('-')[0].ToLowerInvariant()) && words.All(c => !char.IsLetter(c) || IsKnown(c));

    // Latin, Cyrillic, kana, ideographs
    private static bool IsKnown(char c) => c is < '\u0250' or (>= '\u0400' and < '\u0530') or (>= '\u1E00' and < '\u1F00') or (>= '\u3040' and < '\u3100') or (>= '\u3400' and < '\uA000');

    private static bool Names(string words, FrozenSet<string> list, SearchValues<char> characters) =>
        words.AsSpan().IndexOfAny(characters) >= 0 || Compounds(words).Any(list.Contains);

    // Each word, and each with the next one, so that "left-facing" and "close up" are found as one too.
    private static IEnumerable<string> Compounds(string words)
    {
        var before = "";
        foreach (var word in CaptionText.Words(words))
        {
            yield return word;
            yield return before + word;
            before = word;
        }
    }

    private static FrozenSet<string> Set(string words) => words.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).ToFrozenSet(StringComparer.Ordinal);
}
