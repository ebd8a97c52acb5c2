using System.CommandLine;
using System.Globalization;
using System.Text.Json;
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
            var (all, chosen) = (ConsentCommand.Runs(parsed, runs), parsed.GetValue(run));
            IReadOnlyList<RunDirectory> asked = chosen is null ? all : [LineageCommand.Open(chosen, parsed.GetValue(runs)!)];
            var check = new Check(world, ResultLines.Of(world, parsed), world.Clock.GetUtcNow() - TimeSpan.FromHours(parsed.GetValue(age)));
            await check.RunAsync(asked, token);
            var again = $"lora consent check{(chosen is null ? "" : " " + UserPath.Quoted(chosen))}{(parsed.GetValue(runs) is var folder && folder != RunDirectory.Usual ? $" --runs-dir {UserPath.Quoted(folder!)}" : "")} --purge";
            check.Conclude(again, parsed.GetValue(purge) ? () => (all.Concat(asked).DistinctBy(r => Path.GetFullPath(r.Path)).ToList(), ConsentCommand.Store(parsed, runs, store)) : null);
            return (int)ExitCode.Done;
        });
        return command;
    }

    // One run after the other; what is said of an address holds for all of them.
    private sealed class Check(CommandWorld world, ResultLines results, DateTimeOffset since)
    {
        private readonly Dictionary<string, ConsentAnswer> said = new(StringComparer.Ordinal), refused = new(StringComparer.Ordinal);
        private readonly HashSet<string> kept = new(StringComparer.Ordinal), unanswered = new(StringComparer.Ordinal);
        private readonly List<string> faults = [];

        public async Task RunAsync(IReadOnlyList<RunDirectory> runs, CancellationToken token)
        {
            var recipes = new List<(RunDirectory Run, CrawlOptions Crawl)>();
            foreach (var run in runs)
                if (await TryAsync(run, () => OptionsOf(run)) is { } crawl) recipes.Add((run, crawl));
            var gates = ConsentRecheck.GatesOf([.. recipes.Select(r => r.Crawl)], world.Clock);
            foreach (var (run, crawl) in recipes)
            {
                foreach (var answer in await TryAsync(run, () => AskAsync(run, new(crawl, gates, world.Clock), token)) ?? []) refused.TryAdd(answer.Url, answer);
                token.ThrowIfCancellationRequested();
            }
        }

        public void Conclude(string again, Func<(IReadOnlyList<RunDirectory> Runs, AdapterStore Store)>? purge)
        {
            foreach (var answer in refused.Values) results.Write(answer, $"{answer.Url} ({answer.Kind}): {answer.Signal}");
            var it = refused.Count == 1 ? "it" : "them";
            if (refused.Count == 0) results.ForPeople(kept.Count == 0 ? "no run keeps an address that could be asked" : $"nothing that answered ({kept.Count - unanswered.Count} of {kept.Count} addresses) has opted out since it was fetched");
            else if (purge is null) results.ForPeople($"{Count(refused.Count)} may not be used any more: {again} removes {it} from every run and names the adapters trained on {it}");
            else
            {
                var ((runs, store), now) = (purge(), world.Clock.GetUtcNow());
                // an address is that page alone, also where it ends in a slash
                new ConsentWithdrawal([.. refused.Keys.Select(a => new Withdrawal(a, now) { Exact = true })], refused.Count == 1 ? refused.Keys.First() : Count(refused.Count), results, dry: false).Carry(runs, store);
            }
            if (faults.Count > 0) throw new LoraException(string.Join(" ", faults) + " All others were asked.");
        }

        // One run that is being worked on or damaged does not keep the others from being asked.
        private async Task<T?> TryAsync<T>(RunDirectory run, Func<Task<T?>> work)
            where T : class
        {
            try
            {
                return await work();
            }
            catch (Exception e) when (e is LoraException or IOException or UnauthorizedAccessException or JsonException or UriFormatException)
            {
                faults.Add($"{run.Path} was left out: {e.Message.TrimEnd('.')}.");
                return null;
            }
        }

        // Null where there is nothing to ask.
        private async Task<CrawlOptions?> OptionsOf(RunDirectory run)
        {
            var recipe = RecipeReader.Read(Path.Combine(run.Path, "recipe.yaml")).OrThrow();
            if (recipe.Label.Source == "folder") return null;
            var why = PlayedWeb.Fault(recipe, "lora demo") is { } fault ? $"it was crawled from {fault}"
                : ConsentRecheck.PagesOf(run) is null ? "its crawl has come to no end; lora crawl RECIPE goes on with it" : null;
            if (why is null) return recipe.Crawl;
            await world.Error.WriteLineAsync($"{run.Path} is left out: {why}");
            return null;
        }

        // What the run keeps and may not use any more, by answers of now or not older than since, nor than what was fetched.
        private async Task<IReadOnlyList<ConsentAnswer>?> AskAsync(RunDirectory run, ConsentRecheck recheck, CancellationToken token)
        {
            using var held = RunLock.Take(run);
            var pages = ConsentRecheck.PagesOf(run) ?? [];
            var addresses = ConsentRecheck.Kept(pages);
            using var answers = new ConsentAnswers(run);
            foreach (var address in addresses)
                if (said.GetValueOrDefault(address.Url) is { Verdict: not "unanswered" } other && !answers.Knows(address.Url, other.At)) answers.Add(other);
            var due = addresses.Where(k => !answers.Knows(k.Url, k.At > since ? k.At : since)).ToList();
            using (var board = world.NewBoard())
            using (var bar = board.Begin($"ask {Path.GetFileName(run.Path)}", addresses.Count, "addresses"))
            {
                var optedOut = 0;
                bar.Set(addresses.Count - due.Count);
                await recheck.RunAsync(due, answer =>
                {
                    answers.Add(answer);
                    if (answer.Verdict == "unanswered") unanswered.Add(answer.Url);
                    bar.Advance();
                    if (answer.IsRefused) bar.Note($"{++optedOut} opted out since");
                }, token);
            }
            var now = addresses.Select(k => answers.Of(k.Url) is { } answer && answer.At >= k.At ? answer : null).OfType<ConsentAnswer>().ToList();
            foreach (var answer in now) said[answer.Url] = answer;
            kept.UnionWith(addresses.Select(k => k.Url));
            results.ForPeople($"{run.Path}: {string.Join(", ", now.GroupBy(a => a.Verdict, StringComparer.Ordinal).OrderByDescending(g => g.Count()).ThenBy(g => g.Key, StringComparer.Ordinal).Select(g => $"{g.Count()} {g.Key}"))}{(due.Count(k => unanswered.Contains(k.Url)) is > 0 and var silent ? $"; {silent} left unanswered now, of which what was said before stands" : "")}");
            return ConsentRecheck.Refused(pages, now);
        }
    }

    private static string Count(int addresses) => addresses == 1 ? "1 address" : string.Create(CultureInfo.InvariantCulture, $"{addresses} addresses");
}
