using System.Text.Json;
using LoraFactory.Images;
using LoraFactory.Models.Pipelines;
using LoraFactory.Models.Schedulers;
using LoraFactory.Torch;

namespace LoraFactory.Models.Parity;

/// <summary>Kind "pipeline": a whole pipeline, run by run, compared after every call of the UNet, down to the pixels of the PNG.</summary>
internal sealed class PipelineCheck : IGoldenCheck
{
    /// <summary>Share of pixel values that may be one step off: what the case calls a handful.</summary>
    private const double Handful = 0.002;

    private static readonly HashSet<string> Known = new(StringComparer.Ordinal)
    {
        "id", "scheduler", "prompt", "prompt_2", "negative_prompt", "negative_prompt_2", "guidance_scale", "guidance_rescale", "num_inference_steps",
        "clip_skip", "num_images_per_prompt", "strength", "save_image", "original_size", "crops_coords_top_left", "target_size", "eta",
    };

    public IReadOnlyList<string> Kinds => ["pipeline"];

    public void Run(GoldenCase @case, Findings found)
    {
        using var pipeline = StableDiffusionPipeline.LoadFolder(@case.Path("model"));
        Texts(@case, pipeline.Prompts, found);
        foreach (var run in @case.Json.GetProperty("runs").EnumerateArray())
        {
            using var scope = new Scope();
            foreach (var property in run.EnumerateObject())
                if (!Known.Contains(property.Name)) found.NotCovered.Add($"{run.GetProperty("id").GetString()}.{property.Name}");
            Run(@case, pipeline, run, found);
        }
    }

    private static void Run(GoldenCase @case, StableDiffusionPipeline pipeline, JsonElement run, Findings found)
    {
        using var off = Autograd.NoGrad();
        var id = $"out.{run.GetProperty("id").GetString()}";
        var request = Request(@case, pipeline, run);
        void Expect(string name, Func<Tensor> actual)
        {
            if (@case.Has($"{id}.{name}")) found.Close($"{id}.{name}", actual(), @case.Tensor($"{id}.{name}"), @case.Tolerance());
        }
        Embeddings(pipeline, request, Expect);
        var (times, inputs, outputs, latents) = (new List<double>(), new List<Tensor>(), new List<Tensor>(), new List<Tensor>());
        var last = pipeline.Sample(request with
        {
            Progress = step =>
            {
                times.Add(step.Timestep);
                inputs.Add(step.Input.Share().Own());
                outputs.Add(step.Output.Share().Own());
                latents.Add(step.Latents.Share().Own());
            },
        });
        Expect("timesteps", () => Tensor.From(times.ToArray()));
        Expect("first_unet_input", () => inputs[0]);
        Expect("unet_output", () => Ops.Stack(outputs.ToArray()));
        Expect("latents", () => Ops.Stack(latents.ToArray()));
        foreach (var tensor in inputs.Concat(outputs).Concat(latents)) tensor.Dispose();
        var decoded = pipeline.Decode(last);
        Expect("decoded", () => decoded);
        Expect("image", () => (decoded * 0.5 + 0.5).Clamp((Scalar)0.0, (Scalar)1.0).Permute([0, 2, 3, 1]));
        Expect("decoded_mean_std", () => Ops.Stack([decoded.Mean(), decoded.Std(default, 1)]));
        var pictures = StableDiffusionPipeline.ToPictures(decoded);
        if (@case.Has($"{id}.image_uint8")) Pixels($"{id}.image_uint8", pictures[0].Pixels, @case.Tensor($"{id}.image_uint8").ToArray<byte>(), found);
        var file = @case.Path($"expected-{run.GetProperty("id").GetString()}.png");
        if (!File.Exists(file)) return;
        var written = PictureDecoder.Decode(PictureWriter.Png(pictures[0]));
        var expected = PictureDecoder.DecodeFile(file);
        found.Equal($"{Path.GetFileName(file)} size", (written.Width, written.Height), (expected.Width, expected.Height));
        Pixels(Path.GetFileName(file), written.Pixels, expected.Pixels, found);
    }

    private static void Embeddings(StableDiffusionPipeline pipeline, GenerationRequest request, Action<string, Func<Tensor>> expect)
    {
        var guided = request.Guidance > 1;
        var embeddings = pipeline.Prompts.Encode(request with { PicturesPerPrompt = 1 }, guided);
        long n = request.Prompts.Count;
        expect("prompt_embeds", () => embeddings.Context.Narrow(0, guided ? n : 0, n));
        expect("pooled_prompt_embeds", () => embeddings.Pooled!.Narrow(0, guided ? n : 0, n));
        if (!guided) return;
        expect("negative_prompt_embeds", () => embeddings.Context.Narrow(0, 0, n));
        expect("negative_pooled_prompt_embeds", () => embeddings.Pooled!.Narrow(0, 0, n));
    }

    private static GenerationRequest Request(GoldenCase @case, StableDiffusionPipeline pipeline, JsonElement run)
    {
        double Number(string key, double otherwise) => run.TryGetProperty(key, out var v) && v.ValueKind == JsonValueKind.Number ? v.GetDouble() : otherwise;
        string[]? Words(string key) => run.TryGetProperty(key, out var v) && v.ValueKind == JsonValueKind.Array ? [.. v.EnumerateArray().Select(t => t.GetString()!)] : null;
        (int, int)? Pair(string key) => run.TryGetProperty(key, out var v) && v.ValueKind == JsonValueKind.Array ? (v[0].GetInt32(), v[1].GetInt32()) : null;
        var repaint = run.TryGetProperty("strength", out _);
        var latents = @case.Tensor("in.latents");
        return new()
        {
            Prompts = Words("prompt")!,
            SecondPrompts = Words("prompt_2"),
            NegativePrompts = Words("negative_prompt"),
            SecondNegativePrompts = Words("negative_prompt_2"),
            PicturesPerPrompt = (int)Number("num_images_per_prompt", 1),
            Steps = (int)Number("num_inference_steps", 50),
            Guidance = Number("guidance_scale", 7.5),
            GuidanceRescale = Number("guidance_rescale", 0),
            ClipSkip = (int)Number("clip_skip", 0),
            Sampler = SchedulerOptions.From(run.GetProperty("scheduler"), @case.Name) with { Eta = Number("eta", 0) },
            Height = repaint ? 0 : (int)latents.Size(2) * pipeline.Vae.Config.Factor,
            Width = repaint ? 0 : (int)latents.Size(3) * pipeline.Vae.Config.Factor,
            InitialPictures = repaint ? [PictureDecoder.DecodeFile(@case.Path("input.png"))] : null,
            Strength = Number("strength", 1),
            OriginalSize = Pair("original_size"),
            Crop = Pair("crops_coords_top_left") ?? (0, 0),
            TargetSize = Pair("target_size"),
            Noise = new CaseNoise(repaint ? [@case.Tensor("in.vae_noise"), @case.Tensor("in.add_noise")] : [latents]),
        };
    }

    private static void Pixels(string name, byte[] actual, byte[] expected, Findings found)
    {
        if (!found.Equal($"{name} bytes", actual.Length, expected.Length)) return;
        var off = 0;
        for (var i = 0; i < actual.Length; i++)
        {
            if (actual[i] == expected[i]) continue;
            off++;
            if (Math.Abs(actual[i] - expected[i]) <= 1) continue;
            found.Miss(name, $"{actual[i]} instead of {expected[i]} at byte {i}");
            return;
        }
        found.True(name, off <= actual.Length * Handful, $"{off} of {actual.Length} values are one step off");
    }

    private static void Texts(GoldenCase @case, PromptEncoder prompts, Findings found)
    {
        var file = @case.Path("tokenizer.jsonl");
        if (!File.Exists(file)) return;
        var line = 0;
        foreach (var text in File.ReadLines(file).Where(l => l.Length > 0))
        {
            line++;
            using var row = JsonDocument.Parse(text);
            var root = row.RootElement;
            var second = root.GetProperty("tokenizer").GetString() == "tokenizer_2";
            var tokenizer = (second ? prompts.SecondTokenizer : prompts.Tokenizer) ?? throw new ModelException($"{file}:{line} wants a second tokenizer, which the model lacks.");
            var given = root.GetProperty("text").GetString()!;
            int[] Numbers(string key) => [.. root.GetProperty(key).EnumerateArray().Select(v => v.GetInt32())];
            var whole = tokenizer.EncodeWhole(given);
            found.Same($"tokenizer.jsonl:{line} input_ids", tokenizer.Encode(given), Numbers("input_ids"));
            found.Same($"tokenizer.jsonl:{line} untruncated_ids", whole, Numbers("untruncated_ids"));
            found.Equal($"tokenizer.jsonl:{line} attention_mask_sum", Math.Min(whole.Length, tokenizer.MaximumLength), root.GetProperty("attention_mask_sum").GetInt32());
            found.Same($"tokenizer.jsonl:{line} tokens", whole.Select(tokenizer.TokenOf).ToArray(), root.GetProperty("tokens").EnumerateArray().Select(v => v.GetString()!).ToArray());
            found.Equal($"tokenizer.jsonl:{line} decoded", tokenizer.Decode(whole), root.GetProperty("decoded").GetString());
        }
    }

    /// <summary>The case's draws one after the other, for as many rows as the batch has.</summary>
    private sealed class CaseNoise(Tensor[] draws) : INoiseSource
    {
        private int drawn;

        public Tensor Draw(ReadOnlySpan<long> shape, Device device)
        {
            if (drawn == draws.Length) throw new ModelException($"the run draws noise {drawn + 1} times, and the case gives {draws.Length} draws.");
            var given = draws[drawn++];
            return given.Size(0) >= shape[0] ? given.Narrow(0, 0, shape[0]) : given.Expand(shape);
        }
    }
}
