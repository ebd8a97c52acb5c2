using System.Globalization;
using LoraFactory.Flow;
using LoraFactory.Images;
using LoraFactory.Models;
using LoraFactory.Models.Lora;
using LoraFactory.Models.Pipelines;
using LoraFactory.Models.Scoring;
using LoraFactory.Models.Weights;
using LoraFactory.Torch;

namespace LoraFactory.Stages.Deploy;

/// <summary>Checks an adapter file the way it will be served, and says what it is when it must not go live.</summary>
public sealed class Certification(StableDiffusionPipeline pipeline, ClipScorer clip)
{
    /// <summary>Largest |difference| of latents between the served picture and the trainer's, where latents have a spread of about 1.</summary>
    private const double SameLatents = 0.02;
    private const long NearSeed = 1000;
    private const long FarSeed = 1001;

    /// <summary>
    /// Runs all checks. <paramref name="proof"/>: what the trainer drew last (prompt, noise, latents), null when it drew nothing;
    /// <paramref name="far"/>: prompts far from the data; <paramref name="strength"/>: the weight it is served with. The first check that fails
    /// ends it, the cheap ones come first.
    /// </summary>
    /// <exception cref="LoraException">The proof cannot be read.</exception>
    public Certificate Examine(string file, string baseHash, string trigger, string? proof, IReadOnlyList<string> far, int side, double strength, CancellationToken token = default)
    {
        var checks = new List<CertificateCheck>();
        Certificate End(string fault) => new() { Sha256 = ContentId.OfFile(file), BaseHash = baseHash, Checks = checks, Fault = fault };
        LoraAdapter adapter;
        try
        {
            adapter = TorchThread.Shared.Run(() => Load(file, checks));
        }
        catch (Exception e) when (e is ModelException or TorchException or IOException)
        {
            checks.Add(new("every key is found in its target", false, e.Message));
            return End("unloadable");
        }
        using (adapter)
        {
            if (!Finite(adapter, checks)) return End("fried");
            if (!Moved(adapter, checks)) return End("empty");
            try
            {
                if (proof is not null && !SameAsTrainer(adapter, ReadProof(proof), checks, token)) return End("unloadable");
                var near = Request([trigger.Length > 0 ? $"{trigger}, {far[0]}" : far[0]], side, NearSeed, token);
                adapter.Strength = strength;
                if (!Differs(pipeline.Generate(near), With(adapter, () => pipeline.Generate(near)), checks)) return End("empty");
                var request = Request(far, side, FarSeed, token);
                return End(Obeys(far, pipeline.Generate(request), With(adapter, () => pipeline.Generate(request)), checks) ? "" : "fried");
            }
            catch (ModelException e)
            {
                checks.Add(new("draws pictures", false, e.Message));
                return End("fried");
            }
        }
    }

    private LoraAdapter Load(string file, List<CertificateCheck> checks)
    {
        var adapter = LoraFile.Read(file);
        try
        {
            var foreign = adapter.Modules.Where(m => !pipeline.Components.ContainsKey(m.Component)).ToList();
            if (foreign.Count > 0)
                throw new ModelException($"{foreign.Count} of {adapter.Modules.Count} modules are for the {foreign[0].Component}, which this base lacks (it has {string.Join(", ", pipeline.Components.Keys)})");
            adapter.To(DType.Float32, pipeline.Device);
            var found = pipeline.Components.Sum(c => adapter.Match(c.Key, c.Value).Count);
            checks.Add(new("every key is found in its target", true, $"{found} of {adapter.Modules.Count} modules, no unknown keys"));
            return adapter;
        }
        catch
        {
            adapter.Dispose();
            throw;
        }
    }

    private T With<T>(LoraAdapter adapter, Func<T> draw)
    {
        TorchThread.Shared.Run(() =>
        {
            foreach (var (component, store) in pipeline.Components) adapter.Attach(component, store);
        });
        try
        {
            return draw();
        }
        finally
        {
            TorchThread.Shared.Run(adapter.Detach);
        }
    }

    private static GenerationRequest Request(IReadOnlyList<string> prompts, int side, long seed, CancellationToken token) =>
        new() { Prompts = prompts, Width = side, Height = side, Steps = 15, Guidance = 4, Seeds = [.. Enumerable.Range(0, prompts.Count).Select(i => seed + i)], Cancellation = token };

    private static bool Finite(LoraAdapter adapter, List<CertificateCheck> checks) => TorchThread.Shared.Run(() =>
    {
        using var scope = new Scope();
        using var off = Autograd.NoGrad();
        var broken = adapter.Modules.Count(m => !double.IsFinite(m.Up.Abs().Sum().Item()) || !double.IsFinite(m.Down.Abs().Sum().Item()));
        checks.Add(new("weights are finite", broken == 0, $"{broken} of {adapter.Modules.Count} modules hold infinite values or NaN"));
        return broken == 0;
    });

    private static bool Moved(LoraAdapter adapter, List<CertificateCheck> checks) => TorchThread.Shared.Run(() =>
    {
        using var scope = new Scope();
        using var off = Autograd.NoGrad();
        var norms = adapter.Modules.Select(m => m.Up.LinalgVectorNorm(2.0).Item() * m.Down.LinalgVectorNorm(2.0).Item() * m.Scale).ToList();
        var moved = norms.Count(n => n > 1e-6);
        checks.Add(new("weights moved", moved > 0.5 * norms.Count, $"{moved} of {norms.Count} modules changed"));
        return checks[^1].Passed;
    });

    private static bool Differs(IReadOnlyList<Picture> without, IReadOnlyList<Picture> with, List<CertificateCheck> checks)
    {
        var difference = without[0].Pixels.Zip(with[0].Pixels).Average(p => Math.Abs(p.First - p.Second));
        checks.Add(new("output differs from the base's at the same seed", difference > 1, $"mean difference {difference:F1} of 255"));
        return checks[^1].Passed;
    }

    private sealed record Proof(string Prompt, int Steps, double Guidance, string Sampler, (long[] Shape, float[] Numbers) Noise, (long[] Shape, float[] Numbers) Latents);

    private static Proof ReadProof(string path)
    {
        try
        {
            return TorchThread.Shared.Run(() =>
            {
                using var scope = new Scope();
                using var source = WeightSource.Open(path);
                (long[], float[]) Numbers(string name) => source[name].ToTensor() is { Shape.Length: 4 } x ? (x.Shape, x.ToArray<float>()) : throw new ModelException($"{path}: {name} is not a batch of latents");
                string Text(string name) => source.Metadata.TryGetValue(name, out var text) ? text : throw new ModelException($"{path} has no {name}");
                return new Proof(Text("prompt"), int.Parse(Text("steps"), CultureInfo.InvariantCulture), double.Parse(Text("guidance"), CultureInfo.InvariantCulture), Text("sampler"), Numbers("noise"), Numbers("latents"));
            });
        }
        catch (Exception e) when (e is ModelException or TorchException or FormatException or OverflowException)
        {
            throw new LoraException($"What the trainer drew last cannot be read ({e.Message.TrimEnd('.')}). Run the train stage again.", inner: e);
        }
    }

    // The same prompt and noise through the served path has to give the trainer's own latents, which it drew at strength 1.
    private bool SameAsTrainer(LoraAdapter adapter, Proof proof, List<CertificateCheck> checks, CancellationToken token) => TorchThread.Shared.Run(() =>
    {
        using var scope = new Scope();
        using var off = Autograd.NoGrad();
        var expected = Tensor.From(proof.Latents.Numbers, proof.Latents.Shape);
        var request = new GenerationRequest
        {
            Prompts = [proof.Prompt],
            Steps = proof.Steps,
            Guidance = proof.Guidance,
            Width = (int)expected.Size(3) * pipeline.Vae.Config.Factor,
            Height = (int)expected.Size(2) * pipeline.Vae.Config.Factor,
            Sampler = pipeline.Sampler with { ClassName = proof.Sampler },
            Noise = new GivenNoise(Tensor.From(proof.Noise.Numbers, proof.Noise.Shape)),
            Cancellation = token,
        };
        adapter.Strength = 1;
        var difference = (With(adapter, () => pipeline.Sample(request)) - expected).Abs().Max().Item();
        checks.Add(new("draws what the trainer's own sampler drew", difference < SameLatents, $"latents differ by at most {difference:E1}"));
        return checks[^1].Passed;
    });

    // Far prompts without the trigger: each picture has to fit its own prompt best, as often as chance would hardly do it. A style may bleed
    // into prompts without the trigger; an adapter that draws the same, or noise, whatever is asked for is fried.
    private bool Obeys(IReadOnlyList<string> far, IReadOnlyList<Picture> without, IReadOnlyList<Picture> with, List<CertificateCheck> checks)
    {
        var texts = clip.Embed(far);
        int Hits(IReadOnlyList<Picture> pictures) => clip.Embed(pictures).Where((p, i) => Enumerable.Range(0, texts.Length).MaxBy(k => ClipScorer.Cosine(p, texts[k])) == i).Count();
        var (before, after) = (Hits(without), Hits(with));
        var contrast = with.Average(p => p.Pixels.Max() - (double)p.Pixels.Min());
        var needed = Needed(far.Count, before);
        var obeyed = after >= needed && contrast > 40;
        checks.Add(new("prompts far from the data are still obeyed", obeyed, $"{after} of {far.Count} pictures fit their own prompt best (base {before}, needed {needed}); contrast {contrast:F0} of 255"));
        return obeyed;
    }

    /// <summary>
    /// Hits that <paramref name="prompts"/> pictures need among as many prompts: the fewest that chance reaches in less than one case of
    /// twenty. Of a base that reaches fewer itself, since the judge hardly sees what it draws, half of what it reaches is asked.
    /// </summary>
    public static int Needed(int prompts, int baseHits)
    {
        var lucky = Enumerable.Range(0, prompts + 1).First(k => 1 - MathNet.Numerics.Distributions.Binomial.CDF(1.0 / prompts, prompts, k - 1) < 0.05);
        return baseHits >= lucky ? lucky : (baseHits + 1) / 2;
    }

    private sealed class GivenNoise(Tensor noise) : LoraFactory.Models.Schedulers.INoiseSource
    {
        public Tensor Draw(ReadOnlySpan<long> shape, Device device) => noise.To(device: device).Clone();
    }
}
