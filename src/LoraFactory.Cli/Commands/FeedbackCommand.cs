using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using LoraFactory.Flow;
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
        var json = new Option<bool>("--json") { Description = "The decision as one JSON line" };
        var sets = RunCommand.SetOption();
        var runs = RunCommand.RunsOption();
        var command = new Command("feedback", "8: ratings to a decision whether to train again") { recipe, json, sets, runs };
        command.SetAction(parsed =>
        {
            var chosen = RecipeReader.Read(parsed.GetValue(recipe)!, parsed.GetValue(sets)).OrThrow();
            var run = new RunDirectory(Path.Combine(parsed.GetValue(runs)!, chosen.Name));
            using var store = new FeedbackStore(FeedbackStore.PathIn(chosen.Deploy.Store));
            var ratings = store.Latest(chosen.Name, chosen.Feedback.Window);
            // Ratings of a version that was replaced say nothing about its successor: the champion's own decide.
            var champion = new AdapterStore(chosen.Deploy.Store).Champion(chosen.Name)?.Version;
            var decision = RetrainDecision.Of(chosen.Name, store.Latest(chosen.Name, chosen.Feedback.Window, champion), chosen.Feedback, world.Clock.GetUtcNow());
            RunDirectory.WriteLines(run.File(StageName.Feedback, "ratings.jsonl"), ratings);
            RunDirectory.WriteJson(run.File(StageName.Feedback, "decision.json"), decision);
            if (parsed.GetValue(json)) world.Out.WriteLine(JsonSerializer.Serialize(decision, RunDirectory.Json));
            else Show(world, decision, ratings, parsed.GetValue(recipe)!);
            return (int)ExitCode.Done;
        });
        return command;
    }

    private static string N(double value) => double.IsFinite(value) ? value.ToString("F2", CultureInfo.InvariantCulture) : "?";

    private static void Show(CommandWorld world, RetrainDecision decision, IReadOnlyList<Rating> ratings, string recipe)
    {
        foreach (var version in ratings.GroupBy(r => r.Version).OrderBy(g => g.Key))
        {
            var (mean, low, high) = RetrainDecision.Interval([.. version.Select(r => r.Value)]);
            world.Out.WriteLine($"version {version.Key,-4} {version.Count(),5} ratings, mean {N(mean)}, 95 % interval {N(low)} to {N(high)}{(version.Key == decision.Version ? "  (decides)" : "")}");
        }
        foreach (var prompt in decision.WorstPrompts) world.Out.WriteLine($"  rated worst: {prompt}");
        world.Out.WriteLine(decision.Retrain ? $"train again: {decision.Why}. Next: lora run {recipe} --continue" : $"no training: {decision.Why}.");
    }
}
