using LoraFactory.Flow;
using LoraFactory.Images.Scenes;
using LoraFactory.Models;
using LoraFactory.Models.Tokenizers;
using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Stages.Train.Pretraining;

/// <summary>
/// Pocket CLIP: contrastive learning of pictures and claims (Radford et al. 2021) on scenes of all styles. Four things beyond
/// the paper make it learn from few pictures: every picture also stands against claims that are nearly true of it; a claim that happens
/// to be true of another picture is no negative for it; every picture is classified among the words of each single fact; and <see cref="FactHeads"/> teach the vision
/// tower beside the text.
/// </summary>
internal sealed class ClipPretraining : IPretraining
{
    private const double FirstTemperature = 0.07;
    private const double HighestScale = 100;
    private const double WordWeight = 0.5;
    private const int PatchSize = 16;
    private const int WidestText = 128;

    private readonly PretrainOptions options;
    private readonly ClipTokenizer tokenizer;
    private readonly SceneTexts texts;
    private readonly SceneBatches batches;
    private readonly ClipModel model;
    private readonly FactHeads heads;
    private readonly Dictionary<string, double> parts = new(StringComparer.Ordinal);

    public ClipPretraining(PretrainOptions options)
    {
        this.options = options;
        tokenizer = PocketFolder.Tokenizer(options.Base);
        texts = new(tokenizer);
        batches = new(options.Seed, PretrainingRun.Decided(options.BatchSize, Defaults.BatchSize), SceneLesson.Rising(PretrainingRun.Decided(options.Steps, Defaults.Steps), trained: options.From.Length > 0));
        if (options.From.Length > 0)
        {
            using var source = Models.Weights.WeightFolder.Open(options.From);
            var (textConfig, visionConfig) = ClipModel.ReadConfig(ModelConfig.Read(Path.Combine(options.From, "config.json")));
            model = new(textConfig, visionConfig);
            PocketFolder.LoadTrainable(model.Store, source);
        }
        else
        {
            model = new(TextConfig, VisionConfig);
            model.Store.Initialize();
            model.LogitScale.Value.Fill_(Math.Log(1 / FirstTemperature));
            VisionStart.SpreadPositions(model.Store.Find("vision_model.embeddings.position_embedding.weight")!.Value, SceneGenerator.Side / PatchSize);
            VisionStart.SharpenAttention(model.Store);
        }
        heads = new(model.Vision.Config.Tower.Width);
    }

    public (int Steps, int BatchSize, double LearningRate) Defaults => (3000, 32, 1e-3);

    public IReadOnlyDictionary<string, double> Parts => parts;

    public IReadOnlyList<(string, ParameterStore)> Trained => [("", model.Store), ("heads", heads.Store)];

    private int TextWidth => Math.Min(options.Width, WidestText);

    private int TextLayers => Math.Max(1, options.Layers - 1);

    private ClipTextConfig TextConfig => new(Tower(TextWidth, TextLayers), tokenizer.VocabularySize, tokenizer.MaximumLength, tokenizer.EndId);

    private ClipVisionConfig VisionConfig => new(Tower(options.Width, options.Layers), SceneGenerator.Side, PatchSize, 3);

    private ClipTowerConfig Tower(int width, int layers) => new(width, Math.Max(1, width / 32), layers, 4 * width, "gelu", 1e-5, TextWidth);

    public Tensor Loss(int step)
    {
        var batch = batches.Of(step);
        var random = new SceneRandom(options.Seed + 1, step);
        var pooled = model.Vision.Forward(batch.PixelTensor()).Pooled;
        var image = model.EmbedPooled(pooled);
        parts.Clear();
        var loss = heads.Loss(pooled, batch.Facts, parts) + WordLoss(batch, image, ref random) * WordWeight;
        return batches.Lesson(step).IsFull ? loss + Contrast(batch, image, ref random) * 0.5 : loss;
    }

    private Tensor Contrast(SceneBatch batch, Tensor image, ref SceneRandom random)
    {
        var n = batch.Count;
        var claims = new SceneClaim[2 * n];
        for (var i = 0; i < n; i++)
        {
            claims[i] = SceneTexts.True(batch.Facts[i], ref random);
            claims[n + i] = SceneTexts.NearlyTrue(claims[i], batch.Facts[i], ref random);
        }
        var words = new string[claims.Length];
        for (var i = 0; i < words.Length; i++) words[i] = SceneTexts.Word(claims[i], ref random);
        // [n, 2n]: what is true of a picture but is not its own text is taken out of its row.
        var logits = model.Logits(image, model.EmbedText(texts.Ids(words))).MaskedFill(AlsoTrue(batch, claims), -1e4);
        var own = Ops.Arange(n, dtype: DType.Int64);
        var contrast = (logits.CrossEntropyLoss(own) + logits.Narrow(1, 0, n).T().CrossEntropyLoss(own)) * 0.5;
        parts["contrast"] = contrast.Item();
        return contrast;
    }

    private static Tensor AlsoTrue(SceneBatch batch, SceneClaim[] claims)
    {
        var mask = new bool[batch.Count * claims.Length];
        for (var i = 0; i < batch.Count; i++)
        {
            for (var j = 0; j < claims.Length; j++) mask[i * claims.Length + j] = j != i && claims[j].Holds(batch.Facts[i]);
        }
        return Tensor.From(mask, batch.Count, claims.Length);
    }

    /// <summary>Weighted sum over the facts of the cross-entropy of a picture among all words for that fact.</summary>
    private Tensor WordLoss(SceneBatch batch, Tensor image, ref SceneRandom random)
    {
        var bank = new List<string>();
        foreach (var o in Enum.GetValues<SceneObject>()) bank.Add(new SceneClaim { Object = o, Count = 1 + random.Next(3) }.Text());
        foreach (var c in Enum.GetValues<SceneColour>()) bank.Add(SceneWords.Of(c));
        foreach (var p in Enum.GetValues<ScenePlace>()) bank.Add(SceneWords.Of(p));
        foreach (var s in SceneChoice.JudgedStyles) bank.Add(random.Pick(SceneWords.Names(s)));
        bank.AddRange(["one thing", "two things", "three things", "on the left", "on the right"]);
        var logits = model.Logits(image, model.EmbedText(texts.Ids(bank)));
        return FactClasses.Loss(logits, batch.Facts, parts);
    }

    public void AfterStep() => model.LogitScale.Value.Copy_(model.LogitScale.Value.ClampMax(Math.Log(HighestScale)));

    public void Export(string folder)
    {
        PocketFolder.WriteWeights(model.Store, Path.Combine(folder, "model.safetensors"));
        PocketFolder.CopyTokenizer(options.Base, folder);
        PocketFolder.WritePreprocessor(folder, "CLIPImageProcessor");
        var (text, vision) = (model.Text.Config, model.Vision.Config);
        AtomicFile.WriteText(Path.Combine(folder, "config.json"), $$"""
            {
              "architectures": ["CLIPModel"],
              "model_type": "clip",
              "dtype": "float16",
              "projection_dim": {{text.Tower.Projection}},
              "logit_scale_init_value": 2.6592,
              "text_config": {
                "model_type": "clip_text_model", {{Json(text.Tower)}},
                "vocab_size": {{text.Vocabulary}}, "max_position_embeddings": {{text.Positions}},
                "bos_token_id": {{tokenizer.BeginId}}, "eos_token_id": {{tokenizer.EndId}}, "pad_token_id": {{tokenizer.PadId}}
              },
              "vision_config": {
                "model_type": "clip_vision_model", {{Json(vision.Tower)}},
                "image_size": {{vision.ImageSize}}, "patch_size": {{vision.PatchSize}}, "num_channels": {{vision.Channels}}
              }
            }

            """);
    }

    private static string Json(ClipTowerConfig c) =>
        $"\"hidden_size\": {c.Width}, \"intermediate_size\": {c.Inner}, \"num_hidden_layers\": {c.Layers}, \"num_attention_heads\": {c.Heads}, \"hidden_act\": \"{c.Activation}\", \"layer_norm_eps\": 1e-05, \"projection_dim\": {c.Projection}, \"attention_dropout\": 0.0";

    public IReadOnlyList<Metric> Examine(int scenes) => new ClipExam(model, texts).Run(scenes, options.Seed + 1_000_003);

    public (string, string, string) Card => ("pocket-clip",
        $"A CLIP (Radford et al. 2021) small enough for a processor: pictures of 64×64 pixels in patches of {PatchSize}, {options.Layers} layers of width {options.Width}, texts in {TextLayers} layers of width {TextWidth}, of up to {tokenizer.MaximumLength} tokens in the pocket vocabulary of {tokenizer.VocabularySize}. It puts a picture and what is true of it close together. Layout: CLIPModel of transformers.",
        "For scores of picture and caption, likeness of style, diversity and nearest neighbours within the pocket world. It saw all six styles (flat illustration, outlined cartoon, pastel drawing, blueprint, ink wash painting, woodcut print and other names for them), undisturbed and cropped, blurred, compressed, noisy. It knows nothing else: for photographs use a real CLIP. Pixels are scaled to 64×64 and −1..1 (preprocessor_config.json). Colours are not judged in blueprints, ink washes and woodcuts, which show none.");

    public void Dispose()
    {
        model.Dispose();
        heads.Store.Release();
    }
}
