using System.Globalization;
using System.Text.Json;
using LoraFactory.Flow;

namespace LoraFactory.Stages.Configure;

/// <summary>Stage 4, Samples → TrainPlan: every value that training needs, each with its why, and an estimate before anything starts.</summary>
public sealed class ConfigureStage(ITrainingForecast forecast) : IStage
{
    /// <inheritdoc/>
    public StageName Name => StageName.Configure;

    /// <inheritdoc/>
    public IEnumerable<object> Options(Recipe recipe) => [recipe.Configure, recipe.Train, recipe.Base, recipe.Resources];

    /// <inheritdoc/>
    public IEnumerable<string> Inputs(StageContext context) =>
        [context.Run.File(StageName.Label, "samples.jsonl"), context.Run.File(StageName.Label, "complexity.json"), .. forecast.Files(context.Recipe)];

    /// <inheritdoc/>
    public bool KeepsState => true;

    /// <inheritdoc/>
    public IEnumerable<MachineFinding> Look(Recipe recipe)
    {
        try
        {
            forecast.Examine(recipe);
            return [];
        }
        catch (LoraException e)
        {
            return [MachineFinding.Of("LR201", "base.model", e, recipe.Base.Model)];
        }
    }

    /// <inheritdoc/>
    public Task<StageOutcome> RunAsync(StageContext context, CancellationToken token) => Task.Run(() => Run(context), token);

    private StageOutcome Run(StageContext context)
    {
        File.Delete(context.Run.File(StageName.Configure, "plan.yaml")); // a plan that is refused below leaves none
        var samples = RunDirectory.ReadLines<Sample>(context.Run.File(StageName.Label, "samples.jsonl")).ToList();
        var data = RunDirectory.ReadJson<DataComplexity>(context.Run.File(StageName.Label, "complexity.json"));
        var facts = forecast.Facts(context.Recipe);
        var values = new List<PlannedValue>();
        var train = Decide(context.Recipe, data, facts, values);
        if (values.Find(v => v is { Key: "train.batch_size", Origin: "user" }) is { } batch && train.BatchSize != context.Recipe.Train.BatchSize) context.Progress.Line($"{batch.Key} is {batch.Value}: {batch.Why}");
        var encoded = data.Pictures + (data.Variants ?? 0); // steps and batch go by different pictures, preparing them by all
        var estimate = forecast.Estimate(facts, train, encoded, context.Recipe.Resources);
        var key = ContentId.Of([facts.Hash, JsonSerializer.Serialize(Essential(train)), .. samples.Select(s => s.Id + s.Split), $"{context.Recipe.Configure.MaxMinutes} {context.Recipe.Resources.Device} {context.Recipe.Resources.Threads}"]);
        var time = FitTime(context, key, train, estimate, values);
        train = train with { Steps = time.Steps };
        CheckMemory(context.Recipe.Resources, train, estimate, smaller => forecast.Estimate(facts, smaller, encoded, context.Recipe.Resources).MemoryMiB);

        var plan = new TrainPlan
        {
            Id = ContentId.Of([facts.Hash, .. samples.Select(s => s.Id), JsonSerializer.Serialize(Essential(train)), .. values.Select(v => $"{v.Key}={v.Value}")]),
            Train = train,
            BasePath = facts.Path,
            BaseHash = facts.Hash,
            Values = values,
            EstimatedMemoryMiB = Math.Round(estimate.MemoryMiB),
            TrainSampleIds = [.. samples.Where(s => s.Split == Split.Train).Select(s => s.Id)],
            ValidationSampleIds = [.. samples.Where(s => s.Split == Split.Validation).Select(s => s.Id)],
        };
        RunDirectory.WriteJson(context.Run.File(StageName.Configure, TimeForecast.FileName), time);
        PlanFile.Write(context.Run.File(StageName.Configure, "plan.yaml"), plan);
        return new(samples.Count, 1, new Dictionary<string, int>(),
            $"rank {train.Rank}, rate {Text(train.LearningRate)}, {train.Steps} steps of {train.BatchSize}×{train.GradientAccumulation} at {train.Resolution} px on {facts.Family}; about {Duration(time.Seconds)} and {estimate.MemoryMiB:F0} MiB");
    }

    // A value that a person set stays; 0 and "auto" are decided here, each with its why.
    private static TrainOptions Decide(Recipe recipe, DataComplexity data, BaseFacts facts, List<PlannedValue> values)
    {
        var policy = TrainPolicies.Named(recipe.Configure.Policy);
        var train = recipe.Train;
        double Choose(string key, double set, Func<Proposal> propose)
        {
            if (set != 0 && !recipe.Configure.AllowOverride.Contains($"train.{key}"))
            {
                values.Add(new($"train.{key}", Text(set), "set in the recipe", "user"));
                return set;
            }
            var proposal = propose();
            values.Add(new($"train.{key}", Text(proposal.Value), proposal.Why, "policy"));
            return proposal.Value;
        }
        var resolution = (int)Choose("resolution", train.Resolution, () => new(facts.Resolution, "the size that the base was trained on"));
        var rank = (int)Choose("rank", train.Rank, () => policy.Rank(data, facts));
        if (rank > facts.SmallestLayer)
            throw new LoraException($"train.rank: rank {rank} exceeds {facts.SmallestLayer}, the smallest side of a layer of the chosen targets in this base. Valid: 1..{facts.SmallestLayer}.", ExitCode.BadUsage);
        var alpha = Choose("alpha", train.Alpha, () => new(rank, "equal to the rank: scale 1, so that the rate means the same at every rank"));
        var rate = Choose("learning_rate", train.LearningRate, () => policy.LearningRate(data, facts, rank));
        var batch = Math.Min((int)Choose("batch_size", train.BatchSize, () => policy.BatchSize(data, facts)), Math.Max(1, data.Pictures));
        if (values[^1] is { Origin: "user" } asked && batch < train.BatchSize)
            values[^1] = asked with { Value = Text(batch), Why = $"set to {asked.Value} in the recipe; only {data.Pictures} training picture{(data.Pictures == 1 ? "" : "s")}" };
        var steps = (int)Choose("steps", train.Steps, () => policy.Steps(data, facts, batch * train.GradientAccumulation));
        values.Add(new("train.targets", train.Targets, train.Targets == "all" ? "a new style needs convolutions too, not attention alone" : "set in the recipe", "user"));
        values.Add(new("base.prediction", facts.Prediction, recipe.Base.Prediction == "auto" ? "read from the base's scheduler configuration" : "set in the recipe", recipe.Base.Prediction == "auto" ? "data" : "user"));
        return train with { Resolution = resolution, Rank = rank, Alpha = alpha, LearningRate = rate, BatchSize = batch, Steps = steps };
    }

    // Options that the adapter depends on: neither a checkpoint nor a picture drawn on the way changes it.
    private static TrainOptions Essential(TrainOptions train) => train with { SampleEvery = 0, CheckpointEvery = 0 };

    // A plan that would take too long gets fewer steps, unless a person set them: then it is refused. What was decided once for the same plan
    // stays, however fast the machine is today: another number of steps would cost the adapter or the checkpoint.
    private static TimeForecast FitTime(StageContext context, string key, TrainOptions train, Forecast estimate, List<PlannedValue> values)
    {
        TimeForecast Of(int steps, string? cut) => new()
        {
            Key = key, Steps = steps, Cut = cut, Seconds = Math.Round(estimate.PrepareSeconds + estimate.SecondsPerStep * steps, 1),
            SecondsPerStep = Math.Round(estimate.SecondsPerStep, 4), PrepareSeconds = Math.Round(estimate.PrepareSeconds, 1),
        };
        var allowed = context.Recipe.Configure.MaxMinutes * 60;
        var needed = estimate.PrepareSeconds + estimate.SecondsPerStep * train.Steps;
        var kept = Known(context.Run.File(StageName.Configure, TimeForecast.FileName)) is { } known && known.Key == key ? known : null;
        if (kept is { Cut: null } || kept is null && needed <= allowed) return Of(train.Steps, null);
        var fits = (int)Math.Floor((allowed - estimate.PrepareSeconds) / estimate.SecondsPerStep);
        var decided = values.FindIndex(v => v is { Key: "train.steps", Origin: "policy" });
        if (decided >= 0 && kept is { Cut: { } before }) return Cut(kept.Steps, before);
        if (decided < 0 || fits < 1)
            throw new LoraException($"Training would take about {Duration(needed)}, more than configure.max_minutes = {Text(allowed / 60)}. Raise it, or set train.steps to {Math.Max(1, fits)} or fewer.", ExitCode.BadUsage);
        return Cut(fits, $"; cut from {train.Steps} to fit {Text(allowed / 60)} minutes at {estimate.SecondsPerStep:F2} s a step");

        TimeForecast Cut(int steps, string why)
        {
            values[decided] = values[decided] with { Value = Text(steps), Why = values[decided].Why + why };
            return Of(steps, why);
        }
    }

    private static TimeForecast? Known(string path)
    {
        try
        {
            return File.Exists(path) ? RunDirectory.ReadJson<TimeForecast>(path) : null;
        }
        catch (LoraException)
        {
            return null; // damaged: decided anew
        }
    }

    private static void CheckMemory(ResourceOptions resources, TrainOptions train, Forecast estimate, Func<TrainOptions, double> needs)
    {
        var there = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (1024.0 * 1024);
        var capped = resources.MemoryMiB > 0 && resources.MemoryMiB < there;
        var limit = capped ? resources.MemoryMiB : there;
        if (estimate.MemoryMiB <= limit) return;
        var smaller = Smaller(train).ToList();
        var fits = smaller.Find(s => needs(s.Train) <= limit);
        var change = fits.Change is not null ? $"{fits.Change} needs about {needs(fits.Train):F0} MiB"
            : $"{(smaller.Count > 0 ? $"not even {smaller[^1].Change} would fit, at about {needs(smaller[^1].Train):F0} MiB: " : "")}lower train.resolution or train.rank, {(capped ? "raise resources.memory_mib" : "use a machine with more memory")}, or take a smaller base";
        throw new LoraException($"Training needs about {estimate.MemoryMiB:F0} MiB and {(capped ? "resources.memory_mib allows" : "the machine has")} {limit:F0}; {change}.", ExitCode.BadUsage);
    }

    // Cheapest change first: the same pictures a step in smaller batches cost nothing but calls, checkpointing a third more time.
    private static IEnumerable<(TrainOptions Train, string Change)> Smaller(TrainOptions train)
    {
        foreach (var checkpointing in train.GradientCheckpointing ? new[] { true } : [false, true])
        {
            if (checkpointing && !train.GradientCheckpointing) yield return (train with { GradientCheckpointing = true }, "train.gradient_checkpointing: true");
            for (var batch = train.BatchSize / 2; batch > 0; batch /= 2)
            {
                var accumulation = train.GradientAccumulation * (int)Math.Ceiling((double)train.BatchSize / batch);
                yield return (train with { BatchSize = batch, GradientAccumulation = accumulation, GradientCheckpointing = checkpointing },
                    $"train.batch_size: {batch} with train.gradient_accumulation: {accumulation}{(checkpointing ? " and train.gradient_checkpointing: true" : "")}");
            }
        }
    }

    private static string Text(double value) => value.ToString("0.##########", CultureInfo.InvariantCulture);

    private static string Duration(double seconds) => seconds < 120 ? $"{seconds:F0} s" : $"{seconds / 60:F1} min";
}
