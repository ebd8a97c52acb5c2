using LoraFactory.Flow;

namespace LoraFactory.Stages.Clean.Text;

/// <summary>
/// What is done to every text, in this order: repair of its Unicode, personal data replaced, lines of boilerplate out. A second time changes nothing.
/// </summary>
internal sealed class TextCleaning(CleanOptions options)
{
    private const int MostRounds = 4;
    private readonly bool replaces = options.ReplacePersonalData;

    /// <summary>What a cleaned text depends on besides the text.</summary>
    public string Key => replaces ? "" : " personal";

    /// <summary>A page's main text.</summary>
    public string Page(string text, TextChanges changes) => Cut(text, changes).Text;

    /// <summary>A page's main text, cleaned and cut.</summary>
    public TextTokens Cut(string text, TextChanges changes)
    {
        // What one step takes away may bring together what another one looks for: until nothing changes, mostly once.
        for (var round = 0; ; round++)
        {
            var tokens = TextTokens.Of(Line(text, changes));
            var kept = BoilerplateLines.Remove(tokens, changes);
            if ((ReferenceEquals(kept, tokens.Text) && (ReferenceEquals(kept, text) || kept == text)) || round == MostRounds) return tokens;
            text = kept;
        }
    }

    /// <summary>A caption or another short text of the page.</summary>
    public string Line(string text) => Line(text, new TextChanges());

    private string Line(string text, TextChanges changes)
    {
        text = TextRepair.Of(text, changes);
        return replaces ? PersonalData.Replace(text, changes) : text;
    }
}
