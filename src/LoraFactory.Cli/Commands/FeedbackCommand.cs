using System.CommandLine;
using System.Globalization;
using LoraFactory.Flow;
using LoraFactory.Stages;
using LoraFactory.Stages.Deploy;
using LoraFactory.Stages.Feedback;

namespace LoraFactory.Cli.Commands;

/// <summary><c>lora feedback RECIPE</c>: what the ratings say, and whether to train again.</summary>
public sealed class FeedbackCommand : ICommandFile
{
    /// <inheritdoc/>
    public CommandGroup Group => CommandGroup.Stages;

    /// <inheritdoc/>
    public int Order => 80;

    /// <inheritdoc/>
    public Command Build(CommandWorld world)
    {
        var recipe = new Argument<string>("RECIPE") { Description = "The recipe's file" };
        var json = ResultLines.Option("The decision as one JSON line");
        var sets = RunCommand.SetOption();
        var runs = RunCommand.RunsOption();
        var command = new Command("feedback", "8: ratings to a decision whether to train again") { recipe, json, sets, runs };
        command.SetAction(parsed =>
        {
            var chosen = RecipeReader.Read(parsed.GetValue(recipe)!, parsed.GetValue(sets)).Among(parsed.GetValue(runs)!).OrThrow();
            var (ratings, decisive) = Ratings(chosen);
            var decision = RetrainDecision.Of(chosen.Name, decisive, chosen.Feedback, world.Clock.GetUtcNow());
            Continuation? carried = null;
            var place = Path.Combine(parsed.GetValue(runs)!, chosen.Name);
            if (ratings.Count > 0 || Directory.Exists(place)) // a recipe that never ran gets no run by being asked about
            {
                var run = new RunDirectory(place);
                RunDirectory.WriteLines(run.File(StageName.Feedback, "ratings.jsonl"), ratings);
                RunDirectory.WriteJson(run.File(StageName.Feedback, "decision.json"), decision);
                if (Retraining.Of(run) is { } last && last.Decision == decision.Id) carried = last;
            }
            var results = ResultLines.Of(world, parsed);
            results.ForPrograms(decision);
            var line = PlayedWeb.HostOf(chosen) is null ? $"lora run {parsed.GetValue(recipe)}" : "lora demo"; // its web is there only while the demo plays it
            Show(results, decision, carried, ratings, (parsed.GetValue(recipe)!, line));
            return (int)ExitCode.Done;
        });
        return command;
    }

    // The newest ratings of the adapter, and those of its champion: ratings of a version that was replaced say nothing about its successor.
    private static (IReadOnlyList<Rating> All, IReadOnlyList<Rating> Decisive) Ratings(Recipe recipe)
    {
        var path = FeedbackStore.PathIn(recipe.Deploy.Store);
        if (!File.Exists(path)) return ([], []);
        using var store = new FeedbackStore(path);
        var champion = new AdapterStore(recipe.Deploy.Store).Champion(recipe.Name)?.Version;
        return (store.Latest(recipe.Name, recipe.Feedback.Window), store.Latest(recipe.Name, recipe.Feedback.Window, champion));
    }

    private static string N(double value) => value.ToString("F2", CultureInfo.InvariantCulture);

    private static void Show(ResultLines results, RetrainDecision decision, Continuation? carried, IReadOnlyList<Rating> ratings, (string Recipe, string Line) call)
    {
        if (ratings.Count == 0)
            results.ForPeople($"there are no ratings of {decision.Adapter} yet. Serve it with lora serve {call.Recipe}, draw with <lora:{decision.Adapter}:1>, and rate pictures with POST /feedback {{\"generation_id\": …, \"rating\": 0 to 1}}; the answer to txt2img has the ids in info.generations.");
        foreach (var version in ratings.GroupBy(r => r.Version).OrderBy(g => g.Key))
        {
            var (mean, low, high) = RetrainDecision.Interval([.. version.Select(r => r.Value)]);
            var figures = version.Count() == 1 ? $"rating, {N(mean)}; one rating has no interval" : $"ratings, mean {N(mean)}, 95 % interval {N(low)} to {N(high)}";
            results.ForPeople($"version {version.Key,-4} {version.Count(),5} {figures}{(version.Key == decision.Version ? "  (decides)" : "")}");
        }
        foreach (var prompt in decision.WorstPrompts) results.ForPeople($"  rated worst: {prompt}");
        var next = carried is null ? $"Next: {call.Line} --continue"
            : $"That was begun on {carried.At:u}, and there is no rating since those that it was decided on: {call.Line} goes on where it stopped, and a further round needs new ratings";
        results.ForPeople(decision.Retrain ? $"train again: {decision.Why}. {next}" : $"no training: {decision.Why}.");
    }
}
