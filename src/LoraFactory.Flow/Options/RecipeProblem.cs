using System.Text;
using System.Text.Json.Serialization;

namespace LoraFactory.Flow;

/// <summary>How bad a problem is.</summary>
public enum Severity
{
    /// <summary>Nothing starts.</summary>
    Error,
    /// <summary>The run starts; the recipe probably does not say what was meant.</summary>
    Warning,
    /// <summary>Nothing is wrong; worth knowing before a run.</summary>
    Note,
}

/// <summary>One thing that is wrong with a recipe.</summary>
public sealed record RecipeProblem
{
    /// <summary>Id of the rule, "LR" and three digits.</summary>
    public required string Id { get; init; }
    /// <summary>Error or warning.</summary>
    public Severity Severity { get; init; } = Severity.Error;
    /// <summary>Key that it is about, e.g. "train.rank"; empty when it is about the whole file.</summary>
    public required string Key { get; init; }
    /// <summary>What is wrong, without the valid values.</summary>
    public required string Message { get; init; }
    /// <summary>Valid values in words, or null.</summary>
    public string? Valid { get; init; }
    /// <summary>What to do, or null when the valid values say it.</summary>
    public string? Fix { get; init; }
    /// <summary>File, variable or argument that the value came from.</summary>
    public required string Source { get; init; }
    /// <summary>Line in that file, from 1; 0 when there is none.</summary>
    public int Line { get; init; }

    /// <summary>The whole sentence without severity, id and key.</summary>
    [JsonIgnore]
    public string Sentence
    {
        get
        {
            var text = new StringBuilder(Ended(Message));
            if (Valid is { Length: > 0 }) text.Append(" Valid: ").Append(Ended(Valid));
            if (Fix is { Length: > 0 }) text.Append(' ').Append(Ended(Fix));
            return text.Append(' ').Append(Source).Append(Line > 0 ? $":{Line}" : "").ToString();
        }
    }

    /// <summary>e.g. "error LR012 train.rank: 128 is too much. Valid: a whole number 0..64. recipe.yaml:31".</summary>
    public override string ToString() =>
        $"{Severity.ToString().ToLowerInvariant()} {Id} {(Key.Length > 0 ? Key + ": " : "")}{Sentence}";

    private static string Ended(string text) => text[^1] is '.' or '?' or '!' ? text : text + ".";
}

/// <summary>What reading a recipe gave: the recipe with every valid value, every problem, and where each value came from.</summary>
/// <param name="Recipe">The effective recipe; only to be used when <see cref="IsValid"/>.</param>
/// <param name="Problems">All problems, in the order of the file.</param>
/// <param name="Origins">Source of every value that is not a default: "recipe.yaml:31", "LORA_TRAIN__RANK", "--set".</param>
public sealed record RecipeReading(Recipe Recipe, IReadOnlyList<RecipeProblem> Problems, IReadOnlyDictionary<string, string> Origins)
{
    /// <summary>Of no recipe: the defaults.</summary>
    public static RecipeReading Empty { get; } = new(new Recipe(), [], new Dictionary<string, string>());

    /// <summary>Whether a run may start.</summary>
    public bool IsValid => Problems.All(p => p.Severity != Severity.Error);

    /// <summary>The reading for a run in this folder of runs: its versions go among them unless the recipe, the environment or --set names a store.</summary>
    public RecipeReading Among(string runs) =>
        Recipe.Deploy.Store.Length > 0 ? this : this with { Recipe = Recipe with { Deploy = Recipe.Deploy with { Store = DeployOptions.StoreAmong(runs) } } };

    /// <summary>The recipe, or one error that lists all problems.</summary>
    public Recipe OrThrow() => IsValid ? Recipe : throw new LoraException(string.Join('\n', Problems), ExitCode.BadUsage);
}
