using System.Globalization;
using System.Text.Json;
using LoraFactory.Flow;
using LoraFactory.Models.Weights;
using LoraFactory.Torch;
using LoraFactory.Torch.Optim;

namespace LoraFactory.Stages.Train.Pretraining;

/// <summary>What a finished run tells.</summary>
/// <param name="Steps">Optimizer steps in all.</param>
/// <param name="Loss">Mean loss of the last twentieth of the steps.</param>
/// <param name="Seconds">Seconds of this process; a resumed run counts what was left.</param>
/// <param name="Metrics">Findings of the exam.</param>
public sealed record PretrainingResult(int Steps, double Loss, double Seconds, IReadOnlyList<Metric> Metrics);

/// <summary>
/// Trains a model with nothing frozen on drawn scenes: AdamW, cosine with warm-up, clipping, a checkpoint every so many steps. Killed at
/// any moment and started again it goes on from the last checkpoint and ends in the same bytes. A step whose loss or gradient is not
/// finite changes nothing; three in a row end the run at its last checkpoint.
/// </summary>
public sealed class PretrainingRun
{
    private const string CheckpointName = "checkpoint.safetensors";
    private const int MostBadSteps = 3;

    private readonly PretrainOptions options;
    private readonly IProgressBoard board;
    private readonly TimeProvider clock;
    private readonly string folder;
    private readonly string training;
    private int bad;

    private PretrainingRun(PretrainOptions options, IProgressBoard board, TimeProvider clock)
    {
        this.options = options with { Base = ModelLocator.Find(options.Base), From = options.From.Length > 0 ? ModelLocator.Find(options.From) : "" };
        this.board = board;
        this.clock = clock;
        folder = Path.GetFullPath(options.Output);
        training = Path.Combine(folder, "training");
    }

    /// <summary>
    /// Trains, writes the model and its card, and returns what the exam found. Throws <see cref="LoraException"/> for what a user can
    /// mend and <see cref="OperationCanceledException"/> when interrupted, after saving a checkpoint.
    /// </summary>
    public static PretrainingResult Run(PretrainOptions options, IProgressBoard board, TimeProvider clock, CancellationToken token)
    {
        var run = new PretrainingRun(options, board, clock);
        return TorchThread.Shared.Run(() =>
        {
            TorchLibrary.FlushDenormals(true);
            try
            {
                return run.OnTensorThread(token);
            }
            finally
            {
                TorchLibrary.FlushDenormals(false);
            }
        });
    }

    private PretrainingResult OnTensorThread(CancellationToken token)
    {
        if (options.Threads > 0) TorchLibrary.Threads = options.Threads;
        using var scope = new Scope();
        TorchLibrary.Seed(options.Seed);
        using var model = Kind(options);
        var (steps, rate) = (Decided(options.Steps, model.Defaults.Steps), options.LearningRate > 0 ? options.LearningRate : model.Defaults.LearningRate);
        var parameters = Parameters(model);
        foreach (var (_, store) in model.Trained) store.RequireGrad(true);
        using var optimizer = new Adam(
        [
            new ParameterGroup([.. parameters.Where(p => p.Value.Dim >= 2)], rate, options.WeightDecay),
            new ParameterGroup([.. parameters.Where(p => p.Value.Dim < 2)], rate),
        ], new AdamOptions { Beta2 = 0.98 });
        Directory.CreateDirectory(training);
        var started = clock.GetTimestamp();
        var first = Resume(parameters, optimizer, steps);
        var losses = Train(model, optimizer, parameters, (first, steps), rate, token);
        foreach (var (_, store) in model.Trained) store.RequireGrad(false);
        model.Export(folder);
        var metrics = options.ExamScenes > 0 ? model.Examine(options.ExamScenes) : [];
        var result = new PretrainingResult(steps, losses.Count > 0 ? losses.TakeLast(Math.Max(1, steps / 20)).Average() : double.NaN, clock.GetElapsedTime(started).TotalSeconds, metrics);
        ModelCard.Write(folder, options, model, model.Trained.Where(t => t.Name != "heads").Sum(t => t.Store.Parameters.Sum(p => p.Count)), result);
        File.Delete(Path.Combine(training, CheckpointName));
        return result;
    }

    /// <summary>The kind of model that the options name.</summary>
    internal static IPretraining Kind(PretrainOptions options) => options.Kind switch
    {
        "clip" => new ClipPretraining(options),
        "captioner" => new CaptionerPretraining(options),
        "sd" => new DiffusionPretraining(options),
        "vae" => new VaePretraining(options),
        "text" => new TextPretraining(options),
        _ => throw new LoraException($"\"{options.Kind}\" cannot be pretrained; there are clip, captioner, sd, vae and text.", ExitCode.BadUsage),
    };

    internal static int Decided(int given, int otherwise) => given > 0 ? given : otherwise;

    private static List<Trainable> Parameters(IPretraining model) =>
        [.. model.Trained.SelectMany(t => t.Store.Parameters.Select(p => new Trainable(t.Name.Length == 0 ? p.Name : $"{t.Name}.{p.Name}", p.Value)))];

    private List<double> Train(IPretraining model, Adam optimizer, List<Trainable> parameters, (int From, int To) steps, double rate, CancellationToken token)
    {
        var losses = new List<double>();
        var schedule = LearningRateSchedule.Cosine(Math.Min(options.WarmupSteps, steps.To / 4), steps.To);
        using var events = Events(steps.From);
        using var bar = board.Begin($"pretrain {options.Kind}", steps.To, "steps");
        bar.Set(steps.From);
        for (var step = steps.From; step < steps.To; step++)
        {
            if (token.IsCancellationRequested)
            {
                Save(parameters, optimizer, step);
                token.ThrowIfCancellationRequested();
            }
            var begun = clock.GetTimestamp();
            // The rate of step 0 would be 0 and move nothing: count from 1.
            foreach (var group in optimizer.Groups) group.LearningRate = schedule.At(step + 1, rate);
            var (loss, norm) = Step(model, optimizer, parameters, step);
            if (double.IsFinite(loss)) losses.Add(loss);
            var seconds = clock.GetElapsedTime(begun).TotalSeconds;
            events.WriteLine(JsonSerializer.Serialize(new { Step = step, Loss = loss, Rate = optimizer.Groups[0].LearningRate, GradNorm = norm, Seconds = seconds, Parts = model.Parts.Count > 0 ? model.Parts : null }, RunDirectory.Json));
            bar.Set(step + 1);
            bar.Note(string.Create(CultureInfo.InvariantCulture, $"loss {losses.TakeLast(20).DefaultIfEmpty(double.NaN).Average():0.0000}"));
            if ((step + 1) % options.CheckpointEvery == 0 || step + 1 == steps.To)
            {
                events.Flush();
                Save(parameters, optimizer, step + 1);
            }
        }
        return losses;
    }

    private (double Loss, double GradNorm) Step(IPretraining model, Adam optimizer, List<Trainable> parameters, int step)
    {
        using var scope = new Scope();
        optimizer.ClearGradients();
        var loss = model.Loss(step);
        var value = loss.Item();
        loss.Backward();
        var gradients = parameters.Select(p => p.Value.Grad()).OfType<Tensor>().ToArray();
        var norm = Ops.Stack(Ops.ForeachNorm(gradients)).LinalgVectorNorm(2.0).Item();
        if (!double.IsFinite(value) || !double.IsFinite(norm))
        {
            if (++bad < MostBadSteps) return (double.NaN, double.NaN);
            throw new LoraException($"The loss was not finite {MostBadSteps} steps in a row (last at step {step}); the checkpoint in {training} is from before. Lower the rate, or begin with another seed.");
        }
        bad = 0;
        if (options.MaxGradNorm > 0 && norm > options.MaxGradNorm) Ops.ForeachMul_(gradients, options.MaxGradNorm / (norm + 1e-6));
        optimizer.Step();
        using (Autograd.NoGrad()) model.AfterStep();
        return (value, norm);
    }

    // ---- checkpoints

    private string Fingerprint => ContentId.Of(JsonSerializer.Serialize(options with { CheckpointEvery = 1, Threads = 0, ExamScenes = 0, Output = "" }, RunDirectory.Json));

    private void Save(List<Trainable> parameters, Adam optimizer, int step)
    {
        using var scope = new Scope();
        var weights = parameters.Select(p => p.Value.ToWrite($"weight/{p.Name}")).Concat(optimizer.State.Select(s => s.Value.ToWrite($"state/{s.Key}")));
        SafetensorsWriter.Write(Path.Combine(training, CheckpointName), weights, new Dictionary<string, string>
        {
            ["step"] = step.ToString(CultureInfo.InvariantCulture),
            ["options"] = Fingerprint,
        });
    }

    /// <summary>Loads the checkpoint where there is one; returns the step to go on with.</summary>
    private int Resume(List<Trainable> parameters, Adam optimizer, int steps)
    {
        var path = Path.Combine(training, CheckpointName);
        if (!File.Exists(path)) return 0;
        using var scope = new Scope();
        using var off = Autograd.NoGrad();
        using var file = WeightSource.Open(path);
        if (!file.Metadata.TryGetValue("options", out var made) || made != Fingerprint)
            throw new LoraException($"{path} was made with other options. Give the same ones to go on with it, or delete {training} to begin anew.");
        foreach (var parameter in parameters) parameter.Value.Copy_(file[$"weight/{parameter.Name}"].ToTensor());
        var step = int.Parse(file.Metadata["step"], CultureInfo.InvariantCulture);
        optimizer.Load(step, file.Names.Where(n => n.StartsWith("state/", StringComparison.Ordinal)).Select(n => KeyValuePair.Create(n["state/".Length..], file[n].ToTensor())));
        board.Line($"going on from step {step} of {steps}");
        return step;
    }

    /// <summary>events.jsonl without the lines from <paramref name="step"/> on, which will be written again.</summary>
    private StreamWriter Events(int step)
    {
        var path = Path.Combine(training, "events.jsonl");
        if (File.Exists(path))
            AtomicFile.WriteText(path, string.Concat(File.ReadLines(path).Take(step).Where(IsWhole).Select(line => line + "\n")));
        return new StreamWriter(path, append: true);

        static bool IsWhole(string line) => line.StartsWith('{') && line.EndsWith('}');
    }
}
