namespace LoraFactory.Flow;

/// <summary>Stage 2: what is good enough to keep.</summary>
public sealed record CleanOptions
{
    /// <summary>Smallest side.</summary>
    [Option("A picture whose shorter side is smaller is dropped.", Min = 1, Max = 8192, Unit = "pixels")]
    public int MinSide { get; init; } = 256;
    /// <summary>Most pixels.</summary>
    [Option("A picture with more pixels is dropped before it is decoded.", Min = 0.001, Max = 1000, Unit = "megapixels")]
    public double MaxMegapixels { get; init; } = 100;
    /// <summary>Aspect.</summary>
    [Option("A picture whose longer side is more than this many times the shorter is dropped.", Min = 1, Max = 100)]
    public double MaxAspect { get; init; } = 3;
    /// <summary>Sharpness.</summary>
    [Option("A picture is dropped as blurred where the variance of its Laplacian, at 512 pixels of its longer side, is less; a photograph out of focus lies below 20, mist and flat drawings too. 0 drops none.", Min = 0, Max = 100_000)]
    public double MinSharpness { get; init; }
    /// <summary>Entropy.</summary>
    [Option("A picture whose grey levels carry less information than this is dropped as flat; line drawings lie between 1 and 4, photographs above 6. 0 drops none.", Min = 0, Max = 8, Unit = "bits")]
    public double MinEntropy { get; init; }
    /// <summary>Shadows.</summary>
    [Option("A picture with a greater share of black pixels (luma at most 4 of 255) is dropped as underexposed; 1 drops none.", Min = 0, Max = 1)]
    public double MaxDark { get; init; } = 1;
    /// <summary>Lights.</summary>
    [Option("A picture with a greater share of white pixels (luma at least 251 of 255) is dropped as overexposed; drawings on white paper lie above 0.8. 1 drops none.", Min = 0, Max = 1)]
    public double MaxLight { get; init; } = 1;
    /// <summary>Borders.</summary>
    [Option("A picture with a greater share of its area in uniform edges (frame, letterbox, empty paper) is dropped as framed; 1 drops none.", Min = 0, Max = 1)]
    public double MaxBorder { get; init; } = 1;
    /// <summary>Text.</summary>
    [Option("A picture with a greater share of its area under rows of letters is dropped as text: scans of pages, screens, memes; a caption line covers about 0.05. 1 drops none.", Min = 0, Max = 1)]
    public double MaxText { get; init; } = 0.3;
    /// <summary>Animations.</summary>
    [Option("What becomes of animated and multi-page pictures: their first frame is taken, or they are dropped.", OneOf = ["first-frame", "drop"])]
    public string Animated { get; init; } = "first-frame";
    /// <summary>Relevance threshold.</summary>
    [Option("A picture whose texts match the topic less than this is dropped.", Min = 0, Max = 1)]
    public double MinRelevance { get; init; } = 0.25;
    /// <summary>Text quality threshold.</summary>
    [Option("A page whose text is worse than this (0 spam, 1 prose) loses its pictures.", Min = 0, Max = 1)]
    public double MinTextQuality { get; init; } = 0.3;
    /// <summary>Sets of rules about texts.</summary>
    [Option("Sets of published rules that a page's text has to keep, or it loses its pictures; each rule is a signal that is measured anyway. lora clean report shows what each would drop.", OneOf = ["gopher", "repetition", "c4", "fineweb", "seed", "topic"])]
    public IReadOnlyList<string> Rules { get; init; } = [];
    /// <summary>Thresholds of single rules.</summary>
    [Option("Thresholds of single rules as RULE=NUMBER, instead of their own; a rule that is named here is switched on, also without its set.", Max = 100)]
    public IReadOnlyList<string> Thresholds { get; init; } = [];
    /// <summary>Personal data.</summary>
    [Option("Put [EMAIL], [PHONE], [CARD], [IBAN], [ID] and [IP] in the place of personal data in texts and captions that come from the web.")]
    public bool ReplacePersonalData { get; init; } = true;
    /// <summary>Duplicate distance.</summary>
    [Option("Two pictures whose 64-bit perceptual hashes differ in at most this many bits are duplicates.", Min = 0, Max = 32, Unit = "bits")]
    public int DuplicateDistance { get; init; } = 6;
    /// <summary>Spelling.</summary>
    [Option("A hunspell dictionary, such as en_US, by which slips in main texts of its language are corrected, each change recorded; names, code, addresses, the trigger and the topic's terms are never touched. Empty corrects nothing.", Max = 32)]
    public string Spelling { get; init; } = "";
    /// <summary>Similarity of texts.</summary>
    [Option("Two pages whose runs of five words agree at least this much (estimated Jaccard similarity) have one text; the better stays in documents.jsonl, pictures are not touched.", Min = 0.3, Max = 1)]
    public double DuplicateTextSimilarity { get; init; } = 0.8;
    /// <summary>Text encoder.</summary>
    [Option("What compares texts by meaning: \"auto\" (all-MiniLM-L6-v2 where the Hugging Face cache has it, else the pocket encoder), \"pocket\", \"none\", or a sentence-transformers folder or name. It measures embedding_relevance and finds near copies of texts.", Min = 1, IsPath = true)]
    public string TextEncoder { get; init; } = "auto";
    /// <summary>Duplicate cosine.</summary>
    [Option("Two texts whose vectors have at least this cosine are copies, of which the best stays; 0 takes the encoder's own: 0.85 for a sentence encoder, the pocket encoder's calibrated one.", Min = 0, Max = 1)]
    public double DuplicateCosine { get; init; }
    /// <summary>Zero-shot classifier.</summary>
    [Option("A BART for natural-language inference (such as facebook/bart-large-mnli), folder or name: it measures zero_shot_relevance, how surely a text is about the topic. Empty uses none; it takes seconds a page.", IsPath = true)]
    public string ZeroShot { get; init; } = "";
    /// <summary>Cosine that confirms near pictures.</summary>
    [Option("Pictures that are copies by hash and thumbnail stay all the same where their vectors in base.clip have a lower cosine; 0 asks no CLIP.", Min = 0, Max = 1)]
    public double DuplicateClipCosine { get; init; }
    /// <summary>Best kept.</summary>
    [Option("Of the pictures that pass, so many are kept: those that are most on the topic, sharpest and best described while unlike each other in base.clip, for small sets. 0 keeps all.", Min = 0, Max = 1_000_000, Unit = "pictures")]
    public int KeepBest { get; init; }
    /// <summary>Whether pictures are compared in base.clip.</summary>
    public bool AsksForClip() => DuplicateClipCosine > 0 || KeepBest > 0;
    /// <summary>Languages.</summary>
    [Option("Languages kept (BCP-47); empty keeps all.", Max = 100)]
    public IReadOnlyList<string> Languages { get; init; } = [];
    /// <summary>Respect opt-outs.</summary>
    [Option("Drop whatever opted out of training by robots meta, X-Robots-Tag, TDMRep or Content-Signal.")]
    public bool RespectOptOut { get; init; } = true;
    /// <summary>Least share kept.</summary>
    [Option("A run that keeps a smaller share of its pictures stops with the commonest reasons instead of training on next to nothing.", Min = 0, Max = 1)]
    public double MinKeptShare { get; init; } = 0.05;
    /// <summary>Fewest pictures.</summary>
    [Option("A run that keeps fewer pictures stops.", Min = 1, Max = 1_000_000, Unit = "pictures")]
    public int MinKept { get; init; } = 8;
}
