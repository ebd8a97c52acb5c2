using System.Globalization;
using System.Text.Json;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Cli.Engine.Conformance;

/// <summary>An excerpt of ConceptNet: imported whole, it has the counts that are expected of it.</summary>
internal sealed class ConceptNetTopic : IConformanceTopic
{
    private const string Edges = "assertions.csv", Counts = "expected.json";

    /// <inheritdoc/>
    public string Name => "conceptnet";

    /// <inheritdoc/>
    public IReadOnlyList<string> Marks => [Edges];

    /// <inheritdoc/>
    public Task JudgeAsync(ConformanceFolder folder, CancellationToken token)
    {
        if (!folder.Has(Edges) || !folder.Has(Counts)) return Task.CompletedTask;
        var place = Directory.CreateTempSubdirectory("lora-concepts-");
        try
        {
            using var expected = JsonDocument.Parse(File.ReadAllText(folder.File(Counts)));
            Judge(folder.Of(Edges), folder.File(Edges), expected.RootElement, place.FullName, token);
        }
        finally
        {
            place.Delete(recursive: true);
        }
        return Task.CompletedTask;
    }

    private static void Judge(ConformanceTally tally, string csv, JsonElement expected, string place, CancellationToken token)
    {
        var all = Path.Combine(place, "all.db");
        var read = ConceptStore.Import(csv, all, language: null, token: token);
        var english = ConceptStore.Import(csv, Path.Combine(place, "en.db"), token: token);
        using var store = ConceptStore.Open(all);
        var totals = store.Totals;
        foreach (var count in expected.EnumerateObject())
        {
            object? mine = count.Name switch
            {
                "edges" => read.Edges == store.Count ? store.Count : -1,
                "distinct_uris" => totals.Distinct,
                "sum_of_weights" => totals.Weights,
                "english_english_edges" => english.Edges,
                "relations" => store.Relations,
                "node_languages" => store.Languages,
                "licences" or "licenses" => store.Licences,
                "datasets" => store.Datasets,
                _ => null,
            };
            if (mine is IReadOnlyDictionary<string, long> counts) Compare(tally, count, counts);
            else if (mine is not null) tally.Require(Math.Abs(Convert.ToDouble(mine, CultureInfo.InvariantCulture) - count.Value.GetDouble()) < 1e-6 * Math.Max(1, count.Value.GetDouble()), () => $"{count.Name}: {mine}, expected {count.Value}");
            else tally.Skip($"{count.Name} is no count of edges");
        }
    }

    private static void Compare(ConformanceTally tally, JsonProperty expected, IReadOnlyDictionary<string, long> mine)
    {
        var theirs = expected.Value.EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetInt64());
        foreach (var (name, count) in theirs) tally.Require(mine.GetValueOrDefault(name) == count, () => $"{expected.Name} {name}: {mine.GetValueOrDefault(name)}, expected {count}");
        foreach (var name in mine.Keys.Where(n => !theirs.ContainsKey(n))) tally.Require(false, () => $"{expected.Name} {name}: {mine[name]}, not expected");
    }
}
