using System.Text.Json;
using LoraFactory.Images;
using LoraFactory.Images.Scenes;
using LoraFactory.Models;
using LoraFactory.Models.Tokenizers;
using LoraFactory.Tests.Torch;
using LoraFactory.Torch;

namespace LoraFactory.Tests.Models;

/// <summary>The pocket models in assets/, loaded and used as a stage would, on scenes that no training saw.</summary>
[Collection("torch")]
public sealed class PocketModelTests
{
    private const long Seed = 20_260_101;
    private const int Count = 240;

    private static string Asset(string name) => Path.Combine(TestData.Root, "assets", name);

    [Fact]
    public void The_assets_stay_small_and_each_has_a_card()
    {
        var folders = Directory.GetDirectories(Path.Combine(TestData.Root, "assets"));
        Assert.True(folders.Length >= 3);
        Assert.All(folders, f => Assert.True(File.Exists(Path.Combine(f, "README.md")), f));
        var bytes = Directory.EnumerateFiles(Path.Combine(TestData.Root, "assets"), "*", SearchOption.AllDirectories).Sum(f => new FileInfo(f).Length);
        Assert.InRange(bytes, 1, 40L << 20);
    }

    [Fact]
    public void Pocket_clip_finds_what_is_true_of_a_picture() => OnTensorThread.Run(() =>
    {
        using var off = Autograd.NoGrad();
        using var clip = ClipModel.Load(Asset("pocket-clip"));
        var scenes = Scenes();
        var image = clip.EmbedImage(Pixels("pocket-clip", scenes));
        // Chances are 1/6, 1/16 and 1/10.
        Assert.InRange(Right(clip, scenes, image, [.. SceneChoice.JudgedStyles], (c, v) => c with { Style = v }), 0.75, 1);
        Assert.InRange(Right(clip, scenes, image, Enum.GetValues<SceneObject>(), (c, v) => c with { Object = v }), 0.6, 1);
        Assert.InRange(Right(clip, scenes, image, Enum.GetValues<SceneColour>(), (c, v) => c with { Colour = v }, f => f.ColourIsVisible), 0.65, 1);
    });

    [Fact]
    public void Pocket_clip_puts_pictures_of_one_style_together() => OnTensorThread.Run(() =>
    {
        using var off = Autograd.NoGrad();
        using var clip = ClipModel.Load(Asset("pocket-clip"));
        var scenes = Scenes();
        var image = clip.EmbedImage(Pixels("pocket-clip", scenes));
        var cosines = image.Matmul(image.T()).ToArray<float>();
        var (same, other) = (new List<double>(), new List<double>());
        for (var i = 0; i < Count; i++)
        {
            for (var j = 0; j < i; j++) (scenes[i].Facts.Style == scenes[j].Facts.Style ? same : other).Add(cosines[i * Count + j]);
        }
        Assert.True(same.Average() > other.Average() + 0.15, $"{same.Average():0.00} against {other.Average():0.00}");
    });

    [Fact]
    public void The_pocket_captioner_writes_down_what_it_sees() => OnTensorThread.Run(() =>
    {
        using var captioner = Blip.Load(Asset("pocket-captioner"));
        var tokenizer = ClipTokenizer.Load(Asset("pocket-captioner"));
        var scenes = Scenes();
        var said = captioner.Caption(Pixels("pocket-captioner", scenes)).Select(ids => SceneClaim.Parse(tokenizer.Decode(ids.Select(id => (int)id)))).ToList();
        double Share(Func<SceneFacts, SceneClaim, bool> right, Func<SceneFacts, bool>? asked = null) =>
            scenes.Zip(said).Where(p => asked?.Invoke(p.First.Facts) ?? true).Average(p => right(p.First.Facts, p.Second) ? 1.0 : 0);
        Assert.InRange(Share((f, c) => c.Style == f.Style), 0.85, 1);
        Assert.InRange(Share((f, c) => c.Object == f.Object), 0.7, 1);
        Assert.InRange(Share((f, c) => c.Colour == f.Colour, f => f.ColourIsVisible), 0.8, 1);
        Assert.InRange(Share((f, c) => c.Colour is null, f => !f.ColourIsVisible), 0.9, 1);
        Assert.InRange(Share((f, c) => c.Count == f.Count), 0.7, 1);
    });

    private static List<Scene> Scenes()
    {
        var generator = new SceneGenerator();
        return [.. Enumerable.Range(0, Count).Select(i => generator.Draw(Seed, i))];
    }

    private static Tensor Pixels(string asset, List<Scene> scenes)
    {
        using var config = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Asset(asset), "preprocessor_config.json")));
        var processor = PictureProcessor.Parse(config.RootElement);
        var values = scenes.SelectMany(s => processor.Process(new Picture(SceneGenerator.Side, SceneGenerator.Side, s.Pixels), out _, out _)).ToArray();
        return Tensor.From(values, scenes.Count, 3, SceneGenerator.Side, SceneGenerator.Side);
    }

    /// <summary>Share of scenes whose true caption is the nearest of those that differ in one fact.</summary>
    private static double Right<T>(ClipModel clip, List<Scene> scenes, Tensor image, T[] values, Func<SceneClaim, T, SceneClaim> with, Func<SceneFacts, bool>? asked = null)
    {
        var tokenizer = ClipTokenizer.Load(Asset("pocket-clip"));
        var (right, all) = (0, 0);
        for (var i = 0; i < scenes.Count; i++)
        {
            if (asked?.Invoke(scenes[i].Facts) == false) continue;
            using var scope = new Scope();
            var claims = values.Select(v => with(SceneClaim.Of(scenes[i].Facts), v)).ToList();
            var ids = claims.SelectMany(c => tokenizer.Encode(c.Text(CaptionForm.StyleOf))).Select(id => (long)id).ToArray();
            var text = clip.EmbedText(Tensor.From(ids, claims.Count, tokenizer.MaximumLength));
            var best = text.Matmul(image.Narrow(0, i, 1).T()).ToArray<float>();
            all++;
            if (claims[Array.IndexOf(best, best.Max())] == SceneClaim.Of(scenes[i].Facts)) right++;
        }
        return (double)right / all;
    }
}
