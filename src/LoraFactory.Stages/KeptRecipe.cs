using LoraFactory.Flow;

namespace LoraFactory.Stages;

/// <summary>The run's recipe.yaml: the effective recipe that its results were made by; a decision that changed it stays beside it (<see cref="Continuation"/>).</summary>
internal sealed class KeptRecipe
{
    private readonly string path;
    private readonly string? before;

    private KeptRecipe(string path, string? before) => (this.path, this.before) = (path, before);

    /// <summary>Writes the recipe of the run that begins.</summary>
    public static KeptRecipe Replace(StageContext context, IReadOnlyDictionary<string, string> origins)
    {
        var path = Path.Combine(context.Run.Path, "recipe.yaml");
        var kept = new KeptRecipe(path, File.Exists(path) ? File.ReadAllText(path) : null);
        AtomicFile.WriteText(path, RecipeText.Effective(context.Given ?? context.Recipe, origins));
        return kept;
    }

    /// <summary>The one before, where the run that began has changed no result.</summary>
    public void PutBack()
    {
        if (before is not null) AtomicFile.WriteText(path, before);
    }
}
