namespace LoraFactory.Images.Scenes;

/// <summary>What a scene shows. Names in lower case are the words of its caption.</summary>
public enum SceneObject
{
    House, Tree, Fish, Boat, Car, Flower, Cat, Mushroom, Cup, Apple, Rocket, Umbrella, Star, Bird, Balloon, Key,
}

/// <summary>Colour of the object.</summary>
public enum SceneColour
{
    Red, Blue, Green, Yellow, Orange, Purple, Pink, White, Brown, Grey,
}

/// <summary>Where the object stands; <see cref="SceneWords.Of(ScenePlace)"/> gives the words.</summary>
public enum ScenePlace
{
    GreenField, Sea, Desert, Snow, Night, Sunset, Plain,
}

/// <summary>Side of the picture; only a single object has one.</summary>
public enum SceneSide
{
    /// <summary>In the middle, and not spoken of.</summary>
    Middle,
    Left,
    Right,
}

/// <summary>How the scene is drawn; <see cref="SceneChoice"/> says which of them the pocket models know.</summary>
public enum SceneStyle
{
    FlatIllustration, OutlinedCartoon, PastelDrawing, Blueprint, InkWashPainting, WoodcutPrint, ChalkDrawing, PencilSketch,
}

/// <summary>Order of the words in a caption.</summary>
public enum CaptionForm
{
    /// <summary>"a blueprint of a red house in the snow"</summary>
    StyleOf,
    /// <summary>"a red house in the snow, blueprint"</summary>
    StyleLast,
    /// <summary>"blueprint, a red house in the snow"</summary>
    StyleFirst,
}

/// <summary>Everything that is true of one scene.</summary>
/// <param name="Object">What is shown.</param>
/// <param name="Colour">Its colour.</param>
/// <param name="Place">Where.</param>
/// <param name="Count">1, 2 or 3.</param>
/// <param name="Side">Middle whenever <paramref name="Count"/> is not 1.</param>
/// <param name="Style">How it is drawn.</param>
public sealed record SceneFacts(SceneObject Object, SceneColour Colour, ScenePlace Place, int Count, SceneSide Side, SceneStyle Style)
{
    /// <summary>Whether the colour can be seen: blueprints, ink washes and woodcuts have none.</summary>
    public bool ColourIsVisible => Style <= SceneStyle.PastelDrawing;

    /// <summary>
    /// Whether the place could be this one as far as can be seen: without colours a sunny desert looks like a sunny field.
    /// </summary>
    public bool MayBe(ScenePlace place) => place == Place
        || (Style is SceneStyle.Blueprint or SceneStyle.WoodcutPrint && IsSunny(place) && IsSunny(Place));

    private static bool IsSunny(ScenePlace place) => place is ScenePlace.Desert or ScenePlace.GreenField;

    /// <summary>The whole caption.</summary>
    public string Caption(CaptionForm form) => SceneClaim.Of(this).Text(form);
}

/// <summary>
/// A statement about a scene: some of the facts, null where nothing is said. Captions are claims that say everything;
/// "two cats, woodcut print" is one that leaves colour and place open.
/// </summary>
public sealed record SceneClaim
{
    /// <summary>The object, null when nothing is said of it.</summary>
    public SceneObject? Object { get; init; }
    /// <summary>Its colour.</summary>
    public SceneColour? Colour { get; init; }
    /// <summary>Where it is.</summary>
    public ScenePlace? Place { get; init; }
    /// <summary>1, 2 or 3; without an <see cref="Object"/> it is not spoken of.</summary>
    public int? Count { get; init; }
    /// <summary>On which side of the picture.</summary>
    public SceneSide? Side { get; init; }
    /// <summary>How it is drawn.</summary>
    public SceneStyle? Style { get; init; }

    /// <summary>The claim that says everything that is true.</summary>
    public static SceneClaim Of(SceneFacts facts) => new()
    {
        Object = facts.Object,
        Colour = facts.Colour,
        Place = facts.Place,
        Count = facts.Count,
        Side = facts.Side,
        Style = facts.Style,
    };

    /// <summary>
    /// Whether nothing that can be seen in a picture with these facts speaks against the claim. A colour is not held
    /// against a picture whose style shows none.
    /// </summary>
    public bool Holds(SceneFacts facts) =>
        (Object is null || Object == facts.Object)
        && (Colour is null || Colour == facts.Colour || !facts.ColourIsVisible)
        && (Place is null || facts.MayBe(Place.Value))
        && (Count is null || Count == facts.Count)
        && (Side is null || Side == facts.Side)
        && (Style is null || Style == facts.Style);

    /// <summary>The claim in words. Empty only when nothing is claimed.</summary>
    /// <param name="form">Order of thing and style.</param>
    /// <param name="synonym">Which name of the style, 0 for its own; taken modulo the number of names.</param>
    public string Text(CaptionForm form = CaptionForm.StyleLast, int synonym = 0)
    {
        var thing = Thing();
        if (Style is not { } style) return thing;
        var name = SceneWords.Names(style)[synonym % SceneWords.Names(style).Count];
        if (thing.Length == 0) return name;
        return form switch
        {
            CaptionForm.StyleOf => $"{SceneWords.Article(name)} {name} of {thing}",
            CaptionForm.StyleLast => $"{thing}, {name}",
            _ => $"{name}, {thing}",
        };
    }

    private string Thing()
    {
        var words = new List<string>(5);
        if (Object is { } it)
        {
            var colour = Colour is { } c ? SceneWords.Of(c) : "";
            var count = Count ?? 1;
            var noun = SceneWords.Of(it, count);
            words.Add(count switch { 1 => SceneWords.Article(colour.Length > 0 ? colour : noun), 2 => "two", _ => "three" });
            if (colour.Length > 0) words.Add(colour);
            words.Add(noun);
        }
        else if (Colour is { } alone)
        {
            words.Add(SceneWords.Of(alone));
        }
        if (Side is { } side && side != SceneSide.Middle) words.Add(SceneWords.Of(side));
        if (Place is { } place) words.Add(SceneWords.Of(place));
        return string.Join(' ', words);
    }

    /// <summary>
    /// Reads a claim out of words in any order, as a captioner or a web page writes them. What is not said stays null; a noun in the
    /// singular says one, and a thing without a side stands in the middle. Of two words of a kind the one that its enum names first counts.
    /// </summary>
    public static SceneClaim Parse(string text)
    {
        var padded = $" {string.Join(' ', text.ToLowerInvariant().Split([' ', ',', '.', ':', ';', '\n', '\t'], StringSplitOptions.RemoveEmptyEntries))} ";
        bool Says(string words) => padded.Contains($" {words} ", StringComparison.Ordinal);
        var place = First<ScenePlace>(p => Says(SceneWords.Of(p)));
        // A green field says nothing about the colour of the thing.
        if (place is { } known) padded = padded.Replace($" {SceneWords.Of(known)} ", " ", StringComparison.Ordinal);
        SceneObject? thing = null;
        var plural = false;
        foreach (var o in Enum.GetValues<SceneObject>())
        {
            plural = SceneWords.Of(o, 2) != SceneWords.Of(o, 1) && Says(SceneWords.Of(o, 2));
            if (!plural && !Says(SceneWords.Of(o, 1))) continue;
            thing = o;
            break;
        }
        int? count = Says("three") ? 3 : Says("two") ? 2 : thing is null || plural ? null : 1;
        var side = Says("left") ? SceneSide.Left : Says("right") ? SceneSide.Right : count is null ? (SceneSide?)null : SceneSide.Middle;
        return new SceneClaim
        {
            Object = thing,
            Count = count,
            Side = side,
            Colour = First<SceneColour>(c => Says(SceneWords.Of(c))),
            Place = place,
            Style = First<SceneStyle>(s => SceneWords.Names(s).Any(Says)),
        };
    }

    private static T? First<T>(Func<T, bool> said) where T : struct, Enum
    {
        foreach (var value in Enum.GetValues<T>())
        {
            if (said(value)) return value;
        }
        return null;
    }
}
