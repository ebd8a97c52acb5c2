using System.Diagnostics;
using System.Reflection;
using System.Runtime.InteropServices;
using LoraFactory.Flow;

namespace LoraFactory.Stages;

/// <summary>Which part of the line to run.</summary>
/// <param name="From">This stage and those after it run again even when nothing changed.</param>
/// <param name="To">The last stage to run.</param>
public sealed record LineRequest(StageName? From = null, StageName? To = null)
{
    /// <summary>True when the last stage judges anew what it measured before instead of measuring again.</summary>
    public bool Rescore { get; init; }

    /// <summary>The recipe that a rescore changes by some values; null where none is known.</summary>
    public RescoreStart? Start { get; init; }
}

/// <summary>What became of one stage.</summary>
/// <param name="Record">Its stage.json.</param>
/// <param name="Skipped">True when it was finished before and nothing had changed.</param>
public sealed record StageResult(StageRecord Record, bool Skipped);

/// <summary>
/// Runs the stages in order on one run directory. A stage whose options and inputs have not changed since it finished is skipped;
/// one that was killed goes on from what it left; one whose options or inputs changed begins anew, and keeps its last result until it has
/// a new one (<see cref="ResultShelf"/>).
/// </summary>
public sealed class FactoryLine
{
    private readonly IReadOnlyList<IStage> stages;

    /// <summary>A line of these stages, in the order of <see cref="StageName"/>.</summary>
    public FactoryLine(IEnumerable<IStage> stages)
    {
        this.stages = [.. stages.OrderBy(s => s.Name)];
        if (this.stages.Select(s => s.Name).Distinct().Count() != this.stages.Count) throw new ArgumentException("a stage stands twice in the line", nameof(stages));
    }

    /// <summary>The project's line: the one place where all stages are put together.</summary>
    public static FactoryLine Standard() => new(
    [
        new Crawl.CrawlStage(), new Clean.CleanStage(new Label.Encoders()), new Label.LabelStage(), new Configure.ConfigureStage(new Train.TrainingForecast()), new Train.TrainStage(),
        new Evaluate.EvaluateStage(), new Deploy.DeployStage(),
    ]);

    /// <summary>Version that goes into every stage's hash.</summary>
    public static string Version { get; } = typeof(FactoryLine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;

    /// <summary>Its stages, in order.</summary>
    public IReadOnlyList<StageName> Names => [.. stages.Select(s => s.Name)];

    /// <summary>What the stages up to <paramref name="to"/> find on this machine, each once, in the order of the line.</summary>
    public IReadOnlyList<MachineFinding> Look(Recipe recipe, StageName? to = null) => [.. stages.Where(s => to is null || s.Name <= to).SelectMany(s => s.Look(recipe)).Distinct()];

    /// <summary>
    /// Runs the line. Takes the run's lock, keeps the effective recipe there as recipe.yaml, and calls
    /// <paramref name="finished"/> after every stage.
    /// </summary>
    /// <exception cref="LoraException">What a user can mend; finished stages stay.</exception>
    /// <exception cref="OperationCanceledException">Interrupted; the same call goes on.</exception>
    public async Task<IReadOnlyList<StageResult>> RunAsync(StageContext context, LineRequest request, IReadOnlyDictionary<string, string> origins,
        Action<StageResult>? finished = null, CancellationToken token = default)
    {
        if (request is { From: { } from, To: { } to } && from > to) throw new LoraException($"--from {Word(from)} comes after --to {Word(to)} in the line.", ExitCode.BadUsage);
        foreach (var (option, named) in new[] { ("--from", request.From), ("--to", request.To) })
            if (named > stages[^1].Name) throw new LoraException($"{option} {Word(named.Value)}: the line ends with {Word(stages[^1].Name)}; what comes after is lora feedback RECIPE, then lora run RECIPE --continue.", ExitCode.BadUsage);
        using var held = RunLock.Take(context.Run);
        var inputs = new StageInputs(context.Run);
        var findings = stages.Where(s => request.To is null || s.Name <= request.To) // what is missing is said now, not after a night's crawl
            .SelectMany(s => s.Look(context.Recipe).Where(f => !f.OfItsStage || request.From <= s.Name || !Unchanged(s, context, inputs))).Distinct().ToList();
        foreach (var finding in findings.Where(f => f.Severity == Severity.Warning)) context.Progress.Line($"warning {finding.Id} {finding}");
        if (findings.Where(f => f.Severity == Severity.Error).ToList() is { Count: > 0 } errors) throw new LoraException(string.Join('\n', errors), ExitCode.BadUsage);
        if (request.Rescore && stages.FirstOrDefault(s => s.Name < StageName.Clean && !Unchanged(s, context, inputs)) is { } changed)
        {
            throw new LoraException(ResultShelf.Finished(context.Run.PathOf(changed.Name)) is null
                ? $"--rescore judges again what was cleaned before, and {context.Run.Path} has no finished {Word(changed.Name)} yet: leave out --rescore."
                : $"--rescore judges again what was {Word(changed.Name)}ed before, and by this recipe or version the {Word(changed.Name)} of {context.Run.Path} would be another: change only options of clean, or leave out --rescore to {Word(changed.Name)} anew.", ExitCode.BadUsage);
        }
        var results = new List<StageResult>();
        var kept = KeptRecipe.Replace(context, origins, request.Start);
        foreach (var stage in stages.Where(s => request.To is null || s.Name <= request.To))
        {
            token.ThrowIfCancellationRequested();
            var result = await RunStageAsync(stage, context, inputs, request.From <= stage.Name, () => { if (results.All(r => r.Skipped)) kept.PutBack(); }, token);
            results.Add(result);
            finished?.Invoke(result);
        }
        return results;
    }

    private static bool Unchanged(IStage stage, StageContext context, StageInputs inputs) =>
        ResultShelf.Finished(context.Run.PathOf(stage.Name))?.Hash == StageInputs.Hash(stage, context.Recipe, Version, inputs.Of(stage, context));

    private static async Task<StageResult> RunStageAsync(IStage stage, StageContext context, StageInputs inputs, bool forced, Action givenBack, CancellationToken token)
    {
        var files = inputs.Of(stage, context);
        var hash = StageInputs.Hash(stage, context.Recipe, Version, files);
        var directory = context.Run.Of(stage.Name);
        var shelf = new ResultShelf(context.Run, stage.Name);
        shelf.TakeUp(hash, forced);
        var marker = ResultShelf.Attempt(directory);
        var continued = marker is not null && marker.GoesOn(hash, forced);
        if (!forced && !continued && ResultShelf.Finished(directory) is { } before && before.Hash == hash
            && before.Outputs.All(o => File.Exists(Path.Combine(directory, o))) && Stands(stage, context))
            return new StageResult(before, Skipped: true);

        if (!continued) shelf.SetAside(copy: stage.KeepsState);
        File.Delete(Path.Combine(directory, StageRecord.FileName));
        var attempts = continued ? marker!.Attempts + 1 : 1;
        RunDirectory.WriteJson(Path.Combine(directory, StageMarker.FileName), new StageMarker(hash, attempts, context.Clock.GetUtcNow(), forced));
        if (continued) context.Progress.Line($"{Word(stage.Name)}: going on from where it was interrupted");

        var started = context.Clock.GetUtcNow();
        var outcome = await AttemptAsync(stage, context, directory, shelf, givenBack, token);
        var ended = context.Clock.GetUtcNow();
        var record = new StageRecord
        {
            Stage = stage.Name,
            Hash = hash,
            Version = Version,
            Runtime = $"{RuntimeInformation.FrameworkDescription} on {RuntimeInformation.OSDescription}",
            Started = started,
            Finished = ended,
            Seconds = Math.Round((ended - started).TotalSeconds, 3),
            Attempts = attempts,
            In = outcome.In,
            Out = outcome.Out,
            Dropped = outcome.Dropped,
            Summary = outcome.Summary,
            Inputs = files,
            Outputs = OutputsOf(directory),
        };
        RunDirectory.WriteJson(Path.Combine(directory, StageRecord.FileName), record);
        File.Delete(Path.Combine(directory, StageMarker.FileName));
        shelf.Forget();
        return new StageResult(record, Skipped: false);
    }

    private static async Task<StageOutcome> AttemptAsync(IStage stage, StageContext context, string directory, ResultShelf shelf, Action givenBack, CancellationToken token)
    {
        try
        {
            return await stage.RunAsync(context, token);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            var marker = Path.Combine(directory, StageMarker.FileName);
            try
            {
                if (ResultShelf.Attempt(directory) is { } mine) RunDirectory.WriteJson(marker, mine with { Failed = !LackedRoom(e) });
            }
            catch (Exception second) when (second is LoraException or IOException or UnauthorizedAccessException)
            {
                // a full disk failed the stage: that is what the user has to hear of
            }
            if (!shelf.GiveBack()) throw;
            givenBack();
            context.Progress.Line($"{Word(stage.Name)}: failed, so its last result stays in {directory}; what this attempt left is in {shelf.Unfinished}");
            if (e is LoraException { Message: var sentence } mendable && shelf.Moved(sentence) is { } moved) throw new LoraException(moved, mendable.Code, e);
            throw;
        }
    }

    // What a full or locked disk stopped is none the worse for it: with room it goes on, as after an interruption.
    private static bool LackedRoom(Exception? failure) =>
        failure is not null && (DiskFault.Of(failure) is not null || FullDisk.Met(failure) || LackedRoom(failure.InnerException));

    private static string[] OutputsOf(string directory) =>
        [.. Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(directory, f))
            .Where(f => !Path.GetFileName(f).StartsWith('.') && f != StageRecord.FileName && !f.EndsWith("-wal", StringComparison.Ordinal) && !f.EndsWith("-shm", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)];

    private static bool Stands(IStage stage, StageContext context)
    {
        try
        {
            return stage.Stands(context);
        }
        catch (LoraException)
        {
            return false; // a damaged file counts as a lost one
        }
    }

    private static string Word(StageName stage) => stage.ToString().ToLowerInvariant();
}
