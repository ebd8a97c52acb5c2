using LoraFactory.Flow;

namespace LoraFactory.Stages;

/// <summary>
/// A decision to train again that is being, or has been, carried out: what it changes in the run's recipe from now on. Kept as continuation.json
/// beside the decision, so that every later command on the run works by it too.
/// </summary>
public sealed record Continuation
{
    /// <summary>Id of the decision; where decision.json is from before it held one, that file's SHA-256, first 16 hex digits.</summary>
    public required string Decision { get; init; }
    /// <summary>The decision's reason.</summary>
    public required string Why { get; init; }
    /// <summary>Adapter that was rated.</summary>
    public required string Adapter { get; init; }
    /// <summary>Version that was rated; null when they were several.</summary>
    public int? Parent { get; init; }
    /// <summary>How many decisions of this run have been carried out, this one included.</summary>
    public required int Round { get; init; }
    /// <summary>Stage that it begins again with.</summary>
    public required StageName From { get; init; }
    /// <summary>Added to the recipe's random_seed, at least the parent's version, so that no two versions begin with the same numbers.</summary>
    public required long SeedOffset { get; init; }
    /// <summary>The worst-rated prompts, without adapter tags.</summary>
    public required IReadOnlyList<string> Prompts { get; init; }
    /// <summary>When it was begun.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>
    /// The recipe as this decision changes it: another random seed; the prompts are drawn in the evaluation too, and with a crawl their words are
    /// looked for, in half as many more pages and pictures for each round.
    /// </summary>
    public RecipeReading Applied(RecipeReading reading)
    {
        var recipe = reading.Recipe;
        var origins = new Dictionary<string, string>(reading.Origins, StringComparer.Ordinal);
        foreach (var key in new[] { "random_seed", "evaluate.also" }) origins[key] = Origin;
        recipe = recipe with
        {
            RandomSeed = (recipe.RandomSeed + SeedOffset) % LargestSeed,
            Evaluate = recipe.Evaluate with { Also = [.. recipe.Evaluate.Also, .. Prompts] },
        };
        if (recipe.Label.Source == "folder") return reading with { Recipe = recipe, Origins = origins };
        foreach (var key in new[] { "seed.also", "crawl.max_pages", "crawl.max_pages_per_host", "crawl.max_pictures" }) origins[key] = Origin;
        int More(int budget) => (int)Math.Min(budget * (1 + 0.5 * Round), MostOfAny);
        recipe = recipe with
        {
            Seed = recipe.Seed with { Also = [.. recipe.Seed.Also, .. Prompts] },
            Crawl = recipe.Crawl with { MaxPages = More(recipe.Crawl.MaxPages), MaxPagesPerHost = More(recipe.Crawl.MaxPagesPerHost), MaxPictures = More(recipe.Crawl.MaxPictures) },
        };
        return reading with { Recipe = recipe, Origins = origins };
    }

    /// <summary>One line for people.</summary>
    public string Summary => $"going on after feedback on {Adapter}{(Parent is { } v ? $" version {v}" : "")}: {Why}";

    // What the options' own ranges allow.
    private const long LargestSeed = 9007199254740991;
    private const int MostOfAny = 10_000_000;

    private string Origin => $"feedback, decision {Decision}";
}
