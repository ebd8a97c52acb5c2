namespace LoraFactory.Images;

/// <summary>A small fixed-width font, drawn for this project, so that titles need no installed fonts and look the same everywhere.</summary>
internal static class BitmapFont
{
    /// <summary>Pixels from one line to the next.</summary>
    public const int LineHeight = 13;

    private const int Advance = 6, Rows = 9;

    // Per character from space to tilde: nine rows of five pixels, each row one base-32 digit (0-9, A-V), leftmost pixel highest.
    private static readonly string[] Glyphs =
    [
        "000000000", "444440400", "AA0000000", "AAVAVAA00", "4FKE5U400", "OP248J300", "CIK8LID00", "440000000", // space ! " # $ % & '
        "248884200", "842224800", "04LEL4000", "044V44000", "00000CC48", "000V00000", "00000CC00", "11248GG00", // ( ) * + , - . /
        "EHJLPHE00", "4C4444E00", "EH1248V00", "EH161HE00", "26AIV2200", "VGU11HE00", "68GUHHE00", "V12488800", "EHHEHHE00", "EHHF12C00", // 0-9
        "0CC0CC000", "0CC0CC480", "248G84200", "00V0V0000", "842124800", "EH1240400", "EHNLNGE00", // : ; < = > ? @
        "EHHVHHH00", "UHHUHHU00", "EHGGGHE00", "UHHHHHU00", "VGGUGGV00", "VGGUGGG00", "EHGJHHF00", "HHHVHHH00", "E44444E00", // A-I
        "72222IC00", "HIKOKIH00", "GGGGGGV00", "HRLLHHH00", "HPPLJJH00", "EHHHHHE00", "UHHUGGG00", "EHHHLID00", "UHHUKIH00", // J-R
        "FGGE11U00", "V44444400", "HHHHHHE00", "HHHHAA400", "HHHLLLA00", "HHA4AHH00", "HHA444400", "V1248GV00", // S-Z
        "E88888E00", "GG8421100", "E22222E00", "4AH000000", "0000000V0", "840000000", // [ \ ] ^ _ `
        "00E1FHF00", "GGUHHHU00", "00FGGGF00", "11FHHHF00", "00EHVGE00", "68S888800", "00FHHHF1E", "GGUHHHH00", "40C444E00", // a-i
        "2062222IC", "GGIKOKI00", "C44444E00", "00QLLLL00", "00UHHHH00", "00EHHHE00", "00UHHHUGG", "00FHHHF11", "00MPGGG00", // j-r
        "00FGE1U00", "88S888600", "00HHHHF00", "00HHHA400", "00HHLLA00", "00HA4AH00", "00HHHHF1E", "00V248V00", // s-z
        "644844600", "444444400", "C44244C00", "008L20000", // { | } ~
    ];

    private const string Unknown = "VHHHHHV00";

    /// <summary>Breaks words into lines that fit a width in pixels; what does not fit the lines ends in an ellipsis.</summary>
    public static IReadOnlyList<string> Wrap(string text, int width, int maxLines)
    {
        var fit = Math.Max(4, width / Advance);
        var lines = new List<string>();
        var line = "";
        foreach (var word in text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).SelectMany(word => word.Chunk(fit).Select(part => new string(part))))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length > fit)
            {
                lines.Add(line);
                line = word;
            }
            else
            {
                line = line.Length == 0 ? word : $"{line} {word}";
            }
        }
        if (line.Length > 0) lines.Add(line);
        if (lines.Count <= maxLines) return lines;
        var last = lines[maxLines - 1];
        return [.. lines.Take(maxLines - 1), $"{last[..Math.Min(last.Length, fit - 3)]}..."];
    }

    /// <summary>Draws one line in near-black; what lies outside the picture is cut off.</summary>
    public static void Draw(Picture picture, string text, int left, int top)
    {
        for (var i = 0; i < text.Length; i++)
        {
            var glyph = text[i] is >= ' ' and <= '~' ? Glyphs[text[i] - ' '] : Unknown;
            for (var row = 0; row < Rows; row++)
            {
                var bits = glyph[row] <= '9' ? glyph[row] - '0' : glyph[row] - 'A' + 10;
                for (var column = 0; column < 5; column++)
                {
                    int x = left + i * Advance + column, y = top + row;
                    if ((bits >> (4 - column) & 1) == 0 || x < 0 || y < 0 || x >= picture.Width || y >= picture.Height) continue;
                    picture.Pixels.AsSpan((y * picture.Width + x) * 3, 3).Fill(24);
                }
            }
        }
    }
}
