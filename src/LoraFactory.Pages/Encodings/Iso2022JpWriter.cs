using System.Text;

namespace LoraFactory.Pages;

/// <summary>Writes ISO-2022-JP as the Encoding Standard's encoder does (§12.2.2): shifts between ASCII, JIS-Roman and JIS X 0208 where they are needed.</summary>
internal sealed class Iso2022JpWriter
{
    private static readonly Encoding EucJp = PageEncoding.OfLabel("euc-jp") is { } encoding
        ? Encoding.GetEncoding(encoding.CodePage, new EncoderReplacementFallback(""), DecoderFallback.ReplacementFallback)
        : Encoding.ASCII;

    // FF61..FF9F in their full width
    private const string FullWidth = "。「」、・ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン゛゜";

    private byte set = (byte)'B'; // B: ASCII, J: JIS-Roman, $: JIS X 0208

    /// <summary>Writes a character; false where the encoding has none for it, and then ASCII is in force.</summary>
    public bool Write(Rune rune, List<byte> output)
    {
        var value = rune.Value;
        if (value is 0x0E or 0x0F or 0x1B) return Unsayable(output); // they would be read as shifts
        if (value < 0x80)
        {
            Shift(set == 'J' && value is not (0x5C or 0x7E) ? (byte)'J' : (byte)'B', output);
            output.Add((byte)value);
            return true;
        }
        if (value is 0xA5 or 0x203E)
        {
            Shift((byte)'J', output);
            output.Add((byte)(value == 0xA5 ? 0x5C : 0x7E));
            return true;
        }
        if (value == 0x2212) value = 0xFF0D;
        if (value is >= 0xFF61 and <= 0xFF9F) value = FullWidth[value - 0xFF61];
        var octets = EucJp.GetBytes(new Rune(value).ToString());
        if (octets is not [>= 0xA1, >= 0xA1]) return Unsayable(output);
        Shift((byte)'$', output);
        output.Add((byte)(octets[0] - 0x80));
        output.Add((byte)(octets[1] - 0x80));
        return true;
    }

    /// <summary>Ends the text in ASCII.</summary>
    public void End(List<byte> output) => Shift((byte)'B', output);

    private bool Unsayable(List<byte> output)
    {
        if (set == '$') Shift((byte)'B', output);
        return false;
    }

    private void Shift(byte to, List<byte> output)
    {
        if (set == to) return;
        output.Add(0x1B);
        output.AddRange(to == '$' ? "$B"u8 : to == 'J' ? "(J"u8 : "(B"u8);
        set = to;
    }
}
