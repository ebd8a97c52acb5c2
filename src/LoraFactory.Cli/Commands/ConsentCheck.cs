using System.CommandLine;
using System.Globalization;
using LoraFactory.Flow;
using LoraFactory.Stages;
using LoraFactory.Stages.Crawl;
using LoraFactory.Stages.Deploy;

namespace LoraFactory.Cli.Commands;

/// <summary><c>lora consent check [RUN]</c>: asks what is kept whether it may still be used, and with <c>--purge</c> removes what may not.</summary>
internal static class ConsentCheck
{
    /// <summary>The command.</summary>
    public static Command Build(CommandWorld world)
    {
        var run = new Argument<string?>("RUN") { Description = "The run's directory, or its name below runs/; without it all runs", Arity = ArgumentArity.ZeroOrOne };
        var runs = LineageCommand.RunsOption();
        var store = ConsentCommand.StoreOption();
        var purge = new Option<bool>("--purge") { Description = "Remove what may not be used any more from every run, as lora consent purge does" };
        var age = NumberOption.Of("--max-age", "Hours for which an answer holds: what was asked since is not asked again", 24.0, 0, 8760, helpName: "HOURS");
        var json = ResultLines.Option("One JSON line per address that may not be used any more, per run and per adapter that has to do with it");
        var command = new Command("check", "Ask the pages and pictures that runs keep whether they may still be used, politely and with robots.txt read anew") { run, purge, age, runs, store, json };
        command.SetAction(async (parsed, token) =>
        {
            var results = ResultLines.Of(world, parsed);
            var (all, chosen) = (ConsentCommand.Runs(parsed, runs), parsed.GetValue(run));
            var since = world.Clock.GetUtcNow() - TimeSpan.FromHours(parsed.GetValue(age));
            var refused = new Dictionary<string, ConsentAnswer>(StringComparer.Ordinal);
            foreach (var each in chosen is null ? all : [LineageCommand.Open(chosen, parsed.GetValue(runs)!)])
            {
                token.ThrowIfCancellationRequested();
                foreach (var answer in await OfAsync(world, results, each, since, token)) refused.TryAdd(answer.Url, answer);
            }
            foreach (var answer in refused.Values) results.Write(answer, $"{answer.Url} ({answer.Kind}): {answer.Signal}");
            if (refused.Count == 0) results.ForPeople("nothing has opted out since it was fetched");
            else if (parsed.GetValue(purge)) Remove(world, results, [.. refused.Keys], all, ConsentCommand.Store(parsed, runs, store));
            else results.ForPeople($"{Count(refused.Count)} may not be used any more: lora consent check{(chosen is null ? "" : " " + chosen)} --purge removes {(refused.Count == 1 ? "it" : "them")} from every run and names the adapters trained on {(refused.Count == 1 ? "it" : "them")}");
            return (int)ExitCode.Done;
        });
        return command;
    }

    private static string Count(int addresses) => addresses == 1 ? "1 address" : string.Create(CultureInfo.InvariantCulture, $"{addresses} addresses");

    private static void Remove(CommandWorld world, ResultLines results, IReadOnlyList<string> addresses, IReadOnlyList<RunDirectory> runs, AdapterStore store)
    {
        var now = world.Clock.GetUtcNow();
        new ConsentWithdrawal([.. addresses.Select(a => new Withdrawal(a, now))], addresses.Count == 1 ? addresses[0] : Count(addresses.Count), results, dry: false).Carry(runs, store);
    }

    // What the run keeps and may not use any more, by answers of now or not older than since.
    private static async Task<IReadOnlyList<ConsentAnswer>> OfAsync(CommandWorld world, ResultLines results, RunDirectory run, DateTimeOffset since, CancellationToken token)
    {
        var kept = ConsentRecheck.Kept(run);
        if (kept.Count == 0) return [];
        var recipe = RecipeReader.Read(Path.Combine(run.Path, "recipe.yaml")).OrThrow();
        if (PlayedWeb.Fault(recipe, "lora demo") is { } fault)
        {
            await world.Error.WriteLineAsync($"{run.Path} is left out: it was crawled from {fault}");
            return [];
        }
        using var answers = new ConsentAnswers(run);
        var due = kept.Where(k => !answers.Knows(k.Url, since)).ToList();
        using (var board = world.NewBoard())
        using (var bar = board.Begin($"ask {Path.GetFileName(run.Path)}", kept.Count, "addresses"))
        {
            var refused = 0;
            bar.Set(kept.Count - due.Count);
            await new ConsentRecheck(recipe.Crawl, world.Clock).RunAsync(due, answer =>
            {
                answers.Add(answer);
                bar.Advance();
                if (answer.IsRefused) bar.Note($"{++refused} opted out since");
            }, token);
        }
        var said = kept.Select(k => answers.Of(k.Url)).OfType<ConsentAnswer>().ToList();
        results.ForPeople($"{run.Path}: {string.Join(", ", said.GroupBy(a => a.Verdict, StringComparer.Ordinal).OrderByDescending(g => g.Count()).ThenBy(g => g.Key, StringComparer.Ordinal).Select(g => $"{g.Count()} {g.Key}"))}");
        return ConsentRecheck.Refused(run, said);
    }
}
