namespace LoraFactory.Images.Scenes;

/// <summary>A drawn scene with everything that is true of it.</summary>
/// <param name="Facts">What it shows.</param>
/// <param name="Caption">The whole truth in words, in one of the three <see cref="CaptionForm"/>s.</param>
/// <param name="Pixels">RGB of 8 bits, row-major, interleaved: <see cref="SceneGenerator.Side"/>² × 3 bytes.</param>
public sealed record Scene(SceneFacts Facts, string Caption, byte[] Pixels);

/// <summary>Which scenes are drawn; the default is all of them in the styles that the pocket CLIP and captioner judge.</summary>
public sealed record SceneChoice
{
    /// <summary>Objects to choose from.</summary>
    public IReadOnlyList<SceneObject> Objects { get; init; } = Enum.GetValues<SceneObject>();
    /// <summary>Styles to choose from.</summary>
    public IReadOnlyList<SceneStyle> Styles { get; init; } = JudgedStyles;
    /// <summary>Chance of a single object; the rest is two or three of it.</summary>
    public double SingleShare { get; init; } = 0.6;

    /// <summary>Styles that the pocket base model knows: filled ones, and lines on a dark and on a light ground.</summary>
    public static IReadOnlyList<SceneStyle> BaseStyles { get; } =
        [SceneStyle.FlatIllustration, SceneStyle.OutlinedCartoon, SceneStyle.PastelDrawing, SceneStyle.ChalkDrawing, SceneStyle.PencilSketch];

    /// <summary>Styles that the pocket CLIP and captioner know; the last three of them are new to the base model.</summary>
    public static IReadOnlyList<SceneStyle> JudgedStyles { get; } =
        [SceneStyle.FlatIllustration, SceneStyle.OutlinedCartoon, SceneStyle.PastelDrawing, SceneStyle.Blueprint, SceneStyle.InkWashPainting, SceneStyle.WoodcutPrint];
}

/// <summary>
/// Draws the pocket world: 64×64 pictures of simple scenes with exact captions. Scene number n of a seed is the same picture
/// and caption in every run, and needs none of those before it. One generator serves one thread.
/// </summary>
public sealed class SceneGenerator
{
    /// <summary>Width and height of a picture in pixels.</summary>
    public const int Side = 64;

    private readonly SceneRenderer _renderer = new();

    /// <summary>Scene number <paramref name="index"/> of a seed.</summary>
    public Scene Draw(long seed, long index, SceneChoice? choice = null)
    {
        var random = new SceneRandom(seed, index);
        var facts = Facts(ref random, choice ?? new SceneChoice());
        var caption = facts.Caption((CaptionForm)random.Next(3));
        return new Scene(facts, caption, _renderer.Render(facts, ref random));
    }

    /// <summary>A picture of given facts; the seed places horizon, sun and stars, and shifts and scales the objects a little.</summary>
    public byte[] Render(SceneFacts facts, long seed)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(facts.Count, 1, nameof(facts));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(facts.Count, 3, nameof(facts));
        var random = new SceneRandom(seed);
        return _renderer.Render(facts, ref random);
    }

    private static SceneFacts Facts(ref SceneRandom random, SceneChoice choice)
    {
        var it = random.Pick(choice.Objects);
        var colour = (SceneColour)random.Next(Enum.GetValues<SceneColour>().Length);
        var place = (ScenePlace)random.Next(Enum.GetValues<ScenePlace>().Length);
        var count = random.Chance(choice.SingleShare) ? 1 : 2 + random.Next(2);
        var side = count == 1 ? (SceneSide)Math.Max(0, random.Next(4) - 1) : SceneSide.Middle;
        return new SceneFacts(it, colour, place, count, side, random.Pick(choice.Styles));
    }
}
