namespace LoraFactory.Flow;

/// <summary>Variants of the pictures and captions that are trained on, made at the end of stage 3. All are off unless asked for; held-out pictures never get any.</summary>
public sealed record AugmentOptions
{
    /// <summary>Mirrored pictures.</summary>
    [Option("Add each picture mirrored, unless its words name a side or writing, or it shows text (picture_text above augment.max_picture_text, or not measured).")]
    public bool Flip { get; init; }
    /// <summary>Crops.</summary>
    [Option("Crops added per picture, each of its own place and size in the picture's own aspect, unless its words speak of its frame or it shows text; 0 adds none.", Min = 0, Max = 8, Unit = "crops")]
    public int Crops { get; init; }
    /// <summary>Smallest crop.</summary>
    [Option("Share of each side that the smallest crop keeps; none falls below clean.min_side.", Min = 0.5, Max = 0.95)]
    public double CropScale { get; init; } = 0.8;
    /// <summary>Colour jitter.</summary>
    [Option("Add each picture with brightness, contrast and saturation changed by up to this share, unless its words name a colour or a tone; 0 adds none.", Min = 0, Max = 0.5)]
    public double ColourJitter { get; init; }
    /// <summary>Largest share of text.</summary>
    [Option("A picture with a larger share of text than this (picture_text) is neither mirrored nor cropped.", Min = 0, Max = 1)]
    public double MaxPictureText { get; init; } = 0.005;
    /// <summary>Captions with synonyms.</summary>
    [Option("Captions added per picture in which common words give way to synonyms from WordNet; the trigger, the topic's terms, names, colours, sides and numbers stay. English alone; 0 adds none.", Min = 0, Max = 8, Unit = "captions")]
    public int Synonyms { get; init; }
    /// <summary>Captions worded otherwise.</summary>
    [Option("Captions added per picture that say the same in another order or frame, such as \"in the snow, a cat\"; label.trigger_forms stay as they are. English alone; 0 adds none.", Min = 0, Max = 8, Unit = "captions")]
    public int Paraphrases { get; init; }

    /// <summary>Whether anything is asked for.</summary>
    public bool IsOn() => Flip || Crops > 0 || ColourJitter > 0 || Synonyms > 0 || Paraphrases > 0;
}
