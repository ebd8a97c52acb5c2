using System.Globalization;
using LoraFactory.Flow;

namespace LoraFactory.Cli.Engine.Conformance;

/// <summary>Runs the topics found below a folder and says what came of each file.</summary>
/// <param name="lines">Where results go.</param>
internal sealed class ConformanceRun(ResultLines lines)
{
    // more of one file's misses say nothing new to people; programs get them all
    private const int MissesShown = 10;

    /// <summary>Cases that must pass and do not.</summary>
    public int Missed { get; private set; }

    /// <summary>Cases that must pass.</summary>
    public int Cases { get; private set; }

    /// <summary>Folders that describe a topic which nothing here judges.</summary>
    public List<string> Unknown { get; } = [];

    /// <summary>Judges each topic's folder.</summary>
    public async Task RunAsync(IReadOnlyList<(string Folder, IConformanceTopic? Topic)> topics, IProgressTask bar, CancellationToken token)
    {
        foreach (var (path, topic) in topics)
        {
            token.ThrowIfCancellationRequested();
            if (topic is null)
            {
                Unknown.Add(Path.GetFileName(path));
                bar.Advance();
                continue;
            }
            bar.Note(topic.Name);
            var folder = new ConformanceFolder(path);
            try
            {
                await topic.JudgeAsync(folder, token);
            }
            catch (Exception e) when (e is not (OperationCanceledException or OutOfMemoryException))
            {
                folder.Of("(the topic itself)").Require(false, () => $"stopped by {e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}");
            }
            foreach (var tally in folder.Tallies) Write(topic.Name, tally);
            bar.Advance();
        }
    }

    /// <summary>The last line: sums, and what was not judged.</summary>
    public string Sums() => string.Create(CultureInfo.InvariantCulture, $"{Cases - Missed} of {Cases} cases that must pass do, {Missed} missed")
        + (Unknown.Count > 0 ? $"\nNOT VERIFIED, for nothing here judges it: {string.Join(", ", Unknown)}" : "");

    private void Write(string topic, ConformanceTally tally)
    {
        Cases += tally.Cases;
        Missed += tally.Misses.Count;
        var line = new { topic, file = tally.File, cases = tally.Cases, passed = tally.Passed, optional = tally.Optional.Cases, optional_agreeing = tally.Optional.Agreeing, skipped = tally.Skipped, figures = tally.Figures, misses = tally.Misses, disagreements = tally.Disagreements };
        lines.Write(line, Words(topic, tally));
    }

    private static string Words(string topic, ConformanceTally tally)
    {
        var words = new List<string>();
        if (tally.Cases > 0) words.Add(string.Create(CultureInfo.InvariantCulture, $"{tally.Passed} of {tally.Cases}"));
        if (tally.Optional.Cases > 0) words.Add(string.Create(CultureInfo.InvariantCulture, $"of {tally.Optional.Cases} left to choice {tally.Optional.Agreeing} agree"));
        words.AddRange(tally.Figures.Select(f => string.Create(CultureInfo.InvariantCulture, $"{f.Key} {f.Value:0.####}")));
        words.AddRange(tally.Skipped.Select(s => string.Create(CultureInfo.InvariantCulture, $"{s.Value} skipped: {s.Key}")));
        var line = $"{(tally.Misses.Count == 0 ? "ok  " : "MISS")}  {topic + "/" + tally.File,-42}  {string.Join("; ", words)}";
        var named = tally.Misses.Select(m => $"\n        {m}").Concat(tally.Disagreements.Select(d => $"\n        (left to choice) {d}")).ToList();
        var shown = named.Take(MissesShown);
        var more = named.Count - MissesShown;
        return line + string.Concat(shown) + (more > 0 ? $"\n        and {more} more; --json names them all" : "");
    }
}
