using System.Text;
using LoraFactory.Flow;

namespace LoraFactory.Stages.Label;

/// <summary>A text that may become a picture's caption, and where it was found.</summary>
/// <param name="Text">Normalised text.</param>
/// <param name="Source">"figcaption", "alt", "context", "sidecar", "folder" or "captioner".</param>
public sealed record CaptionCandidate(string Text, string Source);

/// <summary>Turns what pages say about pictures into captions.</summary>
public sealed class CaptionText
{
    /// <summary>Source of a caption that a person wrote beside a picture.</summary>
    public const string Sidecar = "sidecar";

    private const int MaxLength = 300;
    private readonly string trigger;
    private readonly IReadOnlyList<string> forms;
    private readonly HashSet<string> topicWords;
    private readonly HashSet<string> shared = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>
    /// Captions carry <paramref name="trigger"/> in one of the <paramref name="forms"/>, such as "{trigger}, {caption}"; words of <paramref name="seed"/>, and labels before a colon that many of the
    /// <paramref name="captions"/> share, only name the topic and may go.
    /// </summary>
    public CaptionText(string trigger, IReadOnlyList<string> forms, Seed? seed, IReadOnlyList<string>? captions = null)
    {
        this.trigger = trigger.Trim();
        this.forms = forms;
        var labels = (captions ?? []).Select(c => c.Split(": ", 2)).Where(p => p.Length == 2 && p[0].Length < 40).GroupBy(p => p[0].Trim(), StringComparer.OrdinalIgnoreCase);
        foreach (var label in labels.Where(g => g.Count() >= Math.Max(3, 0.05 * captions!.Count) && g.Select(p => p[1]).Distinct(StringComparer.Ordinal).Count() > 2)) shared.Add(label.Key);
        topicWords = new(seed is null ? [] : seed.Terms.SelectMany(t => Words(t.Text)), StringComparer.OrdinalIgnoreCase);
    }

    /// <summary>Words of the topic and its related terms, in lower case, and of the trigger: what a caption may not say otherwise.</summary>
    public IEnumerable<string> FixedWords => topicWords.Concat(Words(trigger));

    /// <summary>What a record says about its picture, best first: caption, alt, else sentences of the context, else what its folder is called.</summary>
    public IReadOnlyList<CaptionCandidate> Candidates(Record record)
    {
        var source = record.PageUrl.Length == 0 ? Sidecar : "figcaption";
        var found = new List<CaptionCandidate>();
        void Add(string text, string from)
        {
            var plain = Plain(text);
            if (plain.Length > 0 && !found.Exists(f => f.Text.Equals(plain, StringComparison.OrdinalIgnoreCase))) found.Add(new(plain, from));
        }
        Add(record.Caption, source);
        Add(record.Alt, "alt");
        if (found.Count == 0)
            foreach (var sentence in record.Context.Split(['.', '!', '?'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Take(8)) Add(sentence, "context");
        if (found.Count == 0) Add(record.FolderWords, "folder");
        return found;
    }

    /// <summary>The caption to train on: the trigger added unless it is there already, in the form whose <paramref name="turn"/> it is.</summary>
    public string WithTrigger(string text, int turn)
    {
        if (trigger.Length == 0) return text;
        if (text.Length == 0) return trigger;
        return Contains(text, trigger) ? text : forms[turn % forms.Count].Replace("{trigger}", trigger, StringComparison.Ordinal).Replace("{caption}", text, StringComparison.Ordinal);
    }

    /// <summary>Words in lower case.</summary>
    public static IEnumerable<string> Words(string text)
    {
        var word = new StringBuilder();
        foreach (var c in text)
        {
            if (char.IsLetterOrDigit(c)) word.Append(char.ToLowerInvariant(c));
            else if (word.Length > 0)
            {
                yield return word.ToString();
                word.Clear();
            }
        }
        if (word.Length > 0) yield return word.ToString();
    }

    // "Drafting: a red house." -> "a red house": a label of topic words tells nothing that the trigger doesn't.
    private string Plain(string text)
    {
        var plain = string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)).Trim().TrimEnd('.', ',', ';', ':');
        var colon = plain.IndexOf(": ", StringComparison.Ordinal);
        if (colon > 0 && colon + 2 < plain.Length && (shared.Contains(plain[..colon]) || IsTopicLabel(plain[..colon]))) plain = plain[(colon + 2)..];
        var of = plain.IndexOf(" of ", StringComparison.OrdinalIgnoreCase);
        if (of > 0 && trigger.Length > 0 && !Contains(plain, trigger) && IsTopicLabel(plain[..of])) plain = plain[(of + 4)..];
        return plain.Length > MaxLength ? plain[..CutOf(plain)] : plain;
    }

    // After a whole word, or where the language writes none apart, after a whole character.
    private static int CutOf(string text)
    {
        var space = text.LastIndexOf(' ', MaxLength);
        return space > 0 ? space : char.IsHighSurrogate(text[MaxLength - 1]) ? MaxLength - 1 : MaxLength;
    }

    private bool IsTopicLabel(string label)
    {
        var words = Words(label).ToList();
        return words.Count is > 0 and <= 4 && words.Exists(topicWords.Contains);
    }

    private static bool Contains(string text, string phrase)
    {
        var at = text.IndexOf(phrase, StringComparison.OrdinalIgnoreCase);
        return at >= 0 && (at == 0 || !char.IsLetterOrDigit(text[at - 1])) && (at + phrase.Length == text.Length || !char.IsLetterOrDigit(text[at + phrase.Length]));
    }
}
