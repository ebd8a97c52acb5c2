using LoraFactory.Flow;

namespace LoraFactory.Stages;

/// <summary>The run's recipe.yaml: the effective recipe that its results were made by; a decision that changed it stays beside it (<see cref="Continuation"/>).</summary>
internal sealed class KeptRecipe
{
    private readonly List<(string Path, string? Text)> before;

    private KeptRecipe(params IEnumerable<string> paths) => before = [.. paths.Select(path => (path, File.Exists(path) ? File.ReadAllText(path) : null))];

    /// <summary>Writes the recipe of the run that begins; <paramref name="start"/> is what a rescore changed it from.</summary>
    public static KeptRecipe Replace(StageContext context, IReadOnlyDictionary<string, string> origins, RescoreStart? start = null)
    {
        var (path, own, given) = (Path.Combine(context.Run.Path, "recipe.yaml"), RescoreStart.In(context.Run), context.Given ?? context.Recipe);
        var kept = new KeptRecipe(path, own);
        var changed = start?.IsChangedBy(given) is true;
        if (changed) AtomicFile.WriteText(own, start!.Text); // in this order one of the two holds the recipe's own values, also where the process is killed between
        var goesOn = start is null && kept.before[0].Text is not null && !RescoreStart.Of(path, "").IsChangedBy(given); // by the values of a rescore, whose way back stays
        AtomicFile.WriteText(path, start is null || changed ? RecipeText.Effective(given, origins) : start.Text);
        if (!changed && !goesOn) File.Delete(own);
        return kept;
    }

    /// <summary>The one before, where the run that began has changed no result.</summary>
    public void PutBack()
    {
        if (before[0].Text is null) return;
        foreach (var (path, text) in before)
        {
            if (text is null) File.Delete(path);
            else AtomicFile.WriteText(path, text);
        }
    }
}
