namespace LoraFactory.Images.Scenes;

/// <summary>The words of the pocket world. About 60 different ones, so that a vocabulary of 1,024 entries is plenty.</summary>
public static class SceneWords
{
    private static readonly string[] Places =
        ["in a green field", "by the sea", "in the desert", "in the snow", "at night", "at sunset", "on a plain background"];

    // The first name is the style's own; the others are what people also write under such pictures.
    private static readonly string[][] StyleNames =
    [
        ["flat illustration", "flat picture"],
        ["outlined cartoon", "cartoon"],
        ["pastel drawing", "pastel"],
        ["blueprint", "cyanotype plan", "drafting", "schematic", "technical drawing"],
        ["ink wash painting", "brush and ink", "sumi", "wash drawing"],
        ["woodcut print", "block print", "relief print", "woodcut"],
        ["chalk drawing", "chalk"],
        ["pencil sketch", "pencil drawing"],
    ];

    /// <summary>"house" or "houses"; the plural of fish is fish.</summary>
    public static string Of(SceneObject it, int count)
    {
        var noun = it.ToString().ToLowerInvariant();
        return count == 1 || it == SceneObject.Fish ? noun : noun + "s";
    }

    /// <summary>"red"</summary>
    public static string Of(SceneColour colour) => colour.ToString().ToLowerInvariant();

    /// <summary>"in the snow"</summary>
    public static string Of(ScenePlace place) => Places[(int)place];

    /// <summary>"on the left", "on the right"; empty for the middle.</summary>
    public static string Of(SceneSide side) => side switch { SceneSide.Left => "on the left", SceneSide.Right => "on the right", _ => "" };

    /// <summary>The style's own name, "blueprint".</summary>
    public static string Of(SceneStyle style) => StyleNames[(int)style][0];

    /// <summary>All names of a style, its own first.</summary>
    public static IReadOnlyList<string> Names(SceneStyle style) => StyleNames[(int)style];

    /// <summary>"a" or "an", by the first letter.</summary>
    public static string Article(string word) => "aeiou".Contains(word[0]) ? "an" : "a";
}
