using System.CommandLine;
using LoraFactory.Flow;

namespace LoraFactory.Cli.Commands;

/// <summary><c>lora init [FILE]</c>: writes a commented recipe, for a crawl or a folder of pictures.</summary>
public sealed class InitCommand : ICommandFile
{
    /// <inheritdoc/>
    public CommandGroup Group => CommandGroup.Line;

    /// <inheritdoc/>
    public int Order => 30;

    /// <inheritdoc/>
    public Command Build(CommandWorld world)
    {
        var file = new Argument<string>("FILE") { Description = "File to write", DefaultValueFactory = _ => "recipe.yaml" };
        var pictures = new Option<string?>("--pictures") { Description = "Folder of your own pictures to train on instead of a crawl", HelpName = "DIR" };
        var force = new Option<bool>("--force") { Description = "Replace a file that exists" };
        var command = new Command("init", "Write a recipe in which every key is explained") { file, pictures, force };
        command.SetAction(parsed =>
        {
            var path = parsed.GetValue(file)!;
            if (Path.Exists(path) && !parsed.GetValue(force))
                throw new LoraException($"{path} exists. Name another file, or add --force to replace it.", ExitCode.BadUsage);
            var recipe = Named(path) with { Evaluate = new() { Prompts = ExamplePrompts() } };
            if (parsed.GetValue(pictures) is { } folder) recipe = recipe with { Label = Of(folder, recipe.Name) };
            AtomicFile.WriteText(path, RecipeText.Template(recipe));
            world.Out.WriteLine(recipe.Label.Source == "folder"
                ? $"{path} written: pictures from {recipe.Label.Folder}, name and trigger {recipe.Name} (label.trigger: better a rare word that your captions do not use otherwise). Next: name your base in base.model ({recipe.Base.Model} draws the demo's small world alone) and a full CLIP in base.clip, then lora check {path} and lora run {path}"
                : $"{path} written. Next: set seed.topic, seed.urls and label.trigger, then lora check {path} and lora run {path}. With a folder of your own pictures: lora init {path} --force --pictures DIR");
            return (int)ExitCode.Done;
        });
        return command;
    }

    // called as its file, where a run and an adapter can be called so
    private static Recipe Named(string path)
    {
        var recipe = new Recipe { Name = Path.GetFileNameWithoutExtension(path) };
        var fits = recipe.Name.Length <= OptionCatalog.Find("name")!.Declared.Max && RecipeRules.All.All(r => r.Keys is not ["name"] || r.Broken(recipe) is null);
        return fits ? recipe : new Recipe();
    }

    // those of recipes/sd15.yaml, which is part of the program: with none named they would be made from the captions, and where these are all alike that is one
    private static IReadOnlyList<string> ExamplePrompts()
    {
        using var recipe = typeof(InitCommand).Assembly.GetManifestResourceStream("sd15.yaml")!;
        var bytes = new byte[recipe.Length];
        recipe.ReadExactly(bytes);
        return RecipeReader.ReadBytes(bytes, "sd15.yaml", environment: new Dictionary<string, string>()).OrThrow().Evaluate.Prompts;
    }

    private static LabelOptions Of(string pictures, string trigger)
    {
        var folder = UserPath.Expand(pictures);
        if (!Directory.Exists(folder)) throw new LoraException($"--pictures {pictures} is not a folder; name the one that holds your pictures.{NearestPath.Hint(folder)}", ExitCode.BadUsage);
        // a recipe's paths are relative to the working directory: what lies here can be moved together with the recipe
        var here = Path.GetRelativePath(Directory.GetCurrentDirectory(), folder);
        var below = !Path.IsPathRooted(here) && here.Split(Path.DirectorySeparatorChar)[0] is not (".." or "~");
        return new() { Source = "folder", Folder = below ? here : Path.GetFullPath(folder), Trigger = trigger };
    }
}
