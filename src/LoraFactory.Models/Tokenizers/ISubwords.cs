namespace LoraFactory.Models.Tokenizers;

/// <summary>What takes text between special tokens to token ids: normalisation, split into words and the vocabulary's own rule.</summary>
internal interface ISubwords
{
    /// <summary>
    /// Appends the ids of a piece. <paramref name="offsets"/>, where given, receives for each the code points [first, end) of the whole text,
    /// in which the piece begins at <paramref name="start"/>.
    /// </summary>
    void Encode(ReadOnlySpan<int> piece, int start, List<int> ids, List<(int Start, int End)>? offsets);

    /// <summary>The text that tokens stand for.</summary>
    string Decode(IEnumerable<string> tokens);
}
