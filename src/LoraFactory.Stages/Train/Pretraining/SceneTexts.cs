using LoraFactory.Images.Scenes;
using LoraFactory.Models.Tokenizers;
using LoraFactory.Torch;

namespace LoraFactory.Stages.Train.Pretraining;

/// <summary>Says things about scenes, true ones and nearly true ones, and turns them into token ids.</summary>
internal sealed class SceneTexts(ClipTokenizer tokenizer)
{
    /// <summary>
    /// A true claim: all of the facts, or some of them. At least the object or the style is named, and a colour that cannot be seen
    /// is left out half of the time.
    /// </summary>
    public static SceneClaim True(SceneFacts facts, ref SceneRandom random)
    {
        var all = SceneClaim.Of(facts);
        if (random.Chance(.5)) return all;
        var named = random.Chance(.85);
        return new SceneClaim
        {
            Object = named ? all.Object : null,
            Count = named ? all.Count : null,
            Side = named ? all.Side : null,
            Colour = named && random.Chance(facts.ColourIsVisible ? .75 : .4) ? all.Colour : null,
            Place = random.Chance(.6) ? all.Place : null,
            Style = !named || random.Chance(.7) ? all.Style : null,
        };
    }

    /// <summary>The claim with one thing changed that the picture speaks against.</summary>
    public static SceneClaim NearlyTrue(SceneClaim claim, SceneFacts facts, ref SceneRandom random)
    {
        for (var tries = 0; tries < 20; tries++)
        {
            var changed = random.Next(8) switch
            {
                0 or 1 or 2 when claim.Object is not null => claim with { Object = (SceneObject)random.Next(16) },
                3 or 4 when claim.Colour is not null => claim with { Colour = (SceneColour)random.Next(10) },
                5 when claim.Place is not null => claim with { Place = (ScenePlace)random.Next(7) },
                6 when claim.Style is not null => claim with { Style = random.Pick(SceneChoice.JudgedStyles) },
                7 when claim.Side is not null and not SceneSide.Middle => claim with { Side = claim.Side == SceneSide.Left ? SceneSide.Right : SceneSide.Left },
                7 when claim.Count is not null => claim with { Count = 1 + random.Next(3), Side = SceneSide.Middle },
                _ => claim,
            };
            if (!changed.Holds(facts)) return changed;
        }
        return claim with { Style = facts.Style == SceneStyle.WoodcutPrint ? SceneStyle.Blueprint : SceneStyle.WoodcutPrint };
    }

    /// <summary>The claim in one of its wordings; a fifth of them names the style by another of its names.</summary>
    public static string Word(SceneClaim claim, ref SceneRandom random) =>
        claim.Text((CaptionForm)random.Next(3), random.Chance(.2) ? random.Next(20) : 0);

    /// <summary>Token ids int64 [n, longest], padded with the tokenizer's own filling, in the current scope.</summary>
    public Tensor Ids(IReadOnlyList<string> texts)
    {
        var longest = Math.Min(texts.Max(t => tokenizer.EncodeWhole(t).Length), tokenizer.MaximumLength);
        return Tensor.From(texts.SelectMany(t => tokenizer.Encode(t, longest)).Select(id => (long)id).ToArray(), texts.Count, longest);
    }
}
