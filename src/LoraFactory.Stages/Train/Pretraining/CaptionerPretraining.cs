using LoraFactory.Flow;
using LoraFactory.Images.Scenes;
using LoraFactory.Models;
using LoraFactory.Models.Tokenizers;
using LoraFactory.Models.Weights;
using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Stages.Train.Pretraining;

/// <summary>
/// Pocket captioner: a BLIP (Li et al. 2022) that writes down what a scene shows, token by token. What cannot be seen is not
/// in its captions: no colours of blueprints, ink washes and woodcuts.
/// </summary>
internal sealed class CaptionerPretraining : IPretraining
{
    private const long NotCounted = -100;
    private const int PatchSize = 16;
    private const int WidestText = 128;

    private readonly PretrainOptions options;
    private readonly ClipTokenizer tokenizer;
    private readonly SceneTexts texts;
    private readonly SceneBatches batches;
    private readonly Blip model;
    private readonly FactHeads heads;
    private readonly Dictionary<string, double> parts = new(StringComparer.Ordinal);

    public CaptionerPretraining(PretrainOptions options)
    {
        this.options = options;
        tokenizer = PocketFolder.Tokenizer(options.Base);
        texts = new(tokenizer);
        batches = new(options.Seed, PretrainingRun.Decided(options.BatchSize, Defaults.BatchSize), SceneLesson.Rising(PretrainingRun.Decided(options.Steps, Defaults.Steps), trained: options.From.Length > 0));
        if (options.From.Length > 0)
        {
            using var source = WeightFolder.Open(options.From);
            model = new(BlipConfig.Read(ModelConfig.Read(Path.Combine(options.From, "config.json"))));
            PocketFolder.LoadTrainable(model.Store, source);
            heads = new((int)model.Config.VisionConfig.HiddenSize);
            return;
        }
        var textWidth = Math.Min(options.Width, WidestText);
        model = new(new BlipConfig
        {
            VisionConfig = new() { HiddenSize = options.Width, IntermediateSize = 4 * options.Width, NumAttentionHeads = Math.Max(1, options.Width / 32), NumHiddenLayers = options.Layers, ImageSize = SceneGenerator.Side, PatchSize = PatchSize },
            TextConfig = new()
            {
                VocabSize = tokenizer.VocabularySize,
                HiddenSize = textWidth,
                EncoderHiddenSize = options.Width,
                IntermediateSize = 4 * textWidth,
                NumAttentionHeads = Math.Max(1, textWidth / 32),
                NumHiddenLayers = Math.Max(1, options.Layers - 1),
                MaxPositionEmbeddings = tokenizer.MaximumLength,
                BosTokenId = tokenizer.BeginId,
                SepTokenId = tokenizer.EndId,
                PadTokenId = tokenizer.PadId,
            },
        });
        model.Store.Initialize();
        VisionStart.SpreadPositions(model.Store.Find("vision_model.embeddings.position_embedding")!.Value.Select(0, 0), SceneGenerator.Side / PatchSize);
        VisionStart.SharpenAttention(model.Store);
        heads = new(options.Width);
    }

    public (int Steps, int BatchSize, double LearningRate) Defaults => (3000, 32, 1e-3);

    public IReadOnlyList<(string, ParameterStore)> Trained => [("", model.Store), ("heads", heads.Store)];

    public IReadOnlyDictionary<string, double> Parts => parts;

    public Tensor Loss(int step)
    {
        var batch = batches.Of(step);
        var ids = texts.Ids([.. batch.Facts.Select(Caption)]);
        var states = model.ImageStates(batch.PixelTensor());
        parts.Clear();
        var said = model.Loss(model.Logits(ids, states), Labels(ids));
        parts["caption"] = said.Item();
        return said + heads.Loss(states.Select(1, 0), batch.Facts, parts);
    }

    /// <summary>What the picture shows, in one fixed order of words.</summary>
    private static string Caption(SceneFacts facts) => (SceneClaim.Of(facts) with { Colour = facts.ColourIsVisible ? facts.Colour : null }).Text(CaptionForm.StyleLast);

    /// <summary>The ids, with everything after the first end id not counted.</summary>
    private Tensor Labels(Tensor ids)
    {
        var labels = ids.ToArray<long>();
        var width = (int)ids.Size(1);
        for (var row = 0; row < labels.Length; row += width)
        {
            var end = Array.IndexOf(labels, tokenizer.EndId, row, width);
            for (var i = end + 1; end >= 0 && i < row + width; i++) labels[i] = NotCounted;
        }
        return Tensor.From(labels, ids.Size(0), width);
    }

    public void Export(string folder)
    {
        PocketFolder.WriteWeights(model.Store, Path.Combine(folder, "model.safetensors"));
        PocketFolder.CopyTokenizer(options.Base, folder);
        PocketFolder.WritePreprocessor(folder, "BlipImageProcessor");
        AtomicFile.WriteText(Path.Combine(folder, "config.json"), model.Config.ToJson() + "\n");
    }

    public IReadOnlyList<Metric> Examine(int scenes)
    {
        const int Batch = 64;
        var found = new Dictionary<string, Share>
        {
            ["object"] = new("object", "of 16"),
            ["object, single"] = new("object, single", "of 16, pictures with one object"),
            ["colour"] = new("colour", "of 10, styles that show colours"),
            ["place"] = new("place", "of 7; sand and grass count as one where no colour shows"),
            ["count"] = new("count", "of 3"),
            ["side"] = new("side", "of left, right and neither, pictures with one object"),
            ["style"] = new("style", "of 6"),
            ["everything"] = new("everything", "every fact that can be seen"),
            ["everything, disturbed"] = new("everything, disturbed", "the picture cropped, blurred, compressed or noisy"),
        };
        var clean = new SceneBatches(options.Seed + 1_000_003, Batch, new SceneChoice(), disturbed: false);
        var disturbed = new SceneBatches(options.Seed + 1_000_003, Batch, new SceneChoice(), disturbed: true);
        for (var step = 0; (step + 1) * Batch <= scenes; step++)
        {
            using var scope = new Scope();
            foreach (var (facts, said) in Said(clean.Of(step))) Judge(facts, said, found);
            foreach (var (facts, said) in Said(disturbed.Of(step))) found["everything, disturbed"].Add(AllRight(facts, said));
        }
        return [.. found.Values.Select(s => s.Metric)];
    }

    private IEnumerable<(SceneFacts Facts, SceneClaim Said)> Said(SceneBatch batch)
    {
        var captions = model.Caption(batch.PixelTensor(), tokenizer.MaximumLength - 1);
        return batch.Facts.Zip(captions, (f, ids) => (f, SceneClaim.Parse(tokenizer.Decode(ids.Select(id => (int)id)))));
    }

    private static void Judge(SceneFacts facts, SceneClaim said, Dictionary<string, Share> found)
    {
        found["object"].Add(said.Object == facts.Object);
        if (facts.Count == 1) found["object, single"].Add(said.Object == facts.Object);
        if (facts.ColourIsVisible) found["colour"].Add(said.Colour == facts.Colour);
        found["place"].Add(said.Place is { } place && facts.MayBe(place));
        found["count"].Add(said.Count == facts.Count);
        if (facts.Count == 1) found["side"].Add(said.Side == facts.Side);
        found["style"].Add(said.Style == facts.Style);
        found["everything"].Add(AllRight(facts, said));
    }

    private static bool AllRight(SceneFacts facts, SceneClaim said) =>
        said is { Object: not null, Place: not null, Count: not null, Style: not null } && (said.Colour is not null || !facts.ColourIsVisible) && said.Holds(facts);

    public (string, string, string) Card => ("pocket-captioner",
        $"A captioner (BLIP, Li et al. 2022) small enough for a processor: pictures of 64×64 pixels in patches of {PatchSize}, vision tower of {options.Layers} layers, decoder of {model.Config.TextConfig.NumHiddenLayers} with cross-attention, width {options.Width}, captions of up to {tokenizer.MaximumLength} tokens in the pocket vocabulary. Layout: BlipForConditionalGeneration of transformers.",
        "It writes captions such as `two blue boats by the sea, pastel drawing` and `a house on the left in the snow, blueprint`: count, colour where the style shows one, object, side, place, style. Greedy decoding. It knows the pocket world and nothing else. Pixels are scaled to 64×64 and −1..1 (preprocessor_config.json).");

    public void Dispose()
    {
        model.Dispose();
        heads.Store.Release();
    }
}
