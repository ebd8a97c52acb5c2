namespace LoraFactory.Flow;

/// <summary>A hash of short texts that is the same in every process: FNV-1a over UTF-16 units with the last mixing of MurmurHash3. Not for what an enemy must not foresee.</summary>
public static class TextHash
{
    /// <summary>64 bits of the text.</summary>
    public static ulong Of(ReadOnlySpan<char> text, ulong seed = 0)
    {
        unchecked
        {
            var hash = 14695981039346656037UL ^ seed;
            foreach (var c in text) hash = (hash ^ c) * 1099511628211UL;
            hash = (hash ^ (hash >> 33)) * 0xFF51AFD7ED558CCDUL;
            hash = (hash ^ (hash >> 33)) * 0xC4CEB9FE1A85EC53UL;
            return hash ^ (hash >> 33);
        }
    }
}
