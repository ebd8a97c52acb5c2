using System.CommandLine;
using LoraFactory.Flow;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Cli.Commands;

/// <summary><c>lora concepts import FILE</c>: ConceptNet's assertions into a local store that <c>seed.concept_store</c> names.</summary>
public sealed class ConceptsCommand : ICommandFile
{
    /// <inheritdoc/>
    public CommandGroup Group => CommandGroup.Stages;

    /// <inheritdoc/>
    public int Order => 1;

    /// <inheritdoc/>
    public Command Build(CommandWorld world)
    {
        var file = new Argument<string>("FILE") { Description = "ConceptNet's assertions: tab-separated, plain or .gz" };
        var store = new Option<string>("--to") { Description = "Store to write; one that exists is replaced, an import that was interrupted goes on", HelpName = "STORE", DefaultValueFactory = _ => "runs/concepts.db" };
        var language = new Option<string>("--language") { Description = "Keep edges with both ends in this language, or \"all\"", HelpName = "CODE", DefaultValueFactory = _ => "en" };
        var import = new Command("import", "Import ConceptNet's assertions for the expansion of topics") { file, store, language };
        import.SetAction((parsed, token) => Task.Run(() =>
        {
            var (from, to, only) = (parsed.GetValue(file)!, parsed.GetValue(store)!, parsed.GetValue(language)!);
            if (Directory.Exists(from)) throw new LoraException($"{from} is a folder. Name the assertions file of ConceptNet.", ExitCode.BadUsage);
            if (!File.Exists(from)) throw new LoraException($"{from} does not exist. Name the assertions file of ConceptNet.", ExitCode.BadUsage);
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(to))!);
            ConceptImport done;
            using (var board = world.NewBoard())
            using (var bar = board.Begin("import", new FileInfo(from).Length, "bytes")) done = ConceptStore.Import(from, to, only == "all" ? null : only, bar, token);
            if (done.Edges == 0)
                throw new LoraException($"no edge of {from} was kept, of {done.Lines} lines{(done.Skipped > 0 ? $" of which {done.Skipped} are unreadable" : "")}: its lines should be ConceptNet's assertions, five fields with tabs between them, {(only == "all" ? "" : $"some with both ends in the language {only} (--language, a code such as en, or all), ")}and {(File.Exists(to) ? $"{to} stays as it was" : $"{to} was not made")}.");
            var resumed = done.Before > 0 ? $" (the first {done.Before} by an earlier import that was interrupted)" : "";
            world.Out.WriteLine($"{done.Edges} edges of {done.Lines} lines{resumed} kept in {to}{(done.Skipped > 0 ? $", {done.Skipped} unreadable lines left out" : "")}. Next: seed.concept_store: {to}");
            return (int)ExitCode.Done;
        }, token));
        return new Command("concepts", "A local ConceptNet for the crawl's related terms") { import };
    }
}
