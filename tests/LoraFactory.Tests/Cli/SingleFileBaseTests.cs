using System.Text.Json;
using LoraFactory.Flow;
using LoraFactory.Images;
using LoraFactory.Images.Scenes;
using LoraFactory.Models;
using LoraFactory.Models.Weights;
using LoraFactory.Stages;
using LoraFactory.Stages.Train.Pretraining;
using LoraFactory.Torch;

namespace LoraFactory.Tests.Cli;

/// <summary>
/// Stable Diffusion 1.5 in small, on random weights, as a diffusers folder and as one file with the original names: a folder of own pictures
/// goes through the whole line on either, and comes out the same.
/// </summary>
[Collection("torch")]
public sealed class SingleFileBaseTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task A_base_in_one_file_goes_through_the_line_like_its_folder()
    {
        WriteBases();
        WritePictures();
        var parts = await RunAsync("folder", folder.File("base"));
        var single = await RunAsync("single", folder.File("one/small.safetensors"));
        Assert.Contains("resolution: 64", Plan(parts));
        Assert.Equal(Plan(parts), Plan(single));
        Assert.Equal(Weights(parts), Weights(single));
        Assert.Equal(File.ReadAllBytes(parts.File(StageName.Evaluate, "grid.png")), File.ReadAllBytes(single.File(StageName.Evaluate, "grid.png")));
        var (one, other) = (RunDirectory.ReadJson<Report>(parts.File(StageName.Evaluate, "report.json")), RunDirectory.ReadJson<Report>(single.File(StageName.Evaluate, "report.json")));
        Assert.Equal(one.Metrics.Where(m => m.Name != "seconds_per_picture").Select(m => (m.Name, m.Value, m.Low, m.High)), other.Metrics.Where(m => m.Name != "seconds_per_picture").Select(m => (m.Name, m.Value, m.Low, m.High)));
    }

    // Learns nothing that a certificate would be given for: random weights draw noise. What counts is that every stage, deploy's included, comes to its verdict.
    private async Task<RunDirectory> RunAsync(string name, string model)
    {
        string[] sets =
        [
            $"name={name}", $"base.model={model}", "base.clip=pocket-clip", "label.source=folder", $"label.folder={folder.File("pictures")}", "label.trigger=blueprint", "clean.min_side=32", "clean.min_kept_share=0.1", "clean.min_kept=4",
            "train.rank=4", "train.steps=4", "train.batch_size=2", "train.gradient_accumulation=1", "train.warmup_steps=1", "train.validate_every=2", "train.sample_every=0", "train.resolution=64",
            "evaluate.prompts=[\"a cat, {trigger}\", \"a key, {trigger}\", \"a moon, {trigger}\"]", "evaluate.seeds_per_prompt=1", "evaluate.sampler_steps=3", $"deploy.store={folder.File(name + "-store")}", "deploy.require_passed=false",
        ];
        var answer = await FinishedLine.LoraAsync(["run", Path.Combine(TestData.Root, "recipes", "sd15.yaml"), "--runs-dir", folder.File("runs"), .. sets.SelectMany(s => new[] { "--set", s })], TestContext.Current.CancellationToken);
        Assert.True(answer.Code is (int)ExitCode.Done or (int)ExitCode.Refused, answer.Error);
        var run = new RunDirectory(folder.File("runs/" + name));
        Assert.True(File.Exists(run.File(StageName.Deploy, StageRecord.FileName)), answer.Error);
        return run;
    }

    private static string Plan(RunDirectory run) =>
        string.Join('\n', File.ReadLines(run.File(StageName.Configure, "plan.yaml")).Where(l => l.TrimStart().StartsWith("resolution", StringComparison.Ordinal) || l.TrimStart().StartsWith("steps", StringComparison.Ordinal) || l.TrimStart().StartsWith("prediction", StringComparison.Ordinal)));

    // Names and bytes; the file's metadata name the base.
    private static Dictionary<string, string> Weights(RunDirectory run)
    {
        using var file = WeightSource.Open(run.File(StageName.Train, "adapter.safetensors"));
        return file.Weights.ToDictionary(w => w.Name, w =>
        {
            using var bytes = new MemoryStream();
            w.WriteTo(bytes);
            return ContentId.OfBytes(bytes.ToArray());
        });
    }

    private void WritePictures()
    {
        Directory.CreateDirectory(folder.File("pictures"));
        var generator = new SceneGenerator();
        for (var i = 0; i < 16; i++)
        {
            var scene = generator.Draw(7, i);
            File.WriteAllBytes(folder.File($"pictures/{i}.png"), PictureWriter.Png(new Picture(SceneGenerator.Side, SceneGenerator.Side, scene.Pixels)));
            File.WriteAllText(folder.File($"pictures/{i}.txt"), scene.Caption);
        }
    }

    private void WriteBases() => TorchThread.Shared.Run(() =>
    {
        using var scope = new Scope();
        TorchLibrary.Seed(3);
        using var unet = new UNet(UNetConfig.Read(Config("unet", UNetJson)));
        using var vae = new AutoencoderKL(VaeConfig.Read(Config("vae", VaeJson)));
        using var text = new ClipTextModel(ClipTextConfig.Read(Config("text_encoder", TextJson)));
        foreach (var store in new[] { unet.Store, vae.Store, text.Store }) store.Initialize();
        PocketFolder.WriteWeights(unet.Store, folder.File("base/unet/diffusion_pytorch_model.safetensors"));
        PocketFolder.WriteWeights(vae.Store, folder.File("base/vae/diffusion_pytorch_model.safetensors"));
        PocketFolder.WriteWeights(text.Store, folder.File("base/text_encoder/model.safetensors"));
        var pocket = Path.Combine(TestData.Root, "assets", "pocket-sd");
        PocketFolder.CopyTokenizer(pocket, folder.File("base/tokenizer"));
        PocketFolder.CopyTokenizer(pocket, folder.File("one/tokenizer"));
        File.Copy(Path.Combine(pocket, "model_index.json"), folder.File("base/model_index.json"));
        AtomicFile.WriteText(folder.File("base/scheduler/scheduler_config.json"), SchedulerJson);

        var whole = DiffusersFolder.Open(folder.File("base"));
        List<WeightToWrite> all = [];
        using var parts = new Parts();
        foreach (var (name, keys) in new[] { ("unet", LdmKeys.UNet(whole.Config("unet"))), ("vae", LdmKeys.Vae(whole.Config("vae"))), ("text_encoder", LdmKeys.ClipText(whole.Config("text_encoder"))) })
            all.AddRange(LdmKeys.ToLdm(parts.Add(whole.Weights(name)), keys));
        SafetensorsWriter.Write(folder.File("one/small.safetensors"), all);
    });

    private ModelConfig Config(string part, string json)
    {
        var path = folder.File($"base/{part}/config.json");
        AtomicFile.WriteText(path, json);
        return ModelConfig.Read(path);
    }

    private sealed class Parts : IDisposable
    {
        private readonly List<IDisposable> open = [];

        public WeightSource Add(WeightSource source)
        {
            open.Add(source);
            return source;
        }

        public void Dispose() => open.ForEach(o => o.Dispose());
    }

    // What one file cannot say is fixed by its family: 32 groups, 8 heads, heads of 64 in the text encoder, scale 0.18215, this schedule.
    private const string UNetJson = """
        {"_class_name": "UNet2DConditionModel", "in_channels": 4, "out_channels": 4, "block_out_channels": [32, 64], "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
         "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"], "layers_per_block": 1, "cross_attention_dim": 64, "attention_head_dim": 8, "norm_num_groups": 32, "norm_eps": 1e-5,
         "act_fn": "silu", "flip_sin_to_cos": true, "freq_shift": 0, "downsample_padding": 1, "sample_size": 64}
        """;

    private const string VaeJson = """
        {"_class_name": "AutoencoderKL", "in_channels": 3, "out_channels": 3, "latent_channels": 4, "block_out_channels": [32, 32, 64], "layers_per_block": 1, "norm_num_groups": 32, "act_fn": "silu",
         "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"], "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"],
         "sample_size": 512, "scaling_factor": 0.18215}
        """;

    private const string TextJson = """
        {"architectures": ["CLIPTextModel"], "vocab_size": 1024, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 1, "max_position_embeddings": 32,
         "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5, "projection_dim": 64, "bos_token_id": 1022, "eos_token_id": 1023, "pad_token_id": 1023}
        """;

    private const string SchedulerJson = """
        {"_class_name": "DDIMScheduler", "beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "steps_offset": 1, "clip_sample": false, "set_alpha_to_one": false, "num_train_timesteps": 1000,
         "prediction_type": "epsilon", "timestep_spacing": "leading"}
        """;
}
