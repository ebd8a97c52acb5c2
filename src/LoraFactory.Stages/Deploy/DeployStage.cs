using System.Text;
using LoraFactory.Flow;
using LoraFactory.Models;
using LoraFactory.Models.Lora;
using LoraFactory.Models.Pipelines;
using LoraFactory.Models.Schedulers;
using LoraFactory.Models.Scoring;
using LoraFactory.Models.Training;
using LoraFactory.Models.Weights;
using LoraFactory.Torch;

namespace LoraFactory.Stages.Deploy;

/// <summary>Stage 7, Report → Endpoint: certificate, bundle, card, and a place in the version store. See README.md in this folder.</summary>
public sealed class DeployStage : IStage
{
    // What the base is asked for without the trigger, to see whether it still obeys; far from any one data set.
    private static readonly string[] Far =
    [
        "a red car at sunset", "a yellow star at night", "a green tree in the snow", "two purple fish by the sea", "a white house in a green field",
        "three brown cups on a plain background", "a pink flower in the desert", "an orange cat at night", "a blue bird in the snow", "two grey keys at sunset",
    ];

    /// <inheritdoc/>
    public StageName Name => StageName.Deploy;

    /// <inheritdoc/>
    public IEnumerable<object> Options(Recipe recipe) => [recipe.Deploy, recipe.Name, recipe.Base, recipe.Label.Trigger, recipe.Evaluate.Strength];

    /// <inheritdoc/>
    public IEnumerable<MachineFinding> Look(Recipe recipe) => new AdapterStore(recipe.Deploy.Store).WriteFault() is { } fault ? [new("LR208", "deploy.store", fault)] : [];

    /// <inheritdoc/>
    public IEnumerable<string> Inputs(StageContext context) =>
    [
        context.Run.File(StageName.Train, "adapter.safetensors"), context.Run.File(StageName.Train, "proof.safetensors"),
        context.Run.File(StageName.Evaluate, "report.json"), context.Run.File(StageName.Evaluate, "grid.png"),
        context.Run.File(StageName.Label, "samples.jsonl"), context.Run.File(StageName.Clean, "records.jsonl"), .. ModelLocator.Files(context.Recipe.Base.Clip),
    ];

    /// <inheritdoc/>
    public IEnumerable<KeyValuePair<string, string>> Extracts(StageContext context) => PlanFile.Extract(context.Run);

    /// <inheritdoc/>
    public bool Stands(StageContext context)
    {
        var endpoint = EndpointFile.Read(context.Run);
        var store = new AdapterStore(context.Recipe.Deploy.Store);
        return store.Versions(endpoint.AdapterName).Any(v => v.Version == endpoint.Version && Directory.Exists(store.Bundle(v)));
    }

    /// <inheritdoc/>
    public Task<StageOutcome> RunAsync(StageContext context, CancellationToken token) => Task.Run(() => Run(context, token), token);

    private static StageOutcome Run(StageContext context, CancellationToken token)
    {
        var (run, recipe) = (context.Run, context.Recipe);
        var device = Compute.Use(recipe.Resources.Device, recipe.Resources.Threads);
        var plan = PlanFile.Read(run.File(StageName.Configure, "plan.yaml"));
        plan = plan with { BasePath = DiffusionModel.Locate(plan.BasePath, plan.BaseHash, recipe.Base.Model) };
        var adapter = RunDirectory.ReadJson<Adapter>(run.File(StageName.Train, "adapter.json"));
        var report = RunDirectory.ReadJson<Report>(run.File(StageName.Evaluate, "report.json"));
        var file = run.File(StageName.Train, "adapter.safetensors");
        using var bar = context.Progress.Begin("deploy", 4, "steps");

        var certificate = Certify(context, plan, device, file, token);
        token.ThrowIfCancellationRequested();
        bar.Set(1);
        var bundle = run.File(StageName.Deploy, "bundle");
        WriteBundle(context, plan, adapter, report, certificate, file, bundle);
        bar.Set(2);

        var (state, why) = !certificate.Granted ? ("refused", certificate.Summary)
            : recipe.Deploy.RequirePassed && !report.Passed ? ("candidate", report.Verdict) : ("champion", $"{certificate.Summary}; {report.Verdict}");
        var behind = Retraining.Behind(run, StageName.Train);
        var store = new AdapterStore(recipe.Deploy.Store);
        var stored = store.Add(new()
        {
            Name = recipe.Name,
            Version = 0,
            State = state,
            Sha256 = adapter.Sha256,
            AdapterId = adapter.Id,
            ReportId = report.Id,
            Base = recipe.Base.Model,
            Run = run.Path,
            Parent = behind?.Parent,
            Decision = behind?.Decision,
            Why = why,
            StoredAt = context.Clock.GetUtcNow(),
        }, bundle);
        bar.Set(3);
        var endpoint = new Endpoint(ContentId.Of(report.Id, adapter.Sha256, stored.State), report.Id, stored.Name, stored.Version, stored.State, Path.Combine(store.Bundle(stored), Certificate.FileName), store.Bundle(stored));
        EndpointFile.Write(run, endpoint);
        bar.Set(4);
        var refused = stored.State == "refused";
        return new(1, refused ? 0 : 1, refused ? new Dictionary<string, int> { [certificate.Fault] = 1 } : new Dictionary<string, int>(),
            $"{stored.Name} version {stored.Version} is {stored.State}: {stored.Why}{Next(recipe, stored)}");
    }

    /// <summary>What to do with a version in its state, to be put behind the sentence on it; empty where its line says that already.</summary>
    internal static string Next(Recipe recipe, StoredAdapter stored) => stored.State switch
    {
        "champion" => $" Serve it with: {new ServeCall(recipe, recipe.Deploy.Port)}",
        "retired" => $". lora adapters rollback {stored.Name} --version {stored.Version}{new AdapterStore(recipe.Deploy.Store).Option} brings it back",
        _ => "",
    };

    private static Certificate Certify(StageContext context, TrainPlan plan, Device device, string file, CancellationToken token)
    {
        using var pipeline = StableDiffusionPipeline.Load(plan.BasePath, new() { Device = device, Prediction = SchedulerOptions.PredictionNamed(plan.BasePrediction) });
        using var clip = ClipScorer.Load(ModelLocator.Find(context.Recipe.Base.Clip), device);
        var proof = context.Run.File(StageName.Train, "proof.safetensors");
        return new Certification(pipeline, clip).Examine(file, plan.BaseHash, context.Recipe.Label.Trigger, File.Exists(proof) ? proof : null, Far, plan.Train.Resolution, context.Recipe.Evaluate.Strength, token);
    }

    private static void WriteBundle(StageContext context, TrainPlan plan, Adapter adapter, Report report, Certificate certificate, string file, string bundle)
    {
        if (Directory.Exists(bundle)) Directory.Delete(bundle, recursive: true);
        Directory.CreateDirectory(bundle);
        File.Copy(file, Path.Combine(bundle, "adapter.safetensors"));
        if (certificate.Fault != "unloadable")
        {
            TorchThread.Shared.Run(() =>
            {
                using var scope = new Scope();
                using var read = LoraFile.Read(file);
                LoraWriter.Write(read, Path.Combine(bundle, "pytorch_lora_weights.safetensors"), new LoraWriting { Naming = LoraNaming.Diffusers });
            });
        }
        var run = context.Run;
        var all = RunDirectory.ReadLines<Sample>(run.File(StageName.Label, "samples.jsonl")).ToList();
        var samples = all.Where(s => s.Variant is null).ToList();
        var records = RunDirectory.ReadLines<Flow.Record>(run.File(StageName.Clean, "records.jsonl")).ToList();
        AtomicFile.WriteText(Path.Combine(bundle, "README.md"), ModelCard.Of(context.Recipe, plan, adapter, report, all, records));
        var captions = samples.ToDictionary(s => s.RecordId, StringComparer.Ordinal);
        RunDirectory.WriteLines(Path.Combine(bundle, "data.jsonl"), records.Where(r => captions.ContainsKey(r.Id)).Select(r => DataRow.Of(r with { PictureUrl = r.Origin(run) }, captions[r.Id], context.Recipe.Label.Folder)));
        RunDirectory.WriteJson(Path.Combine(bundle, Certificate.FileName), certificate);
        RunDirectory.WriteJson(Path.Combine(bundle, "report.json"), report);
        var grid = run.File(StageName.Evaluate, "grid.png");
        if (File.Exists(grid)) File.Copy(grid, Path.Combine(bundle, "grid.png"));
        var sums = new StringBuilder();
        foreach (var item in Directory.EnumerateFiles(bundle).Order(StringComparer.Ordinal)) sums.Append($"{ContentId.OfFile(item)}  {Path.GetFileName(item)}\n");
        AtomicFile.WriteText(Path.Combine(bundle, "SHA256SUMS"), sums.ToString());
    }
}
