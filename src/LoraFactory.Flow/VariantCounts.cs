namespace LoraFactory.Flow;

/// <summary>How many variants were made, by operation.</summary>
public static class VariantCounts
{
    /// <summary>"40 flip, 20 crop", in the order of the commonest; empty where there are none.</summary>
    public static string Of(IEnumerable<Sample> samples) => string.Join(", ", samples.Where(s => s.Variant is not null).GroupBy(s => s.Variant!.Operation, StringComparer.Ordinal)
        .OrderByDescending(g => g.Count()).ThenBy(g => g.Key, StringComparer.Ordinal).Select(g => $"{g.Count()} {g.Key}"));
}
