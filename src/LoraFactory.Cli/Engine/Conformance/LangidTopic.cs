using System.Globalization;
using LoraFactory.Stages.Clean.Text;

namespace LoraFactory.Cli.Engine.Conformance;

/// <summary>Language identification: each text's label against the product's answer. Labels are those of web corpora and a few are wrong, so no case must pass by itself: of sentences the best peer's accuracy on the public half must be reached, where CLD2 is installed; accuracy by kind and language, and each miss by name.</summary>
internal sealed class LangidTopic : IConformanceTopic
{
    private const string File = "cases.jsonl", Sentence = "sentence";
    private const double SentencesBar = 0.985; // langdetect 1.0.9

    /// <inheritdoc/>
    public string Name => "langid";

    /// <inheritdoc/>
    public IReadOnlyList<string> Marks => [File];

    /// <inheritdoc/>
    public Task JudgeAsync(ConformanceFolder folder, CancellationToken token)
    {
        var counts = new SortedDictionary<(string Kind, string Language), (int Right, int All)>();
        foreach (var test in folder.Lines(File))
        {
            token.ThrowIfCancellationRequested();
            var (language, kind, text) = (test.GetProperty("lang").GetString()!, test.GetProperty("kind").GetString()!, test.GetProperty("text").GetString()!);
            var found = LanguageId.Of(text).Language;
            var (right, all) = counts.GetValueOrDefault((kind, language));
            counts[(kind, language)] = (right + (found == language ? 1 : 0), all + 1);
            folder.Of($"{File} {kind}").Note(found == language, () => $"{language} taken for {found}: {(text.Length <= 60 ? text : text[..60] + "…")}");
        }
        foreach (var kind in counts.GroupBy(pair => pair.Key.Kind))
        {
            var tally = folder.Of($"{File} {kind.Key}");
            var accuracy = (double)kind.Sum(pair => pair.Value.Right) / kind.Sum(pair => pair.Value.All);
            tally.Measure("accuracy", accuracy);
            if (kind.Key == Sentence && Cld2.IsThere) tally.Require(accuracy >= SentencesBar, () => string.Create(CultureInfo.InvariantCulture, $"accuracy {accuracy:0.0000}, expected at least {SentencesBar}"));
            else if (kind.Key == Sentence) tally.Skip("the bar: CLD2 is not installed, what answers is a guess");
            foreach (var ((_, language), (right, all)) in kind.Where(pair => pair.Value.Right < pair.Value.All)) tally.Measure($"accuracy {language}", (double)right / all);
        }
        return Task.CompletedTask;
    }
}
