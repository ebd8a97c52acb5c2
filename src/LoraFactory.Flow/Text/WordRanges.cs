namespace LoraFactory.Flow;

/// <summary>Where the words of a text stand; see <see cref="WordStem.Words"/>. Goes through the text as it is asked, and allocates nothing.</summary>
public readonly ref struct WordRanges(ReadOnlySpan<char> text)
{
    private readonly ReadOnlySpan<char> text = text;

    /// <summary>Begins.</summary>
    public Enumerator GetEnumerator() => new(text);

    /// <summary>Goes from word to word.</summary>
    public ref struct Enumerator(ReadOnlySpan<char> text)
    {
        private readonly ReadOnlySpan<char> text = text;
        private int next;

        /// <summary>The word.</summary>
        public Range Current { get; private set; }

        /// <summary>Goes to the next word; false where there is none.</summary>
        public bool MoveNext()
        {
            var start = -1;
            for (var i = next; i < text.Length; i++)
            {
                var c = text[i];
                if (char.IsAsciiLetter(c) || (c < FirstCjk || !IsCjk(c)) && char.IsLetterOrDigit(c))
                {
                    if (start < 0) start = i;
                    continue;
                }
                if (start >= 0) return Take(start, i, i);
                if (IsCjk(c) && i + 1 < text.Length && IsCjk(text[i + 1])) return Take(i, i + 2, i + 1);
            }
            if (start >= 0) return Take(start, text.Length, text.Length);
            next = text.Length;
            return false;
        }

        private bool Take(int start, int end, int from)
        {
            (Current, next) = (start..end, from);
            return true;
        }

        private const char FirstCjk = '\u3040';

        private static bool IsCjk(char c) => c is (>= FirstCjk and <= '\u30ff') or (>= '\u3400' and <= '\u9fff') or (>= '\uac00' and <= '\ud7af');
    }
}
