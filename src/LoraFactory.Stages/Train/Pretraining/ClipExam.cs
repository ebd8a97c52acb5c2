using LoraFactory.Flow;
using LoraFactory.Images.Scenes;
using LoraFactory.Models;
using LoraFactory.Torch;

namespace LoraFactory.Stages.Train.Pretraining;

/// <summary>
/// Examines a CLIP on freshly drawn scenes: of all captions that differ in one fact alone, is the true one the nearest? And of the
/// captions of 64 scenes, is the picture's own the nearest?
/// </summary>
internal sealed class ClipExam(ClipModel model, SceneTexts texts)
{
    private const int Batch = 64;

    public IReadOnlyList<Metric> Run(int scenes, long seed)
    {
        using var off = Autograd.NoGrad();
        var found = new Dictionary<string, Share>
        {
            ["style"] = new("style", "of 6, zero-shot among whole captions"),
            ["style, disturbed"] = new("style, disturbed", "of 6, the picture cropped, blurred, compressed or noisy"),
            ["object"] = new("object", "of 16"),
            ["object, single"] = new("object, single", "of 16, pictures with one object"),
            ["object, disturbed"] = new("object, disturbed", "of 16, the picture disturbed"),
            ["colour"] = new("colour", "of 10, styles that show colours"),
            ["place"] = new("place", "of 7; sand and grass count as one where no colour shows"),
            ["count"] = new("count", "of 3"),
            ["side"] = new("side", "of left, right and neither, pictures with one object"),
            ["own caption"] = new("own caption", $"of the captions of {Batch} scenes"),
        };
        for (var at = 0; at + Batch <= scenes; at += Batch)
        {
            using var scope = new Scope();
            Group(at, seed, found);
        }
        return [.. found.Values.Select(s => s.Metric)];
    }

    private void Group(int at, long seed, Dictionary<string, Share> found)
    {
        var generator = new SceneGenerator();
        var drawn = Enumerable.Range(at, Batch).Select(i => generator.Draw(seed, i)).ToList();
        var clean = Embed(drawn.Select(s => s.Pixels));
        var disturbed = Embed(drawn.Select((s, i) =>
        {
            var random = new SceneRandom(~seed, at + i);
            return SceneAugmentation.Disturb(s.Pixels, ref random);
        }));
        // Every scene against the captions that differ in one fact; duplicates between scenes are embedded once.
        var questions = drawn.SelectMany((s, i) => Questions(s).Select(q => (Row: i, Question: q))).ToList();
        var captions = questions.SelectMany(q => q.Question.Captions).Concat(drawn.Select(s => s.Caption)).Distinct().ToList();
        var row = captions.Select((c, i) => (c, i)).ToDictionary(p => p.c, p => p.i, StringComparer.Ordinal);
        var text = Ops.Cat([.. captions.Chunk(256).Select(c => model.EmbedText(texts.Ids(c)))]);
        var scores = clean.Matmul(text.T()).ToArray<float>();
        var disturbedScores = disturbed.Matmul(text.T()).ToArray<float>();
        foreach (var (i, question) in questions)
        {
            var (name, options, right) = question;
            found[name].Add(right(Best(scores, i, options)));
            if (name == "object" && drawn[i].Facts.Count == 1) found["object, single"].Add(right(Best(scores, i, options)));
            if (name is "object" or "style") found[$"{name}, disturbed"].Add(right(Best(disturbedScores, i, options)));
        }
        var own = drawn.Select(s => s.Caption).ToArray();
        for (var i = 0; i < Batch; i++) found["own caption"].Add(SceneClaim.Parse(own[Best(scores, i, own)]).Holds(drawn[i].Facts));

        int Best(float[] of, int i, string[] options) => Enumerable.Range(0, options.Length).MaxBy(k => of[i * captions.Count + row[options[k]]]);
    }

    private static IEnumerable<(string Name, string[] Captions, Func<int, bool> Right)> Questions(Scene scene)
    {
        var f = scene.Facts;
        var claim = SceneClaim.Of(f);
        var form = (CaptionForm)(scene.Caption.Length % 3);
        string[] Texts<T>(Func<T, SceneClaim> with) where T : struct, Enum => [.. Enum.GetValues<T>().Select(v => with(v).Text(form))];
        yield return ("object", Texts<SceneObject>(o => claim with { Object = o }), k => k == (int)f.Object);
        if (f.ColourIsVisible) yield return ("colour", Texts<SceneColour>(c => claim with { Colour = c }), k => k == (int)f.Colour);
        yield return ("place", Texts<ScenePlace>(p => claim with { Place = p }), k => f.MayBe((ScenePlace)k));
        yield return ("style", [.. SceneChoice.JudgedStyles.Select(s => (claim with { Style = s }).Text(form))], k => SceneChoice.JudgedStyles[k] == f.Style);
        yield return ("count", [.. Enumerable.Range(1, 3).Select(n => (claim with { Count = n, Side = SceneSide.Middle }).Text(form))], k => k + 1 == f.Count);
        if (f.Count == 1) yield return ("side", Texts<SceneSide>(s => claim with { Side = s }), k => k == (int)f.Side);
    }

    private Tensor Embed(IEnumerable<byte[]> pictures)
    {
        var all = pictures.ToList();
        var pixels = new float[all.Sum(p => p.Length)];
        for (var i = 0; i < all.Count; i++) SceneBatches.Planes(all[i], pixels.AsSpan(i * all[i].Length));
        return model.EmbedImage(new SceneBatch([.. all.Select(_ => (SceneFacts)null!)], pixels).PixelTensor());
    }
}
