using LoraFactory.Images;
using LoraFactory.Models;
using LoraFactory.Models.Pipelines;
using LoraFactory.Models.Schedulers;
using LoraFactory.Tests.Torch;
using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Tests.Models.Pipelines;

[Collection("torch")]
public sealed class StableDiffusionPipelineTests
{
    private static readonly GenerationRequest Small = new() { Prompts = ["a cat"], Steps = 4, Width = 48, Height = 32, Seeds = [11] };

    private static void With(Action<StableDiffusionPipeline> body, string model = "diffusion/pipeline-sd15/model") => OnTensorThread.Run(() =>
    {
        using var pipeline = StableDiffusionPipeline.LoadFolder(TestData.Golden(model));
        body(pipeline);
    });

    private static double Far(Tensor a, Tensor b) => (a - b).Abs().Max().Item();

    [Fact]
    public void A_picture_does_not_depend_on_its_batch() => With(pipeline =>
    {
        var alone = pipeline.Sample(Small with { Prompts = ["a chair"], NegativePrompts = ["blurry"], Seeds = [7] });
        var batch = pipeline.Sample(Small with { Prompts = ["a cat", "a chair", "a woman"], NegativePrompts = ["", "blurry", "low quality"], Seeds = [3, 7, 9] });
        Assert.InRange(Far(batch.Narrow(0, 1, 1), alone), 0, 1e-3);
        Assert.True(Far(batch.Narrow(0, 0, 1), alone) > 0.1);
        var counted = pipeline.Sample(Small with { PicturesPerPrompt = 2, Seeds = [11] });
        Assert.InRange(Far(counted.Narrow(0, 1, 1), pipeline.Sample(Small with { Seeds = [12] })), 0, 1e-3);
    });

    [Fact]
    public void Equal_requests_give_equal_bytes_and_noise_of_samplers_follows_the_seed() => With(pipeline =>
    {
        var request = Small with { Sampler = SamplerNames.Resolve("euler a", pipeline.Sampler) };
        Assert.Equal(pipeline.Generate(request)[0].Pixels, pipeline.Generate(request)[0].Pixels);
        Assert.NotEqual(pipeline.Generate(request)[0].Pixels, pipeline.Generate(request with { Seeds = [12] })[0].Pixels);
    });

    [Fact]
    public void Without_guidance_the_batch_is_not_doubled() => With(pipeline =>
    {
        foreach (var (guidance, rows) in new[] { (1.0, 1), (5.0, 2) })
        {
            var steps = new List<(int, int, long)>();
            pipeline.Sample(Small with { Guidance = guidance, Sampler = SamplerNames.Resolve("DDIM", pipeline.Sampler), Progress = s => steps.Add((s.Step, s.Steps, s.Input.Size(0))) });
            Assert.Equal(Enumerable.Range(1, 4).Select(i => (i, 4, (long)rows)), steps);
        }
    });

    [Fact]
    public void Adapters_touch_the_rows_that_they_are_for() => With(pipeline =>
    {
        var request = Small with { Prompts = ["a cat", "a cat"], Seeds = [5, 5], Guidance = 1 };
        var plain = pipeline.Sample(request);
        var layer = pipeline.UNet.Store.Layers["mid_block.attentions.0.transformer_blocks.0.attn2.to_v"];
        var (outputs, inputs) = (layer.Weight.Shape[0], layer.Weight.Shape[1]);
        TorchLibrary.Seed(1);
        var branch = new LoraBranch(Ops.Randn([2, inputs]), Ops.Randn([outputs, 2]), 2) { FirstRow = 1, Rows = 1 };
        layer.Branches.Add(branch);
        var adapted = pipeline.Sample(request);
        layer.Branches.Remove(branch);
        Assert.InRange(Far(adapted.Narrow(0, 0, 1), plain.Narrow(0, 0, 1)), 0, 1e-4);
        Assert.True(Far(adapted.Narrow(0, 1, 1), plain.Narrow(0, 1, 1)) > 1e-3);
        Assert.Equal(0, Far(pipeline.Sample(request), plain));
    });

    [Fact]
    public void Adapters_on_a_text_encoder_differ_by_row_although_the_texts_are_equal() => With(pipeline =>
    {
        var layer = pipeline.Components["text_encoder"].Layers["text_model.encoder.layers.0.self_attn.v_proj"];
        var width = layer.Weight.Shape[0];
        TorchLibrary.Seed(1);
        var branch = new LoraBranch(Ops.Randn([1, width]), Ops.Randn([width, 1]), 1) { FirstRow = 3, Rows = 1 };
        var request = Small with { Prompts = ["a cat", "a cat"] };
        var plain = pipeline.Prompts.Encode(request, guided: true).Context;
        layer.Branches.Add(branch);
        var adapted = pipeline.Prompts.Encode(request, guided: true).Context;
        layer.Branches.Remove(branch);
        Assert.InRange(Far(adapted.Narrow(0, 0, 3), plain.Narrow(0, 0, 3)), 0, 1e-5);
        Assert.True(Far(adapted.Narrow(0, 3, 1), plain.Narrow(0, 3, 1)) > 1e-3);
    });

    [Fact]
    public void A_run_can_be_called_off_between_two_steps() => With(pipeline =>
    {
        using var source = new CancellationTokenSource();
        var steps = 0;
        var request = Small with { Cancellation = source.Token, Progress = s => { steps = s.Step; if (s.Step == 2) source.Cancel(); } };
        Assert.Throws<OperationCanceledException>(() => pipeline.Sample(request));
        Assert.Equal(2, steps);
    });

    [Theory]
    [InlineData("DDIM")]
    [InlineData("DPM++ 2M Karras")]
    [InlineData("Heun")]
    [InlineData("DPM2 a")]
    [InlineData("UniPC")]
    public void Little_strength_keeps_the_initial_picture(string sampler) => With(pipeline =>
    {
        var first = Picture.Filled(52, 35, 200, 60, 40);
        var request = Small with { Width = 0, Height = 0, InitialPictures = [first], Steps = 10, Sampler = SamplerNames.Resolve(sampler, pipeline.Sampler), Guidance = 1 };
        var calls = 0;
        var kept = pipeline.Sample(request with { Strength = 0.1, Progress = s => calls = s.Steps });
        Assert.Equal([1L, 4, 4, 6], kept.Shape);
        Assert.Equal(1, calls);
        var clean = pipeline.Vae.Encode(StableDiffusionPipeline.ToTensor([Picture.Filled(48, 32, 200, 60, 40)])).Mean * pipeline.Vae.Config.ScalingFactor;
        var redone = pipeline.Sample(request with { Strength = 1 });
        Assert.True((kept - clean).Abs().Mean().Item() < (redone - clean).Abs().Mean().Item());
    });

    [Fact]
    public void What_cannot_be_drawn_is_refused_in_one_sentence() => With(pipeline =>
    {
        void Refused(string named, GenerationRequest request) =>
            Assert.Contains(named, Assert.Throws<ModelException>(() => pipeline.Sample(request)).Message, StringComparison.Ordinal);
        Refused("multiple of 8", Small with { Width = 50 });
        Refused("2 seeds for 1", Small with { Seeds = [1, 2] });
        Refused("clip skip 9", Small with { ClipSkip = 9 });
        Refused("at least 0.25", Small with { InitialPictures = [Picture.Filled(48, 32, 1, 2, 3)], Strength = 0.1 });
        Refused("negative prompts for 1", Small with { NegativePrompts = ["a", "b"] });
        Refused("1 to 1000", Small with { Steps = 2000 });
        Refused("half precision", Small with { Noise = new GivenNoise(Ops.Full([1, 1, 4, 4, 6], double.NaN)) });
    });

    [Fact]
    public void Long_prompts_take_more_windows() => With(pipeline =>
    {
        var tail = string.Concat(Enumerable.Repeat("a long prompt about a cat ", 20)) + "with a blue chair";
        var request = Small with { Prompts = [tail], PromptWindows = 3 };
        Assert.Equal(231, pipeline.Prompts.Encode(request, guided: false).Context.Size(1));
        Assert.Equal([2L, 4, 4, 6], pipeline.Sample(request with { PicturesPerPrompt = 2 }).Shape);
    });

    [Fact]
    public void Sdxl_takes_its_sizes_from_the_request() => With(pipeline =>
    {
        Assert.True(pipeline.IsXl);
        var plain = pipeline.Sample(Small);
        Assert.True(Far(pipeline.Sample(Small with { OriginalSize = (512, 96), Crop = (32, 0) }), plain) > 1e-4);
    }, "diffusion/pipeline-sdxl/model");

    [Theory]
    [InlineData("sd15")]
    [InlineData("sdxl")]
    public void A_single_file_draws_what_its_folder_draws(string family) => OnTensorThread.Run(() =>
    {
        var folder = TestData.Golden($"diffusion/pipeline-{family}/model");
        using var pipeline = StableDiffusionPipeline.Load(folder);
        using var single = StableDiffusionPipeline.Load(TestData.Golden($"diffusion/single-file/{family}/{family}.safetensors"),
            new() { Tokenizer = Path.Combine(folder, "tokenizer"), Configurations = folder, Sampler = pipeline.Sampler });
        Assert.Equal(0, Far(single.Sample(Small), pipeline.Sample(Small)));
    });

    [Fact]
    public void A_single_file_without_a_vocabulary_says_what_is_missing()
    {
        var nothing = TestData.NewFolder();
        var e = Assert.Throws<ModelException>(() => StableDiffusionPipeline.LoadFile(TestData.Golden("diffusion/single-file/sd15/sd15.safetensors"), new() { Tokenizer = nothing }));
        Assert.Contains(nothing, e.Message, StringComparison.Ordinal);
        Assert.Contains("merges.txt", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_pocket_model_draws_a_picture_with_something_in_it() => OnTensorThread.Run(() =>
    {
        using var pipeline = StableDiffusionPipeline.Load(Path.Combine(TestData.Root, "assets", "pocket-sd"));
        var pictures = pipeline.Generate(new() { Prompts = ["a red house in a green field, flat illustration", "a green tree, pastel drawing"], Steps = 20, Guidance = 4, Seeds = [1, 2] });
        foreach (var picture in pictures)
        {
            Assert.Equal((64, 64), (picture.Width, picture.Height));
            // neither one colour nor noise: neighbours are alike, the whole is not
            double Difference(int step) => Enumerable.Range(0, picture.Pixels.Length - step).Average(i => Math.Abs(picture.Pixels[i] - picture.Pixels[i + step]));
            Assert.True(Difference(3) < Difference(20 * 192) / 2, $"{Difference(3)} next to {Difference(20 * 192)}");
        }
    });

    [Theory]
    [InlineData("euler A Karras")]
    [InlineData("DPM+++")]
    public void Samplers_that_there_are_not_are_named(string name) =>
        Assert.Contains("DPM++ 2M Karras", Assert.Throws<ModelException>(() => SamplerNames.Resolve(name, new() { ClassName = "DDIMScheduler" })).Message, StringComparison.Ordinal);

    [Fact]
    public void Every_sampler_name_can_be_configured()
    {
        foreach (var name in SamplerNames.All)
        {
            using var scheduler = Scheduler.Create(SamplerNames.Resolve(name, new() { ClassName = "PNDMScheduler", Prediction = Prediction.Velocity }));
            scheduler.SetTimesteps(10);
            Assert.Equal(Prediction.Velocity, scheduler.Options.Prediction);
        }
    }
}
