using LoraFactory.Images.Scenes;
using Xunit;

namespace LoraFactory.Tests.Images.Scenes;

public sealed class SceneGeneratorTests
{
    private readonly SceneGenerator _generator = new();

    [Fact]
    public void A_scene_depends_on_seed_and_index_alone()
    {
        var forward = Enumerable.Range(0, 60).Select(i => _generator.Draw(7, i)).ToList();
        var backward = Enumerable.Range(0, 60).Reverse().Select(i => new SceneGenerator().Draw(7, i)).Reverse().ToList();
        for (var i = 0; i < forward.Count; i++)
        {
            Assert.Equal(forward[i].Facts, backward[i].Facts);
            Assert.Equal(forward[i].Caption, backward[i].Caption);
            Assert.Equal(forward[i].Pixels, backward[i].Pixels);
        }
        Assert.Equal(60, forward.Select(s => Convert.ToBase64String(s.Pixels)).Distinct().Count());
        Assert.NotEqual(forward[0].Pixels, _generator.Draw(8, 0).Pixels);
    }

    [Fact]
    public void Every_fact_occurs()
    {
        var facts = Enumerable.Range(0, 2000).Select(i => _generator.Draw(1, i).Facts).ToList();
        Assert.Equal(16, facts.Select(f => f.Object).Distinct().Count());
        Assert.Equal(10, facts.Select(f => f.Colour).Distinct().Count());
        Assert.Equal(7, facts.Select(f => f.Place).Distinct().Count());
        Assert.Equal(3, facts.Select(f => f.Count).Distinct().Count());
        Assert.Equal(3, facts.Select(f => f.Side).Distinct().Count());
        Assert.Equal(6, facts.Select(f => f.Style).Distinct().Count());
        Assert.DoesNotContain(facts, f => f.Count > 1 && f.Side != SceneSide.Middle);
    }

    [Fact]
    public void A_choice_is_kept_to()
    {
        var choice = new SceneChoice { Objects = [SceneObject.Key, SceneObject.Cat], Styles = SceneChoice.BaseStyles, SingleShare = 1 };
        var facts = Enumerable.Range(0, 300).Select(i => _generator.Draw(2, i, choice).Facts).ToList();
        Assert.All(facts, f => Assert.True(f.Object is SceneObject.Key or SceneObject.Cat));
        Assert.All(facts, f => Assert.Contains(f.Style, SceneChoice.BaseStyles));
        Assert.All(facts, f => Assert.Equal(1, f.Count));
    }

    [Theory]
    [InlineData(1), InlineData(2), InlineData(3)]
    public void As_many_objects_are_drawn_as_the_facts_say(int count)
    {
        for (var seed = 0; seed < 20; seed++)
        {
            var facts = new SceneFacts(SceneObject.Star, SceneColour.Blue, ScenePlace.Plain, count, SceneSide.Middle, SceneStyle.FlatIllustration);
            Assert.Equal(count, Islands([.. Coloured(_generator.Render(facts, seed), 236, 232, 224).Select(background => !background)]));
        }
    }

    [Theory]
    [InlineData(SceneSide.Left), InlineData(SceneSide.Right)]
    public void The_object_stands_on_the_side_that_the_facts_say(SceneSide side)
    {
        foreach (var it in Enum.GetValues<SceneObject>())
        {
            var facts = new SceneFacts(it, SceneColour.Red, ScenePlace.Plain, 1, side, SceneStyle.FlatIllustration);
            var mask = Coloured(_generator.Render(facts, 3), 214, 48, 49);
            var columns = Enumerable.Range(0, mask.Length).Where(i => mask[i]).Select(i => i % SceneGenerator.Side).ToList();
            Assert.NotEmpty(columns);
            Assert.Equal(side == SceneSide.Left, columns.Average() < SceneGenerator.Side / 2.0);
        }
    }

    [Fact]
    public void Styles_are_told_apart_by_colours_and_edges()
    {
        var styles = Enum.GetValues<SceneStyle>();
        List<double[]> Features(SceneStyle style, int seed) =>
            [.. Enumerable.Range(0, 80).Select(i => Statistics(_generator.Draw(seed, i, new SceneChoice { Styles = [style] }).Pixels))];
        var known = styles.SelectMany(s => Features(s, 1).Select(f => (Style: s, Feature: f))).ToList();
        var right = 0;
        foreach (var style in styles)
        {
            right += Features(style, 2).Count(f => known.MinBy(k => Distance(k.Feature, f)).Style == style);
        }
        Assert.InRange(right / (80.0 * styles.Length), 0.95, 1);
    }

    private static double[] Statistics(byte[] rgb)
    {
        double dark = 0, light = 0, grey = 0, blue = 0, paper = 0, edge = 0;
        for (var i = 3; i < rgb.Length; i += 3)
        {
            int r = rgb[i], g = rgb[i + 1], b = rgb[i + 2];
            dark += r + g + b < 150 ? 1 : 0;
            light += r + g + b > 540 ? 1 : 0;
            grey += Math.Max(r, Math.Max(g, b)) - Math.Min(r, Math.Min(g, b)) < 16 ? 1 : 0;
            blue += Math.Abs(r - 28) + Math.Abs(g - 72) + Math.Abs(b - 150) < 30 ? 1 : 0;
            paper += Math.Abs(r - 232) + Math.Abs(g - 214) + Math.Abs(b - 178) < 12 ? 1 : 0;
            edge += Math.Abs(g - rgb[i - 2]) / 64.0;
        }
        return [dark, light, grey, blue, paper, edge];
    }

    private static double Distance(double[] a, double[] b) => a.Zip(b).Sum(p => Math.Abs(p.First - p.Second));

    private static bool[] Coloured(byte[] rgb, int r, int g, int b) =>
        [.. Enumerable.Range(0, rgb.Length / 3).Select(i => Math.Abs(rgb[3 * i] - r) + Math.Abs(rgb[3 * i + 1] - g) + Math.Abs(rgb[3 * i + 2] - b) < 60)];

    private static int Islands(bool[] mask)
    {
        const int Side = SceneGenerator.Side;
        var left = mask.ToArray();
        var islands = 0;
        for (var start = 0; start < left.Length; start++)
        {
            if (!left[start]) continue;
            islands++;
            var open = new Stack<int>([start]);
            while (open.TryPop(out var at))
            {
                if (!left[at]) continue;
                left[at] = false;
                for (var dy = -1; dy <= 1; dy++)
                {
                    for (var dx = -1; dx <= 1; dx++)
                    {
                        int x = at % Side + dx, y = at / Side + dy;
                        if (x is >= 0 and < Side && y is >= 0 and < Side) open.Push(y * Side + x);
                    }
                }
            }
        }
        return islands;
    }
}
