using LoraFactory.Flow;

namespace LoraFactory.Stages;

/// <summary>
/// What a rescore starts from: the recipe's own values, never what an earlier rescore made of them. While a run's recipe.yaml is one that a rescore
/// changed, its own lies beside it; the next rescore starts from that one again, and so one without changes is the way back.
/// </summary>
public sealed class RescoreStart
{
    private const string FileName = "recipe.before-rescore.yaml";

    private readonly Recipe? before;

    private RescoreStart(string path, RecipeReading reading, string text, Recipe? before) => (Path, Recipe, Text, this.before) = (path, reading.Recipe, text, before);

    /// <summary>The recipe's file.</summary>
    public string Path { get; }

    /// <summary>Its values.</summary>
    public Recipe Recipe { get; }

    /// <summary>Of a recipe that was named by its file, for a run in this folder of runs.</summary>
    public static RescoreStart Of(string file, string runs)
    {
        var reading = RecipeReader.Read(file).Among(runs);
        var kept = System.IO.Path.Combine(runs, reading.Recipe.Name, "recipe.yaml");
        var before = File.Exists(kept) && File.Exists(System.IO.Path.Combine(runs, reading.Recipe.Name, FileName)) ? RecipeReader.Read(kept).Among(runs).Recipe : null;
        return new(file, reading, RecipeText.Effective(reading.Recipe, reading.Origins), before);
    }

    /// <summary>Of a run: the recipe that it was made by before any rescore.</summary>
    public static RescoreStart Of(RunDirectory run)
    {
        var (own, kept) = (In(run), System.IO.Path.Combine(run.Path, "recipe.yaml"));
        var path = File.Exists(own) ? own : kept;
        var runs = System.IO.Path.GetDirectoryName(run.Path)!;
        return new(path, RecipeReader.Read(path).Among(runs), File.Exists(path) ? File.ReadAllText(path) : "", path == own ? RecipeReader.Read(kept).Among(runs).Recipe : null);
    }

    /// <summary>Where a run keeps it.</summary>
    internal static string In(RunDirectory run) => System.IO.Path.Combine(run.Path, FileName);

    /// <summary>Its text as a run keeps it.</summary>
    internal string Text { get; }

    /// <summary>Whether <paramref name="now"/> has other values.</summary>
    internal bool IsChangedBy(Recipe now) => Differing(Recipe, now).Count > 0;

    /// <summary>What a person has to know of the values that a rescore works by, a line each.</summary>
    /// <param name="now">The recipe that it works by.</param>
    /// <param name="again">The command without <c>--set</c>.</param>
    public IEnumerable<string> Told(Recipe now, string again)
    {
        var changed = Differing(Recipe, now);
        var lapsed = before is null ? [] : Differing(Recipe, before).Intersect(Differing(now, before)).ToList();
        yield return changed.Count == 0 ? "judged by the recipe's own values" : "judged by the recipe's own values but for " + string.Join(", ", changed.Select(key => $"{key}={Show(key, now)} (recipe: {Show(key, Recipe)})"));
        if (lapsed.Count > 0) yield return $"no longer in force is what the rescore before had changed: {string.Join(", ", lapsed.Select(key => $"{key}={Show(key, before!)}"))}; each rescore starts from the recipe's own values, so repeat with --set what is to stay";
        if (changed.Count > 0) yield return $"{again} goes back to the recipe's own values";
    }

    private static string Show(string key, Recipe recipe) => OptionCatalog.Find(key)!.Written(recipe);

    private static List<string> Differing(Recipe one, Recipe other) => [.. OptionCatalog.All.Where(o => o.Written(one) != o.Written(other)).Select(o => o.Key)];
}
