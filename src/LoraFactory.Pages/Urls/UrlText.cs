using System.Buffers;

namespace LoraFactory.Pages;

/// <summary>A growing piece of text on the caller's stack while it is short. The caller disposes it.</summary>
internal ref struct UrlText(Span<char> start)
{
    private Span<char> chars = start;
    private char[]? rented;

    /// <summary>Characters written; may be lowered.</summary>
    public int Length { get; set; }

    /// <summary>What was written.</summary>
    public readonly ReadOnlySpan<char> Span => chars[..Length];

    public void Append(char c)
    {
        if (Length == chars.Length) Grow(1);
        chars[Length++] = c;
    }

    public void Append(scoped ReadOnlySpan<char> text)
    {
        if (text.Length > chars.Length - Length) Grow(text.Length);
        text.CopyTo(chars[Length..]);
        Length += text.Length;
    }

    /// <summary>%XX of an octet, in upper case.</summary>
    public void AppendEscaped(byte octet)
    {
        if (chars.Length - Length < 3) Grow(3);
        const string Hex = "0123456789ABCDEF";
        chars[Length] = '%';
        chars[Length + 1] = Hex[octet >> 4];
        chars[Length + 2] = Hex[octet & 15];
        Length += 3;
    }

    public override readonly string ToString() => chars[..Length].ToString();

    public readonly void Dispose()
    {
        if (rented is not null) ArrayPool<char>.Shared.Return(rented);
    }

    private void Grow(int more)
    {
        var larger = ArrayPool<char>.Shared.Rent(Math.Max(chars.Length * 2, Length + more));
        Span.CopyTo(larger);
        if (rented is not null) ArrayPool<char>.Shared.Return(rented);
        chars = rented = larger;
    }
}
