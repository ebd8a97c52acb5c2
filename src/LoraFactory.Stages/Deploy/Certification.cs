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

    /// <summary>
    /// Runs all checks. <paramref name="proof"/>: what the trainer drew last (prompt, noise, latents), null when it drew nothing;
    /// <paramref name="far"/>: prompts far from the data; <paramref name="strength"/>: the weight it is served with.
    /// </summary>
    public Certificate Examine(string file, string baseHash, string trigger, string? proof, IReadOnlyList<string> far, int side, double strength)
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
            adapter.Strength = strength;
            if (!Finite(adapter, checks)) return End("fried");
            if (!Moved(adapter, checks)) return End("empty");
            var request = Request([$"{trigger}{(trigger.Length > 0 ? ", " : "")}{far[0]}", .. far], side);
            var without = pipeline.Generate(request);
            Attach(adapter);
            try
            {
                var with = pipeline.Generate(request);
                if (!Differs(without, with, checks)) return End("empty");
                if (proof is not null && !SameAsTrainer(proof, checks)) return End("unloadable");
                return End(Obeys(far, without, with, checks) ? "" : "fried");
            }
            catch (ModelException e)
            {
                checks.Add(new("draws pictures", false, e.Message));
                return End("fried");
            }
            finally
            {
                adapter.Detach();
            }
        }
    }

    private LoraAdapter Load(string file, List<CertificateCheck> checks)
    {
        var adapter = LoraFile.Read(file);
        try
        {
            var found = pipeline.Components.Sum(c => adapter.Match(c.Key, c.Value).Count);
            if (found != adapter.Modules.Count || adapter.UnknownKeys.Count > 0)
                throw new ModelException($"{found} of {adapter.Modules.Count} modules fit this base and {adapter.UnknownKeys.Count} keys are unknown.");
            checks.Add(new("every key is found in its target", true, $"{found} of {adapter.Modules.Count} modules, no unknown keys"));
            return adapter;
        }
        catch
        {
            adapter.Dispose();
            throw;
        }
    }

    private void Attach(LoraAdapter adapter)
    {
        foreach (var (component, store) in pipeline.Components) adapter.Attach(component, store);
    }

    private static GenerationRequest Request(IReadOnlyList<string> prompts, int side) =>
        new() { Prompts = prompts, Width = side, Height = side, Steps = 15, Guidance = 4, Seeds = [.. Enumerable.Range(0, prompts.Count).Select(i => 1000L + i)] };

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

    // The same prompt and noise through the served path has to give the trainer's own latents.
    private bool SameAsTrainer(string proof, List<CertificateCheck> checks) => TorchThread.Shared.Run(() =>
    {
        using var scope = new Scope();
        using var off = Autograd.NoGrad();
        using var source = WeightSource.Open(proof);
        var expected = source["latents"].ToTensor();
        var noise = source["noise"].ToTensor();
        var prompt = source.Metadata["prompt"];
        var request = new GenerationRequest
        {
            Prompts = [prompt],
            Steps = int.Parse(source.Metadata["steps"]),
            Guidance = double.Parse(source.Metadata["guidance"]),
            Width = (int)expected.Size(3) * pipeline.Vae.Config.Factor,
            Height = (int)expected.Size(2) * pipeline.Vae.Config.Factor,
            Sampler = pipeline.Sampler with { ClassName = source.Metadata["sampler"] },
            Noise = new GivenNoise(noise),
        };
        var difference = (pipeline.Sample(request) - expected).Abs().Max().Item();
        checks.Add(new("draws what the trainer's own sampler drew", difference < SameLatents, $"latents differ by at most {difference:E1}"));
        return checks[^1].Passed;
    });

    // Far prompts without the trigger: each picture has to fit its own prompt best, as often as chance would hardly do it. A style may bleed
    // into prompts without the trigger; an adapter that draws the same, or noise, whatever is asked for is fried.
    private bool Obeys(IReadOnlyList<string> far, IReadOnlyList<Picture> without, IReadOnlyList<Picture> with, List<CertificateCheck> checks)
    {
        var texts = clip.Embed(far);
        int Hits(IReadOnlyList<Picture> pictures) => clip.Embed(pictures.Skip(1)).Where((p, i) => Enumerable.Range(0, texts.Length).MaxBy(k => ClipScorer.Cosine(p, texts[k])) == i).Count();
        var (before, after) = (Hits(without), Hits(with));
        var contrast = with.Skip(1).Average(p => p.Pixels.Max() - (double)p.Pixels.Min());
        var needed = LuckyHits(far.Count);
        var obeyed = after >= needed && contrast > 40;
        checks.Add(new("prompts far from the data are still obeyed", obeyed, $"{after} of {far.Count} pictures fit their own prompt best (base {before}, needed {needed}); contrast {contrast:F0} of 255"));
        return obeyed;
    }

    // The fewest hits of n guesses among n that chance reaches in less than one case of twenty.
    private static int LuckyHits(int n) => Enumerable.Range(0, n + 1).First(k => 1 - MathNet.Numerics.Distributions.Binomial.CDF(1.0 / n, n, k - 1) < 0.05);

    private sealed class GivenNoise(Tensor noise) : LoraFactory.Models.Schedulers.INoiseSource
    {
        public Tensor Draw(ReadOnlySpan<long> shape, Device device) => noise.To(device: device).Clone();
    }
}
