using LoraFactory.Images;
using LoraFactory.Images.Scenes;
using LoraFactory.Models.Scoring;
using LoraFactory.Models.Weights;
using LoraFactory.Stages.Evaluate;

namespace LoraFactory.Tests.Stages.Evaluate;

/// <summary>
/// The exam of the metrics that gate: pictures as adapters of known faults would draw them, on the project's own scenes. A gate has to hold
/// for the good adapter in every style, and every fault has to be caught by the gates whose business it is.
/// </summary>
[Collection("torch")]
public sealed class MetricExamTests : IDisposable
{
    private readonly ClipScorer clip = ClipScorer.Load(ModelLocator.Find("pocket-clip"));
    private readonly SceneGenerator generator = new();

    public static TheoryData<SceneStyle> Styles => [SceneStyle.Blueprint, SceneStyle.InkWashPainting, SceneStyle.WoodcutPrint];

    [Theory]
    [MemberData(nameof(Styles))]
    public void A_good_adapter_passes_and_every_planted_fault_is_caught(SceneStyle style)
    {
        var exam = new Exam(generator, style);
        var misses = new List<string>();
        void Expect(string @case, IReadOnlyList<Picture> pictures, params string[] caughtBy)
        {
            var set = exam.Set(clip, pictures);
            foreach (var metric in Metrics.All.Select(m => m.Measure(set)))
            {
                var text = $"{@case}: {metric.Name} = {metric.Value:F3} [{metric.Low:F3}, {metric.High:F3}], gate {metric.Gate}";
                if (caughtBy.Length == 0 && metric.Passed == false) misses.Add(text + " fails a good adapter");
                if (caughtBy.Contains(metric.Name) && metric.Passed != false) misses.Add(text + " lets it through");
            }
        }
        Expect("good", exam.Good);
        Expect("empty", exam.Base, "clip_score_delta", "style_similarity");
        Expect("noise", exam.Noise, "clip_score_delta", "prompt_obedience");
        Expect("copies of training pictures", exam.Copies, "memorisation");
        Expect("one picture again and again", exam.Collapsed, "diversity", "prompt_obedience");
        Expect("inverted captions", exam.Inverted, "prompt_obedience");
        Expect("bright pixels", exam.Bright, "clip_score_delta", "style_similarity");
        Assert.True(misses.Count == 0, string.Join("\n", misses));
    }

    // the end of the scale is where pictures of the style are that show what the prompts ask for, whatever that is
    [Theory]
    [MemberData(nameof(Styles))]
    public void True_pictures_of_things_that_were_never_shown_reach_the_end_of_the_style_scale(SceneStyle style)
    {
        var exam = new Exam(generator, style);
        var metric = new StyleSimilarity().Measure(exam.Set(clip, exam.Good));
        Assert.True(metric.Value is > 0.8 and < 1.2, metric.ToString());
    }

    [Theory]
    [MemberData(nameof(Styles))]
    public void Copies_are_caught_where_a_fifth_of_the_training_pictures_have_near_twins(SceneStyle style)
    {
        var exam = new Exam(generator, style);
        // noise of a few grey levels, as another compression leaves it; a picture a little brighter; one that was noised twice, a group of three
        foreach (var (kind, twin) in (ReadOnlySpan<(string, Func<Picture, Picture[]>)>)[("noised", p => [Noised(p, 1)]), ("brighter", p => [Brighter(p)]), ("three", p => [Noised(p, 1), Noised(p, 2)])])
        {
            var metric = new Memorisation();
            var good = metric.Measure(exam.Set(clip, exam.Good, twin));
            var copies = metric.Measure(exam.Set(clip, exam.Copies, twin));
            // what an adapter hands back is never the same to the last bit
            var nearly = metric.Measure(exam.Set(clip, [.. exam.Copies.Select(c => Noised(c, 3))], twin));
            Assert.True(good.Passed == true, $"{kind}, good: {good}");
            Assert.True(copies.Passed == false, $"{kind}, copies: {copies}");
            Assert.True(nearly.Passed == false, $"{kind}, nearly copies: {nearly}");
        }
    }

    // What was made of a training picture is a form of it: handing that back is handing the picture back, and a good adapter is judged no harder for it.
    [Theory]
    [MemberData(nameof(Styles))]
    public void Copies_of_variants_are_caught_and_a_good_adapter_still_passes(SceneStyle style)
    {
        var exam = new Exam(generator, style);
        foreach (var (kind, change) in (ReadOnlySpan<(string, Func<Picture, Picture>)>)[("mirrored", p => p.Mirrored()), ("cropped", p => p.Crop(5, 3, 54, 54)), ("coloured", p => ColourJitter.Of(p, 1.15, 0.9, 0.85))])
        {
            var copies = exam.Copies.Select(change).ToList();
            var good = new Memorisation().Measure(exam.SetWithVariants(clip, exam.Good, change));
            var caught = new Memorisation().Measure(exam.SetWithVariants(clip, copies, change));
            Assert.True(good.Passed == true, $"{kind}, good: {good}");
            Assert.True(caught.Passed == false, $"{kind}, copies: {caught}");
            Assert.Contains("or a variant of one", caught.Meaning, StringComparison.Ordinal);
        }
    }

    private static Picture Noised(Picture p, int seed)
    {
        var random = new Random(seed);
        return new(p.Width, p.Height, [.. p.Pixels.Select(v => (byte)Math.Clamp(v + random.Next(-6, 7), 0, 255))]);
    }

    private static Picture Brighter(Picture p) => new(p.Width, p.Height, [.. p.Pixels.Select(v => (byte)Math.Min(255, v * 1.05 + 4))]);

    [Fact]
    public void A_single_prompt_cannot_be_told_from_another_and_gates_nothing()
    {
        float[][] one = [[1, 0], [0, 1]];
        var set = new EvaluationSet { Prompts = one[..1], PerPrompt = 2, Base = one, Adapter = one, HeldOut = one, HeldOutCaptions = one, Trained = one, TrainedCaptions = one };
        var metric = new PromptObedience().Measure(set);
        Assert.Equal((null, null), (metric.Passed, metric.Gate));
        Assert.NotNull(new PromptObedience().Measure(set with { Prompts = one, PerPrompt = 1 }).Passed);
    }

    public void Dispose() => clip.Dispose();

    /// <summary>One style's data set, prompts on objects it lacks, and what each adapter would draw.</summary>
    private sealed class Exam
    {
        private const int PerPrompt = 3;
        private readonly List<SceneFacts> prompts = [];
        private readonly List<Picture> trained = [];
        private readonly List<Picture> heldOut = [];
        private readonly List<string> captions = [];
        private readonly List<string> heldOutCaptions = [];

        public Exam(SceneGenerator generator, SceneStyle style)
        {
            var objects = Enum.GetValues<SceneObject>();
            var seen = new SceneChoice { Objects = [.. objects.Take(12)], Styles = [style] };
            for (var i = 0; i < 100; i++)
            {
                var scene = generator.Draw(11, i, seen);
                (i < 86 ? trained : heldOut).Add(Picture(scene.Pixels));
                (i < 86 ? captions : heldOutCaptions).Add(scene.Caption);
            }
            var places = Enum.GetValues<ScenePlace>();
            for (var i = 0; i < 10; i++)
                prompts.Add(new(objects[12 + i % 4], (SceneColour)(i % 9), places[i % places.Length], 1 + i % 3, SceneSide.Middle, style));
            Base = Draw(generator, p => p with { Style = SceneStyle.FlatIllustration }, 100);
            Good = Draw(generator, p => p, 200);
            Inverted = Draw(generator, p => prompts[(prompts.IndexOf(p) + 5) % prompts.Count], 300);
            var random = new Random(5);
            Noise = [.. Base.Select(b => new Picture(b.Width, b.Height, [.. b.Pixels.Select(_ => (byte)random.Next(256))]))];
            Bright = [.. Base.Select(b => new Picture(b.Width, b.Height, [.. b.Pixels.Select(v => (byte)Math.Min(255, v * 1.4 + 50))]))];
            Copies = [.. Base.Select((_, i) => trained[i])];
            Collapsed = [.. Base.Select(_ => Good[0])];
        }

        public IReadOnlyList<Picture> Base { get; }
        public IReadOnlyList<Picture> Good { get; }
        public IReadOnlyList<Picture> Noise { get; }
        public IReadOnlyList<Picture> Bright { get; }
        public IReadOnlyList<Picture> Copies { get; }
        public IReadOnlyList<Picture> Collapsed { get; }
        public IReadOnlyList<Picture> Inverted { get; }

        public EvaluationSet Set(ClipScorer clip, IReadOnlyList<Picture> adapter) => new()
        {
            Prompts = clip.Embed([.. prompts.Select(Caption)]),
            PerPrompt = PerPrompt,
            Base = clip.Embed(Base),
            Adapter = clip.Embed(adapter),
            HeldOut = clip.Embed(heldOut),
            Trained = clip.Embed(trained),
            HeldOutCaptions = clip.Embed(heldOutCaptions),
            TrainedCaptions = clip.Embed(captions),
        };

        // The same, with one variant of each training picture.
        public EvaluationSet SetWithVariants(ClipScorer clip, IReadOnlyList<Picture> adapter, Func<Picture, Picture> change) =>
            Set(clip, adapter) with { TrainedVariants = [.. clip.Embed(trained.Select(change)).Select((v, i) => (i, v))] };

        // The same, with near twins of every fifth training picture among them.
        public EvaluationSet Set(ClipScorer clip, IReadOnlyList<Picture> adapter, Func<Picture, Picture[]> twins)
        {
            var also = trained.Select((p, i) => (p, i)).Where(t => t.i % 5 == 0).SelectMany(t => twins(t.p).Select(p => (p, Caption: captions[t.i]))).ToList();
            var set = Set(clip, adapter);
            return set with { Trained = [.. set.Trained, .. clip.Embed(also.Select(t => t.p))], TrainedCaptions = [.. set.TrainedCaptions, .. clip.Embed([.. also.Select(t => t.Caption)])] };
        }

        private List<Picture> Draw(SceneGenerator generator, Func<SceneFacts, SceneFacts> change, int seed) =>
            [.. prompts.SelectMany((p, i) => Enumerable.Range(0, PerPrompt).Select(k => Picture(generator.Render(change(p), seed + i * PerPrompt + k))))];

        private static string Caption(SceneFacts p) => p.Caption(CaptionForm.StyleFirst);

        private static Picture Picture(byte[] pixels) => new(SceneGenerator.Side, SceneGenerator.Side, pixels);
    }
}
