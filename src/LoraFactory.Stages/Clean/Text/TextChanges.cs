namespace LoraFactory.Stages.Clean.Text;

/// <summary>How often a text was changed in which way; names are those of <c>changes</c> in documents.jsonl.</summary>
internal sealed class TextChanges
{
    private readonly SortedDictionary<string, int> counts = new(StringComparer.Ordinal);

    /// <summary>Counts by name.</summary>
    public IReadOnlyDictionary<string, int> Counts => counts;

    /// <summary>Notes <paramref name="count"/> more of one kind.</summary>
    public void Add(string name, int count = 1)
    {
        if (count > 0) counts[name] = counts.GetValueOrDefault(name) + count;
    }
}
