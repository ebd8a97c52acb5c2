using LoraFactory.Models.Tokenizers;
using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Models.Pipelines;

/// <summary>Texts as a UNet sees them.</summary>
/// <param name="Context">[b, windows·77, d].</param>
/// <param name="Pooled">[b, p] of SDXL's second encoder; null with one encoder.</param>
public sealed record PromptEmbeddings(Tensor Context, Tensor? Pooled);

/// <summary>
/// Turns prompts into conditions: SD 1 and 2 with one text encoder, SDXL with two, of which the states before the last layer are joined.
/// No attention mask: padding is attended to, as in training.
/// </summary>
public sealed class PromptEncoder
{
    private readonly ClipTokenizer tokenizer;
    private readonly ClipTextModel encoder;
    private readonly ClipTokenizer? secondTokenizer;
    private readonly ClipTextModel? second;
    private readonly bool zerosForMissing;

    /// <summary>One encoder, or two; <paramref name="zerosForMissing"/>: a missing negative prompt is zeros instead of an empty text.</summary>
    public PromptEncoder(ClipTokenizer tokenizer, ClipTextModel encoder, ClipTokenizer? secondTokenizer = null, ClipTextModel? second = null, bool zerosForMissing = false)
    {
        this.tokenizer = tokenizer;
        this.encoder = encoder;
        this.secondTokenizer = secondTokenizer;
        this.second = second;
        this.zerosForMissing = zerosForMissing;
    }

    /// <summary>The first encoder's tokenizer.</summary>
    public ClipTokenizer Tokenizer => tokenizer;
    /// <summary>The second encoder's tokenizer, or null.</summary>
    public ClipTokenizer? SecondTokenizer => secondTokenizer;

    /// <summary>
    /// The conditions of a batch, rows without the prompt first when <paramref name="guided"/>. Equal texts are encoded once, unless
    /// adapters on an encoder differ by row: then every row is, in the batch's own order.
    /// </summary>
    public PromptEmbeddings Encode(GenerationRequest request, bool guided)
    {
        var n = request.Prompts.Count;
        var repeat = request.PicturesPerPrompt;
        var positive = Rows(request.Prompts, n, "prompts");
        var negative = Rows(request.NegativePrompts ?? [""], n, "negative prompts");
        var first = new Batch(guided ? negative : [], positive, repeat);
        if (second is null || secondTokenizer is null) return new(EncodeOne(tokenizer, encoder, first, request, last: 0).States, null);
        var positive2 = request.SecondPrompts is { } p ? Rows(p, n, "second prompts") : positive;
        var negative2 = request.SecondNegativePrompts is { } m ? Rows(m, n, "second negative prompts") : negative;
        // SDXL was trained on the states before the last layer, without the final norm
        var a = EncodeOne(tokenizer, encoder, first, request, last: 1).States;
        var b = EncodeOne(secondTokenizer, second, new(guided ? negative2 : [], positive2, repeat), request, last: 1);
        var context = Ops.Cat([a, b.States], -1);
        var pooled = b.Pooled!;
        if (guided && zerosForMissing && request.NegativePrompts is null)
        {
            var rows = n * repeat;
            context = Ops.Cat([context.Narrow(0, 0, rows).ZerosLike(), context.Narrow(0, rows, rows)], 0);
            pooled = Ops.Cat([pooled.Narrow(0, 0, rows).ZerosLike(), pooled.Narrow(0, rows, rows)], 0);
        }
        return new(context, pooled);
    }

    private static string[] Rows(IReadOnlyList<string> texts, int n, string what)
    {
        if (texts.Count == n) return [.. texts];
        return texts.Count == 1 ? [.. Enumerable.Repeat(texts[0], n)]
            : throw new ModelException($"{texts.Count} {what} for {n} prompts; give one for all or one for each.");
    }

    private static (Tensor States, Tensor? Pooled) EncodeOne(ClipTokenizer tokenizer, ClipTextModel model, Batch batch, GenerationRequest request, int last)
    {
        var layers = model.Text.Config.Tower.Layers;
        if (request.ClipSkip < 0 || request.ClipSkip + last >= layers)
            throw new ModelException($"clip skip {request.ClipSkip}: it has to be from 0 to {layers - last - 1} with a text encoder of {layers} layers.");
        if (request.PromptWindows is < 1 or > 8) throw new ModelException($"{request.PromptWindows} windows of text a prompt: it has to be from 1 to 8.");
        string[] distinct = DiffersByRow(model.Store) ? batch.Texts : [.. batch.Texts.Distinct(StringComparer.Ordinal)];
        var places = distinct.Length == batch.Texts.Length ? [.. Enumerable.Range(0, distinct.Length).Select(i => (long)i)]
            : batch.Texts.Select(text => (long)Array.IndexOf(distinct, text)).ToArray();
        var windows = distinct.Select(text => tokenizer.EncodeWindows(text, request.PromptWindows)).ToArray();
        var states = new List<Tensor>();
        Tensor? pooled = null;
        for (var w = 0; w < request.PromptWindows; w++)
        {
            var window = w;
            var ids = Ids([.. windows.Select(all => all[window])], model);
            var output = model.Text.Forward(ids);
            var negative = Layer(model, output, request.ClipSkipNegative ? request.ClipSkip : 0, last);
            var positive = Layer(model, output, request.ClipSkip, last);
            states.Add(Ops.Cat([Pick(negative, places[..batch.Negatives]), Pick(positive, places[batch.Negatives..])], 0));
            if (w == 0 && model.Text.HasProjection) pooled = Pick(model.Text.Project(model.Text.Pooled(output.LastHiddenState, ids)), places);
        }
        return (states.Count == 1 ? states[0] : Ops.Cat(states.ToArray(), 1), pooled);
    }

    private static Tensor Layer(ClipTextModel model, ClipTextOutput output, int skip, int last) =>
        last > 0 ? output.HiddenStates[^(skip + 1 + last)]
            : skip == 0 ? output.LastHiddenState
            : model.Text.FinalNorm(output.HiddenStates[^(skip + 1)]);

    private static Tensor Pick(Tensor rows, long[] places) => rows.IndexSelect(0, Tensor.From(places, places.Length).To(dtype: DType.Int64, device: rows.Device));

    /// <summary>Texts of a batch, those without the prompt first.</summary>
    private sealed class Batch(string[] negative, string[] positive, int repeat)
    {
        public string[] Texts { get; } = [.. negative.Concat(positive).SelectMany(text => Enumerable.Repeat(text, repeat))];
        public int Negatives { get; } = negative.Length * repeat;
    }

    private static bool DiffersByRow(ParameterStore store) => store.Layers.Values.Any(layer => layer.Branches.Exists(branch => branch.Rows != 0));

    private static Tensor Ids(int[][] rows, ClipTextModel model)
    {
        var flat = rows.SelectMany(row => row.Select(id => (long)id)).ToArray();
        var vocabulary = model.Text.Config.Vocabulary;
        if (flat.Max() >= vocabulary) throw new ModelException($"the tokenizer gives id {flat.Max()} and the text encoder knows {vocabulary} tokens; they belong to different models.");
        return Tensor.From(flat, rows.Length, rows[0].Length).To(dtype: DType.Int64, device: model.Store.Parameters[0].Value.Device);
    }
}
