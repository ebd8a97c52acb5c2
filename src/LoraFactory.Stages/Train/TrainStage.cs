using System.Globalization;
using LoraFactory.Flow;
using LoraFactory.Images;
using LoraFactory.Models;
using LoraFactory.Models.Lora;
using LoraFactory.Models.Schedulers;
using LoraFactory.Models.Training;
using LoraFactory.Torch;
using LoraFactory.Torch.Optim;

namespace LoraFactory.Stages.Train;

/// <summary>Stage 5, TrainPlan → Adapter: caches latents and texts, trains, keeps the best state, writes the adapter. See README.md in this folder.</summary>
public sealed class TrainStage : IStage
{
    /// <inheritdoc/>
    public StageName Name => StageName.Train;

    /// <inheritdoc/>
    public IEnumerable<object> Options(Recipe recipe) => [recipe.RandomSeed, recipe.Label.Trigger, recipe.Resources.Device];

    /// <inheritdoc/>
    public IEnumerable<string> Inputs(StageContext context) => [context.Run.File(StageName.Label, "samples.jsonl")];

    /// <inheritdoc/>
    public IEnumerable<KeyValuePair<string, string>> Extracts(StageContext context) => PlanFile.Extract(context.Run);

    /// <inheritdoc/>
    public IEnumerable<MachineFinding> Look(Recipe recipe)
    {
        if (recipe.Resources.Device != "cuda") return [];
        try
        {
            Compute.Use(recipe.Resources.Device, recipe.Resources.Threads);
            return [];
        }
        catch (ModelException e)
        {
            return [MachineFinding.Of("LR203", "resources.device", e)];
        }
    }

    /// <inheritdoc/>
    public async Task<StageOutcome> RunAsync(StageContext context, CancellationToken token)
    {
        try
        {
            return await TorchThread.Shared.RunAsync(() => Run(context, token));
        }
        catch (ModelException e)
        {
            throw new LoraException(e.Message, inner: e);
        }
        catch (TorchException e) when (e.Error == TorchError.OutOfMemory)
        {
            throw new LoraException("Training ran out of memory. Lower train.batch_size (raise train.gradient_accumulation instead), set train.gradient_checkpointing: true, or lower train.resolution, and training begins anew; where more memory is free, the same command goes on from the checkpoint.", inner: e);
        }
    }

    private static StageOutcome Run(StageContext context, CancellationToken token)
    {
        var device = Compute.Use(context.Recipe.Resources.Device, context.Recipe.Resources.Threads);
        var plan = PlanFile.Read(context.Run.File(StageName.Configure, "plan.yaml"));
        plan = plan with { BasePath = DiffusionModel.Locate(plan.BasePath, plan.BaseHash, context.Recipe.Base.Model) };
        var options = plan.Train;
        Check(plan);
        var samples = RunDirectory.ReadLines<Sample>(context.Run.File(StageName.Label, "samples.jsonl")).ToDictionary(s => s.Id, StringComparer.Ordinal);
        var train = Chosen(plan.TrainSampleIds, samples);
        var held = Chosen(plan.ValidationSampleIds, samples);
        if (DiffusionModel.Hash(plan.BasePath) is var hash && plan.BaseHash.Length > 0 && hash != plan.BaseHash)
            throw new LoraException($"The base model {plan.BasePath} has changed since the plan was made; run configure again (lora run RECIPE --from configure).");

        using var scope = new Scope();
        using var model = DiffusionModel.Load(plan.BasePath, device: device, prediction: SchedulerOptions.PredictionNamed(plan.BasePrediction));
        model.UNet.GradientCheckpointing = options.GradientCheckpointing;
        using var data = Prepare(context, plan, hash, model, train, held, token);
        using var adapter = NewAdapter(options, model, context.Seed);
        adapter.To(DType.Float32, device);
        adapter.RequireGrad(true);
        adapter.Attach("unet", model.UNet.Store);
        if (options.TextEncoderLearningRate > 0) adapter.Attach("text_encoder", model.Text.Store);
        using var optimizer = new Adam(Groups(options, adapter));
        var directory = context.Run.Of(StageName.Train);
        var prompts = (held.Count > 0 ? held : train).Select(s => s.Caption).Distinct(StringComparer.Ordinal).Take(4).ToList();
        var drawing = new TrainingSamples(model, prompts, options.Resolution, context.Seed, directory);
        var loop = new TrainingLoop(Trainer(plan, model, optimizer), adapter, data, LoopOptions(plan, context.Seed), directory)
        {
            Accumulation = options.GradientAccumulation,
            Draw = (step, log) => drawing.Draw(step, log),
        };
        using (var bar = context.Progress.Begin("train", options.Steps, "steps")) loop.Run(bar, context.Clock, token);
        drawing.Prove(Path.Combine(directory, "proof.safetensors"));
        return Finish(context, plan, train, adapter, loop.State, Velocity(model), directory);
    }

    private static void Check(TrainPlan plan)
    {
        var o = plan.Train;
        var undecided = o.Rank == 0 ? "rank" : o.LearningRate == 0 && o.TextEncoderLearningRate == 0 ? "learning_rate" : o.Steps == 0 ? "steps" : o.BatchSize == 0 ? "batch_size" : o.Resolution == 0 ? "resolution" : null;
        if (undecided is not null) throw new LoraException($"The plan leaves train.{undecided} at 0; configure decides it. Run configure again (lora run RECIPE --from configure).");
        if (plan.TrainSampleIds.Count == 0) throw new LoraException("The plan has no samples to train on; see why clean dropped them in 2-clean/dropped.jsonl.");
    }

    private static List<Sample> Chosen(IReadOnlyList<string> ids, Dictionary<string, Sample> samples) => [.. ids.Select(id => samples.TryGetValue(id, out var sample) ? sample
        : throw new LoraException($"The plan names sample {id}, which 3-label/samples.jsonl does not have; run configure again (lora run RECIPE --from configure)."))];

    private static TrainingData Prepare(StageContext context, TrainPlan plan, string hash, DiffusionModel model, List<Sample> train, List<Sample> held, CancellationToken token)
    {
        var o = plan.Train;
        if (o.Resolution % (model.Vae.Config.Factor << (model.UNet.Config.Channels.Length - 1)) is var rest and not 0)
            throw new LoraException($"train.resolution {o.Resolution} does not divide by {model.Vae.Config.Factor << (model.UNet.Config.Channels.Length - 1)}, which this base needs; use {o.Resolution - rest}.");
        var drawing = new TrainingDrawing
        {
            BatchSize = o.BatchSize, Accumulation = o.GradientAccumulation, Seed = context.Seed, CaptionDropout = o.CaptionDropout,
            NoiseOffset = o.NoiseOffset, Flip = o.Flip, Crop = Enum.Parse<PictureCrop>(o.Crop, ignoreCase: true), TrainText = o.TextEncoderLearningRate > 0,
        };
        using var bar = context.Progress.Begin("encode", train.Count + held.Count, "pictures");
        using var pictures = new RunPictures(context.Run, token);
        // The middle is cut where the picture is decoded; what looks for the interesting part sees it whole.
        PictureSquare? square = drawing.Crop == PictureCrop.Centre ? new(o.Resolution, Resampling.Lanczos) : null;
        var data = TrainingData.Prepare(model, hash, train, held, sample => pictures.Square(sample, square), o.Resolution, CacheOf(context.Run), drawing, done => bar.Set(done), token);
        bar.Note($"{data.Found} from the cache");
        return data;
    }

    /// <summary>Latents and text states of all runs beside a run: a hidden directory among them.</summary>
    public static string CacheOf(RunDirectory run) => Path.Combine(Path.GetDirectoryName(run.Path)!, ".cache", "train");

    private static LoraAdapter NewAdapter(TrainOptions o, DiffusionModel model, long seed)
    {
        var alpha = o.Alpha > 0 ? o.Alpha : o.Rank;
        var spec = new LoraSpec
        {
            Targets = LoraTargets.Named(o.Targets), Rank = o.Rank, Alpha = alpha, ConvRank = o.ConvRank,
            // the same scale alpha / rank for every module
            ConvAlpha = o.ConvRank > 0 ? alpha * o.ConvRank / o.Rank : null,
        };
        var targets = new List<LoraTarget> { new("unet", model.UNet.Store, spec) };
        if (o.TextEncoderLearningRate > 0) targets.Add(new("text_encoder", model.Text.Store, spec with { Targets = LoraTargets.AttentionAndFeedForward }));
        return LoraAdapter.Create(targets, seed);
    }

    private static List<ParameterGroup> Groups(TrainOptions o, LoraAdapter adapter)
    {
        ParameterGroup Group(string component, double rate) => new([.. TrainingCheckpoint.Named(adapter, component).Select(t => new Trainable(t.Name, t.Tensor))], rate, o.WeightDecay);
        var groups = new List<ParameterGroup> { Group("unet", o.LearningRate) };
        if (o.TextEncoderLearningRate > 0) groups.Add(Group("text_encoder", o.TextEncoderLearningRate));
        return groups;
    }

    private static bool Velocity(DiffusionModel model) => model.Scheduler.Prediction == Prediction.Velocity;

    private static DiffusionTrainer Trainer(TrainPlan plan, DiffusionModel model, Optimizer optimizer) => new(model.UNet,
        new(model.Noise, new() { Prediction = Velocity(model) ? Prediction.Velocity : Prediction.Epsilon, MinSnrGamma = plan.Train.MinSnrGamma }), optimizer)
    {
        MaxGradNorm = plan.Train.MaxGradNorm,
        Precision = Precision(plan),
        EncodeText = model.Encode,
        Parts = Parts(plan, model),
    };

    // a function of plan and base, not of the processors that are there
    private static int Parts(TrainPlan plan, DiffusionModel model)
    {
        long side = plan.Train.Resolution / model.Vae.Config.Factor;
        return plan.Train.GradientCheckpointing || Precision(plan) != DType.Float32 ? 1 : UNetParts.Of(model.UNet, plan.Train.BatchSize, side * side);
    }

    private static DType Precision(TrainPlan plan) => plan.Train.Precision == "bfloat16" ? DType.BFloat16 : DType.Float32;

    private static TrainingLoopOptions LoopOptions(TrainPlan plan, long seed) => new()
    {
        PlanId = plan.Id,
        Seed = seed,
        Steps = plan.Train.Steps,
        Schedule = plan.Train.Schedule == "cosine" ? LearningRateSchedule.Cosine(plan.Train.WarmupSteps, plan.Train.Steps) : LearningRateSchedule.Constant(plan.Train.WarmupSteps),
        Rates = plan.Train.TextEncoderLearningRate > 0 ? [plan.Train.LearningRate, plan.Train.TextEncoderLearningRate] : [plan.Train.LearningRate],
        CheckpointEvery = plan.Train.CheckpointEvery,
        ValidateEvery = plan.ValidationSampleIds.Count > 0 ? plan.Train.ValidateEvery : 0,
        Patience = plan.Train.Patience,
        SampleEvery = plan.Train.SampleEvery,
    };

    private static StageOutcome Finish(StageContext context, TrainPlan plan, List<Sample> train, LoraAdapter adapter, TrainingState state, bool velocity, string directory)
    {
        adapter.RequireGrad(false);
        TrainingCheckpoint.CheckFinite(adapter);
        var path = Path.Combine(directory, "adapter.safetensors");
        var trained = new AdapterSteps((int)state.Step, state.BestStep > 0 ? (int)state.BestStep : null);
        LoraWriter.Write(adapter, path, new() { Metadata = LoraMetadata.Of(Facts(context, plan, train, trained) with { VPrediction = velocity }) });
        var events = TrainingLog.Read(Path.Combine(directory, "events.jsonl"));
        var steps = events.Where(e => e.Event == "step" && e.Skipped != true).ToList();
        var tail = steps.TakeLast(Math.Max(1, steps.Count / 10)).Select(e => e.Loss!.Value).ToList();
        var sha = ContentId.OfFile(path);
        RunDirectory.WriteJson(Path.Combine(directory, "loss.json"), LossCurve.Of(events));
        RunDirectory.WriteJson(Path.Combine(directory, "adapter.json"), new Adapter
        {
            Id = sha[..16],
            PlanId = plan.Id,
            Path = Path.GetRelativePath(context.Run.Path, path),
            Sha256 = sha,
            Steps = trained.Taken,
            BestStep = trained.Best,
            FinalLoss = tail.Count > 0 ? tail.Average() : double.NaN,
            ValidationLoss = state.BestLoss,
            Seconds = Math.Round(state.Seconds, 3),
            PeakMemoryMiB = ProcessMemory.PeakMiB,
        });
        var forecast = context.Run.File(StageName.Configure, TimeForecast.FileName); // a plan from elsewhere comes without
        var planned = File.Exists(forecast) ? $", planned {RunDirectory.ReadJson<TimeForecast>(forecast).Seconds:F0} s" : "";
        var stopped = state.Stopped ? ", stopped early" : "";
        var skipped = state.Skipped > 0 ? $", {state.Skipped} steps skipped" : "";
        return new(train.Count, 1, new Dictionary<string, int>(), string.Create(CultureInfo.InvariantCulture,
            $"{state.Step} steps in {state.Seconds:F0} s ({state.Step / state.Seconds:F2}/s{planned}), loss {(tail.Count > 0 ? tail.Average() : double.NaN):F4}{(double.IsNaN(state.BestLoss) ? "" : $", validation {state.BestLoss:F4}: the adapter holds {trained}")}{stopped}{skipped}, {ProcessMemory.PeakMiB:F0} MiB (planned {plan.EstimatedMemoryMiB:F0})"));
    }

    // No times in here: the same plan and seed give the same bytes.
    private static LoraFacts Facts(StageContext context, TrainPlan plan, List<Sample> train, AdapterSteps trained) => new()
    {
        Name = context.Recipe.Name,
        Rank = plan.Train.Rank,
        Alpha = Alpha(plan.Train),
        Conv = plan.Train.Targets != "all" ? null : plan.Train.ConvRank > 0 ? (plan.Train.ConvRank, Alpha(plan.Train) * plan.Train.ConvRank / plan.Train.Rank) : (plan.Train.Rank, Alpha(plan.Train)),
        Resolution = (plan.Train.Resolution, plan.Train.Resolution),
        Seed = context.Seed,
        Steps = trained.Held,
        MaximumSteps = plan.Train.Steps,
        BatchSize = plan.Train.BatchSize * plan.Train.GradientAccumulation,
        Epochs = Epochs(plan.Train, trained.Held, train),
        MaximumEpochs = Epochs(plan.Train, plan.Train.Steps, train),
        UNetRate = plan.Train.LearningRate,
        TextEncoderRate = plan.Train.TextEncoderLearningRate,
        Schedule = plan.Train.Schedule,
        WarmUp = plan.Train.WarmupSteps,
        MaximumGradientNorm = plan.Train.MaxGradNorm,
        MinSnrGamma = plan.Train.MinSnrGamma > 0 ? plan.Train.MinSnrGamma : null,
        NoiseOffset = plan.Train.NoiseOffset > 0 ? plan.Train.NoiseOffset : null,
        Pictures = train.Sum(s => s.Repeats),
        Tags = train.Where(s => s.Variant is null).SelectMany(s => s.Tags).GroupBy(t => t, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Count(), StringComparer.Ordinal),
        Trigger = context.Recipe.Label.Trigger,
        BaseModel = Path.GetFileName(plan.BasePath.TrimEnd(Path.DirectorySeparatorChar)),
        MixedPrecision = plan.Train.Precision switch { "bfloat16" => "bf16", _ => "no" },
    };

    private static double Alpha(TrainOptions train) => train.Alpha > 0 ? train.Alpha : train.Rank;

    private static int Epochs(TrainOptions train, int steps, List<Sample> samples) =>
        (int)Math.Ceiling((double)steps * train.BatchSize * train.GradientAccumulation / Math.Max(1, samples.Sum(s => s.Repeats)));
}
