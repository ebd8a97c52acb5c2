using LoraFactory.Flow;
using LoraFactory.Models.Lora;
using LoraFactory.Models.Pipelines;
using LoraFactory.Models.Scoring;
using LoraFactory.Models.Weights;
using LoraFactory.Stages.Deploy;
using LoraFactory.Stages.Train;
using LoraFactory.Tests.Stages.Train;
using LoraFactory.Torch;

namespace LoraFactory.Tests.Stages.Deploy;

/// <summary>An adapter that the trainer made gets its certificate; every other kind is refused by its name.</summary>
[Collection("torch")]
public sealed class CertificationTests(TrainedAdapter trained) : IClassFixture<TrainedAdapter>, IDisposable
{
    // what the pocket base obeys; fewer than deploy asks for, to keep it quick
    private static readonly string[] Far = ["a yellow star at night", "a white house in a green field", "a green tree in the snow"];

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private Certificate Examine(string file, string? proof = null, double strength = 1, CancellationToken token = default) =>
        trained.Certification.Examine(file, "base", "blueprint", proof, Far, 64, strength, token);

    private void Refused(string fault, string check, string found, string file, string? proof = null)
    {
        var certificate = Examine(file, proof);
        Assert.Equal((fault, false), (certificate.Fault, certificate.Granted));
        var failed = Assert.Single(certificate.Checks, c => !c.Passed);
        Assert.Equal(check, failed.Name);
        Assert.Contains(found, failed.Found);
        Assert.StartsWith($"refused as {fault}: {check}: ", certificate.Summary);
        Assert.Equal(ContentId.OfFile(file), certificate.Sha256);
    }

    [Theory]
    [InlineData(10, 10, 4), InlineData(10, 4, 4), InlineData(10, 3, 2), InlineData(10, 0, 0)]
    public void A_base_that_the_judge_hardly_sees_asks_no_more_of_its_adapter_than_half_of_its_own(int prompts, int baseHits, int needed) =>
        Assert.Equal(needed, Certification.Needed(prompts, baseHits));

    [Fact]
    public void What_the_trainer_made_is_granted_and_drawn_as_the_trainer_drew_it()
    {
        var before = Tensor.LiveCount;
        var certificate = Examine(trained.File, trained.Proof);
        Assert.True(certificate.Granted, certificate.Summary);
        Assert.Equal(["every key is found in its target", "weights are finite", "weights moved", "draws what the trainer's own sampler drew", "output differs from the base's at the same seed", "prompts far from the data are still obeyed"],
            certificate.Checks.Select(c => c.Name));
        Assert.Equal(before, Tensor.LiveCount);
        // the proof is drawn at strength 1, whatever the adapter is served with
        var off = Examine(trained.File, trained.Proof, strength: 0);
        Assert.Equal(("empty", true), (off.Fault, off.Checks.Single(c => c.Name.StartsWith("draws what", StringComparison.Ordinal)).Passed));
    }

    [Fact]
    public void One_that_changes_nothing_is_empty()
    {
        Refused("empty", "weights moved", "0 of ", PocketAdapters.Write(folder.File("zeros.safetensors"), 1, 0));
        Refused("empty", "output differs from the base's at the same seed", "mean difference 0.0", PocketAdapters.Write(folder.File("faint.safetensors"), 1, 1e-5));
    }

    [Fact]
    public void Noise_is_fried()
    {
        Refused("fried", "prompts far from the data are still obeyed", "fit their own prompt best", PocketAdapters.Write(folder.File("noise.safetensors"), 1, 5));
        Refused("fried", "draws pictures", "not a number", PocketAdapters.Write(folder.File("overflow.safetensors"), 1, 1e18));
        Refused("fried", "weights are finite", "hold infinite values", PocketAdapters.Write(folder.File("huge.safetensors"), 1, 0, change: a => a.Modules[0].Up.Fill_(3e38)));
    }

    [Fact]
    public void What_does_not_fit_or_is_damaged_is_unloadable()
    {
        const string Keys = "every key is found in its target";
        var good = File.ReadAllBytes(trained.File);
        string Put(string name, byte[] bytes)
        {
            File.WriteAllBytes(folder.File(name), bytes);
            return folder.File(name);
        }
        Refused("unloadable", Keys, "have no layer in the base", Renamed("sdxl.safetensors", n => n.Replace("down_blocks_0", "down_blocks_7", StringComparison.Ordinal)));
        Refused("unloadable", Keys, "no LoRA", Renamed("unknown.safetensors", n => "model." + n));
        Refused("unloadable", Keys, "that are no part of a LoRA", Renamed("partly.safetensors", n => n.EndsWith("attn1_to_q.alpha", StringComparison.Ordinal) ? n + ".extra" : n));
        Refused("unloadable", Keys, "are for the text_encoder_2, which this base lacks", Renamed("second.safetensors", n => n.Replace("lora_unet_", "lora_te2_", StringComparison.Ordinal)));
        Refused("unloadable", Keys, "shape", Widened("wide.safetensors"));
        Refused("unloadable", Keys, "truncated.safetensors", Put("truncated.safetensors", good[..(good.Length / 2)]));
        Refused("unloadable", Keys, "header.safetensors", Put("header.safetensors", good[..5]));
        Refused("unloadable", Keys, "empty.safetensors", Put("empty.safetensors", []));
        Refused("unloadable", Keys, "text.safetensors", Put("text.safetensors", "<html>404</html>"u8.ToArray()));
        Refused("unloadable", Keys, "NaN or infinity", NotNumbers("nan.safetensors"));
    }

    [Fact]
    public void A_picture_other_than_the_trainers_own_is_unloadable_and_a_damaged_proof_is_an_error()
    {
        Refused("unloadable", "draws what the trainer's own sampler drew", "latents differ by at most", PocketAdapters.Write(folder.File("other.safetensors"), 3, 0.1), trained.Proof);
        var proof = File.ReadAllBytes(trained.Proof);
        foreach (var bytes in new[] { [], proof[..40], proof[..^8] })
        {
            File.WriteAllBytes(folder.File("proof.safetensors"), bytes);
            Assert.Contains("Run the train stage again", Assert.Throws<LoraException>(() => Examine(trained.File, folder.File("proof.safetensors"))).Message);
        }
        using (var source = SafetensorsFile.Open(trained.Proof))
            SafetensorsWriter.Write(folder.File("unnamed.safetensors"), source.Weights.Select(w => WeightToWrite.From(w)));
        Assert.Contains("has no prompt", Assert.Throws<LoraException>(() => Examine(trained.File, folder.File("unnamed.safetensors"))).Message);
    }

    [Fact]
    public void Ctrl_c_ends_it_between_two_steps()
    {
        using var stop = new CancellationTokenSource();
        stop.CancelAfter(200);
        var before = Tensor.LiveCount;
        Assert.ThrowsAny<OperationCanceledException>(() => Examine(trained.File, trained.Proof, token: stop.Token));
        Assert.Equal(before, Tensor.LiveCount);
    }

    private string Renamed(string name, Func<string, string> rename)
    {
        using var source = SafetensorsFile.Open(trained.File);
        SafetensorsWriter.Write(folder.File(name), source.Weights.Select(w => WeightToWrite.From(w, rename(w.Name))));
        return folder.File(name);
    }

    // Every up matrix with twice its rows: a pair still, but for a wider layer.
    private string Widened(string name)
    {
        TorchThread.Shared.Run(() =>
        {
            using var scope = new Scope();
            using var off = Autograd.NoGrad();
            using var adapter = LoraFile.Read(trained.File);
            using var wide = new LoraAdapter(adapter.Modules.Select(m => new LoraModule(m.Component, m.Path, m.Down.Clone(), Ops.Cat([m.Up, m.Up], 0), m.Alpha)));
            LoraWriter.Write(wide, folder.File(name));
        });
        return folder.File(name);
    }

    private string NotNumbers(string name)
    {
        using var source = SafetensorsFile.Open(trained.File);
        var broken = source.Names.First(n => n.EndsWith("lora_up.weight", StringComparison.Ordinal));
        SafetensorsWriter.Write(folder.File(name), source.Weights.Select(w => w.Name != broken ? WeightToWrite.From(w)
            : WeightToWrite.FromBytes(w.Name, w.DType, w.Shape, Enumerable.Repeat(BitConverter.GetBytes(float.NaN), (int)w.Count).SelectMany(b => b).ToArray())));
        return folder.File(name);
    }
}

/// <summary>A short training by the real stage on drawn scenes, with the proof that it leaves, and the examiner over the pocket base and CLIP.</summary>
public sealed class TrainedAdapter : IAsyncLifetime
{
    private readonly TemporaryFolder folder = new();
    private StableDiffusionPipeline? pipeline;
    private ClipScorer? clip;

    public string File { get; private set; } = "";

    public string Proof { get; private set; } = "";

    public Certification Certification => new(pipeline!, clip!);

    public async ValueTask InitializeAsync()
    {
        var run = TrainRun.Make(folder.Path, TrainRun.Options with { Rank = 4, Steps = 24, BatchSize = 2, LearningRate = 2e-3, Schedule = "constant", ValidateEvery = 0, CheckpointEvery = 100 }, train: 8);
        await new TrainStage().RunAsync(TrainRun.Context(run), CancellationToken.None);
        File = run.File(StageName.Train, "adapter.safetensors");
        Proof = run.File(StageName.Train, "proof.safetensors");
        pipeline = StableDiffusionPipeline.Load(PocketAdapters.Base);
        clip = ClipScorer.Load(ModelLocator.Find("pocket-clip"));
    }

    public ValueTask DisposeAsync()
    {
        pipeline?.Dispose();
        clip?.Dispose();
        folder.Dispose();
        return ValueTask.CompletedTask;
    }
}
