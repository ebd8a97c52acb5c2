using System.Text;
using System.Text.Json;
using LoraFactory.Flow;

namespace LoraFactory.Stages.Crawl;

/// <summary>
/// What the addresses of a run answered when they were asked again (<c>consent-check.jsonl</c>): a line each, written as it comes, so that a check
/// that is cut off goes on where it was. Of two lines of an address the later counts, but no answer takes none back.
/// </summary>
public sealed class ConsentAnswers : IDisposable
{
    private readonly Dictionary<string, ConsentAnswer> answers = new(StringComparer.Ordinal);
    private readonly StreamWriter lines;

    /// <summary>Opens the answers of a run.</summary>
    public ConsentAnswers(RunDirectory run)
    {
        var path = Path.Combine(run.Path, "consent-check.jsonl");
        foreach (var line in File.Exists(path) ? File.ReadLines(path) : [])
            if (Read(line) is { Url: not null } answer) Take(answer);
        // only the latest of each is kept, without the rest of a line that was cut off
        RunDirectory.WriteLines(path, answers.Values);
        lines = new(new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.Read), new UTF8Encoding(false)) { AutoFlush = true };
    }

    /// <summary>The latest answer of an address, null where it was not asked again.</summary>
    public ConsentAnswer? Of(string url) => answers.GetValueOrDefault(url);

    /// <summary>Whether an address has said since <paramref name="since"/> what it says; one that was left unanswered has not.</summary>
    public bool Knows(string url, DateTimeOffset since) => Of(url) is { Verdict: not "unanswered" } answer && answer.At >= since;

    /// <summary>Adds an answer.</summary>
    public void Add(ConsentAnswer answer)
    {
        if (Take(answer)) lines.WriteLine(JsonSerializer.Serialize(answer, RunDirectory.Json));
    }

    // What was said stands until something else is said.
    private bool Take(ConsentAnswer answer)
    {
        if (answer.Verdict == "unanswered" && Of(answer.Url) is { Verdict: not "unanswered" }) return false;
        answers[answer.Url] = answer;
        return true;
    }

    /// <inheritdoc/>
    public void Dispose() => lines.Dispose();

    private static ConsentAnswer? Read(string line)
    {
        try
        {
            return JsonSerializer.Deserialize<ConsentAnswer>(line, RunDirectory.Json);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
