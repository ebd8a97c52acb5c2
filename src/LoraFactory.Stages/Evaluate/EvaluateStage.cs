using System.Globalization;
using System.Text.Json;
using LoraFactory.Flow;
using LoraFactory.Images;
using LoraFactory.Models;
using LoraFactory.Models.Lora;
using LoraFactory.Models.Pipelines;
using LoraFactory.Models.Schedulers;
using LoraFactory.Models.Scoring;
using LoraFactory.Models.Training;
using LoraFactory.Models.Weights;
using LoraFactory.Torch;

namespace LoraFactory.Stages.Evaluate;

/// <summary>Stage 6, Adapter → Report: adapter against base on the same seeds, measured, judged and shown. See README.md in this folder.</summary>
public sealed class EvaluateStage : IStage
{
    /// <inheritdoc/>
    public StageName Name => StageName.Evaluate;

    /// <inheritdoc/>
    public IEnumerable<object> Options(Recipe recipe) => [recipe.Evaluate, recipe.Base, recipe.Label.Trigger];

    /// <inheritdoc/>
    public IEnumerable<string> Inputs(StageContext context) =>
        [context.Run.File(StageName.Train, "adapter.safetensors"), context.Run.File(StageName.Label, "samples.jsonl"), .. ModelLocator.Files(context.Recipe.Base.Clip)];

    /// <inheritdoc/>
    public IEnumerable<KeyValuePair<string, string>> Extracts(StageContext context) => PlanFile.Extract(context.Run);

    /// <inheritdoc/>
    public Task<StageOutcome> RunAsync(StageContext context, CancellationToken token) => Task.Run(() => Run(context, token), token);

    private static StageOutcome Run(StageContext context, CancellationToken token)
    {
        var (run, recipe) = (context.Run, context.Recipe);
        var device = Compute.Use(recipe.Resources.Device, recipe.Resources.Threads);
        var plan = PlanFile.Read(run.File(StageName.Configure, "plan.yaml"));
        plan = plan with { BasePath = DiffusionModel.Locate(plan.BasePath, plan.BaseHash, recipe.Base.Model) };
        var adapter = RunDirectory.ReadJson<Adapter>(run.File(StageName.Train, "adapter.json"));
        var all = RunDirectory.ReadLines<Sample>(run.File(StageName.Label, "samples.jsonl")).ToList();
        var samples = all.Where(s => s.Variant is null).ToList();
        var prompts = Prompts(recipe, samples);

        var drawn = Draw(context, plan, device, prompts, token);
        using var clip = ClipScorer.Load(ModelLocator.Find(recipe.Base.Clip), device);
        var set = Embed(context, clip, prompts, drawn, all, token);
        var (metrics, passed, verdict) = Metrics.Judge(set);
        var report = new Report(ContentId.Of([adapter.Id, .. metrics.Select(m => $"{m.Name}={m.Value:R}")]), adapter.Id, passed, verdict, [.. metrics, drawn.Speed])
        {
            Advice = GateAdvice.Of(metrics, plan, adapter.Trained, samples.Count(s => s.Split == Split.Train)),
            Steps = adapter.Trained,
        };

        var grid = PictureWriter.Png(Grid(prompts, drawn));
        AtomicFile.Write(run.File(StageName.Evaluate, "grid.png"), stream => stream.Write(grid));
        var page = ReportPage.Html(Content(context, plan, adapter, report, all, grid));
        AtomicFile.WriteText(run.File(StageName.Evaluate, "report.html"), page);
        RunDirectory.WriteJson(run.File(StageName.Evaluate, "report.json"), report);
        foreach (var sentence in report.Advice) context.Progress.Line($"  → {sentence}");
        return new(1, 1, new Dictionary<string, int>(), $"{verdict} See 6-evaluate/report.html");
    }

    // The recipe's prompts; without them, what the held-out pictures show. Then those of evaluate.also.
    private static List<string> Prompts(Recipe recipe, List<Sample> samples)
    {
        var first = recipe.Evaluate.Prompts.Count > 0 ? recipe.Evaluate.Prompts : [.. samples.OrderByDescending(s => s.Split).Select(s => s.Caption).Distinct(StringComparer.Ordinal).Take(8)];
        return [.. first.Concat(recipe.Evaluate.Also).Select(p => p.Replace("{trigger}", recipe.Label.Trigger, StringComparison.Ordinal)).Distinct(StringComparer.Ordinal)];
    }

    private sealed record Drawn(List<Picture> Base, List<Picture> Adapter, Metric Speed);

    private static Drawn Draw(StageContext context, TrainPlan plan, Device device, List<string> prompts, CancellationToken token)
    {
        var options = context.Recipe.Evaluate;
        using var pipeline = StableDiffusionPipeline.Load(plan.BasePath, new() { Device = device, Prediction = SchedulerOptions.PredictionNamed(plan.BasePrediction) });
        using var adapter = TorchThread.Shared.Run(() =>
        {
            var read = LoraFile.Read(context.Run.File(StageName.Train, "adapter.safetensors"));
            read.To(DType.Float32, device);
            return read;
        });
        adapter.Strength = options.Strength;
        var perBatch = Math.Max(1, 8 / options.SeedsPerPrompt);
        var seconds = new List<double>();
        using var bar = context.Progress.Begin("draw", 2L * prompts.Count * options.SeedsPerPrompt, "pictures");
        List<Picture> All()
        {
            var pictures = new List<Picture>();
            foreach (var batch in prompts.Chunk(perBatch))
            {
                var started = context.Clock.GetTimestamp();
                var first = context.Seed + pictures.Count;
                pictures.AddRange(pipeline.Generate(new GenerationRequest
                {
                    Prompts = batch,
                    PicturesPerPrompt = options.SeedsPerPrompt,
                    Width = plan.Train.Resolution,
                    Height = plan.Train.Resolution,
                    Steps = options.SamplerSteps,
                    Guidance = options.Guidance,
                    Seeds = [.. Enumerable.Range(0, batch.Length * options.SeedsPerPrompt).Select(i => first + i)],
                    Cancellation = token,
                }));
                seconds.Add(context.Clock.GetElapsedTime(started).TotalSeconds / (batch.Length * options.SeedsPerPrompt));
                bar.Advance(batch.Length * options.SeedsPerPrompt);
            }
            return pictures;
        }
        var without = All();
        var plain = seconds.Average();
        seconds.Clear();
        TorchThread.Shared.Run(() =>
        {
            foreach (var (component, store) in pipeline.Components) adapter.Attach(component, store);
        });
        var with = All();
        TorchThread.Shared.Run(adapter.Detach);
        var mean = Intervals.Mean(seconds);
        var speed = new Metric("seconds_per_picture", mean.Value, mean.Low, mean.High, mean.N, null, null,
            string.Create(CultureInfo.InvariantCulture, $"with the adapter, {options.SamplerSteps} steps at {plan.Train.Resolution} px, over {mean.N} batches; base alone {plain:F2}"));
        return new(without, with, speed);
    }

    private static EvaluationSet Embed(StageContext context, ClipScorer clip, List<string> prompts, Drawn drawn, List<Sample> all, CancellationToken token)
    {
        var samples = all.Where(s => s.Variant is null).ToList();
        var place = samples.Where(s => s.Split == Split.Train).Select((s, i) => (s.Id, i)).ToDictionary(s => s.Id, s => s.i, StringComparer.Ordinal);
        var forms = all.Where(s => s.Variant?.File is not null).ToList(); // another caption is no other picture
        using var pictures = new RunPictures(context.Run, token);
        float[][] Vectors(Split split) => clip.Embed(samples.Where(s => s.Split == split).Select(s => pictures.Square(s, clip.Square)), token: token);
        float[][] Captions(Split split) => clip.Embed([.. samples.Where(s => s.Split == split).Select(s => s.Caption)]);
        return new()
        {
            Prompts = clip.Embed(prompts),
            PerPrompt = context.Recipe.Evaluate.SeedsPerPrompt,
            Base = clip.Embed(drawn.Base, token: token),
            Adapter = clip.Embed(drawn.Adapter, token: token),
            HeldOut = Vectors(Split.Validation),
            Trained = Vectors(Split.Train),
            TrainedVariants = [.. forms.Select(s => place[s.Variant!.Source]).Zip(clip.Embed(forms.Select(s => pictures.Square(s, clip.Square)), token: token))],
            HeldOutCaptions = Captions(Split.Validation),
            TrainedCaptions = Captions(Split.Train),
        };
    }

    // Two rows a line: the base's pictures above, the adapter's below, one column a picture.
    private static Picture Grid(List<string> prompts, Drawn drawn)
    {
        const int Columns = 8;
        var perPrompt = drawn.Base.Count / prompts.Count;
        var cells = new List<GridCell>();
        for (var start = 0; start < drawn.Base.Count; start += Columns)
        {
            var line = Enumerable.Range(start, Math.Min(Columns, drawn.Base.Count - start)).ToList();
            cells.AddRange(line.Select(i => new GridCell(drawn.Base[i], i % perPrompt == 0 ? "base: " + prompts[i / perPrompt] : "base")));
            cells.AddRange(line.Select(i => new GridCell(drawn.Adapter[i], i % perPrompt == 0 ? "adapter: " + prompts[i / perPrompt] : "adapter")));
        }
        return PictureGrid.Compose(cells, Math.Min(Columns, drawn.Base.Count), 128);
    }

    private static ReportContent Content(StageContext context, TrainPlan plan, Adapter adapter, Report report, List<Sample> all, byte[] grid)
    {
        var samples = all.Where(s => s.Variant is null).ToList();
        var run = context.Run;
        var trained = samples.Where(s => s.Split == Split.Train).ToList();
        using var pictures = new RunPictures(run, CancellationToken.None);
        var shown = trained.Take(24).Select(s => new GridCell(pictures.Read(s), s.Caption)).ToList();
        var losses = new List<(int, double)>();
        var validation = new List<(int, double)>();
        var events = run.File(StageName.Train, "events.jsonl");
        foreach (var line in File.Exists(events) ? File.ReadLines(events) : [])
        {
            using var json = JsonDocument.Parse(line);
            if (!json.RootElement.TryGetProperty("event", out var kind) || Number(json.RootElement, "loss") is not { } loss) continue;
            var step = (int)(Number(json.RootElement, "step") ?? 0);
            if (kind.GetString() == "step") losses.Add((step, loss));
            if (kind.GetString() == "validation") validation.Add((step, loss));
        }
        var records = run.File(StageName.Clean, "records.jsonl");
        var pages = File.Exists(records) ? RunDirectory.ReadLines<Flow.Record>(records).Select(r => r.PageUrl).Where(u => u.Length > 0).Distinct(StringComparer.Ordinal).Count() : 0;
        return new()
        {
            Title = context.Recipe.Name,
            Report = report,
            Grid = grid,
            TrainingPictures = PictureWriter.Png(PictureGrid.Compose(shown, Math.Min(8, shown.Count), 128)),
            Variants = all.Count > samples.Count && run.PathOf(StageName.Label, "variants.png") is var sheet && File.Exists(sheet) ? File.ReadAllBytes(sheet) : null,
            Loss = losses,
            Validation = validation,
            Data =
            [
                ("pictures", $"{trained.Count} trained on, {samples.Count - trained.Count} held out, {samples.Select(s => s.Cluster).Distinct().Count()} clusters"),
                .. all.Count > samples.Count ? [("variants", $"{VariantCounts.Of(all)}, each trained on beside its source and none of a held-out picture")] : Array.Empty<(string, string)>(),
                ("captions", string.Join(", ", samples.GroupBy(s => s.CaptionSource, StringComparer.Ordinal).Select(g => $"{g.Count()} from {g.Key}"))),
                ("mean picture–text cosine", samples.Average(s => s.TextImageScore).ToString("F3")),
            ],
            Plan = plan.Values,
            Lineage =
            [
                ("report", report.Id), ("adapter", $"{adapter.Id}, {adapter.Trained}, SHA-256 {adapter.Sha256}"), ("plan", plan.Id), ("base", $"{context.Recipe.Base.Model} (SHA-256 {plan.BaseHash})"),
                ("samples", $"{samples.Count} in 3-label/samples.jsonl"), ("pages", $"{pages}; lora lineage {KeptPath.Of(run.Path, KeptPath.ProjectOf(run.Path), run.Path)} names them"),
            ],
        };
    }

    private static double? Number(JsonElement item, string key) =>
        item.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble() : null;
}
