namespace LoraFactory.Flow;

/// <summary>One recipe: a section per stage, plus the base model and the resources.</summary>
public sealed record Recipe
{
    /// <summary>Name of the run; its directory is runs/NAME.</summary>
    [Option("Names the run; its directory is runs/NAME and its adapter is called NAME.", Min = 1, Max = 64)]
    public string Name { get; init; } = "run";
    /// <summary>Seed of all randomness.</summary>
    [Option("Seeds all randomness; the same seed on the same machine gives the same bytes.", Min = 0, Max = 9007199254740991)]
    public long RandomSeed { get; init; } = 42;
    /// <summary>Base model.</summary>
    public BaseOptions Base { get; init; } = new();
    /// <summary>Where a run starts.</summary>
    public SeedOptions Seed { get; init; } = new();
    /// <summary>Stage 1.</summary>
    public CrawlOptions Crawl { get; init; } = new();
    /// <summary>Stage 2.</summary>
    public CleanOptions Clean { get; init; } = new();
    /// <summary>Stage 3.</summary>
    public LabelOptions Label { get; init; } = new();
    /// <summary>The end of stage 3.</summary>
    public AugmentOptions Augment { get; init; } = new();
    /// <summary>Stage 4.</summary>
    public ConfigureOptions Configure { get; init; } = new();
    /// <summary>Stage 5.</summary>
    public TrainOptions Train { get; init; } = new();
    /// <summary>Stage 6.</summary>
    public EvaluateOptions Evaluate { get; init; } = new();
    /// <summary>Stage 7.</summary>
    public DeployOptions Deploy { get; init; } = new();
    /// <summary>Stage 8.</summary>
    public FeedbackOptions Feedback { get; init; } = new();
    /// <summary>Threads and memory.</summary>
    public ResourceOptions Resources { get; init; } = new();
}

/// <summary>Which base model is adapted.</summary>
public sealed record BaseOptions
{
    /// <summary>Folder, file or hub name.</summary>
    [Option("A diffusers folder, an SD1.5 single file (.safetensors, .ckpt), a name in the Hugging Face cache such as runwayml/stable-diffusion-v1-5, or \"pocket-sd\" for the one that comes with the project.", Min = 1, IsPath = true)]
    public string Model { get; init; } = "pocket-sd";
    /// <summary>CLIP model for scores and embeddings.</summary>
    [Option("A full CLIP model (folder) for picture–text scores and embeddings, or \"pocket-clip\".", Min = 1, IsPath = true)]
    public string Clip { get; init; } = "pocket-clip";
    /// <summary>What the base predicts.</summary>
    [Option("What the base was trained to predict; auto reads the base's scheduler configuration.", OneOf = ["auto", "epsilon", "v_prediction"])]
    public string Prediction { get; init; } = "auto";
}

/// <summary>Where a run starts.</summary>
public sealed record SeedOptions
{
    /// <summary>Topic.</summary>
    [Option("What the adapter is about, in a few words; related terms are derived from it.", Max = 200)]
    public string Topic { get; init; } = "";
    /// <summary>Start URLs.</summary>
    [Option("Absolute http(s) URLs where the crawl begins.", Max = 100_000)]
    public IReadOnlyList<string> Urls { get; init; } = [];
    /// <summary>User's own synonyms.</summary>
    [Option("Your own synonyms of the topic; each counts as much as the topic itself.", Max = 1000)]
    public IReadOnlyList<string> Synonyms { get; init; } = [];
    /// <summary>What else is looked for.</summary>
    [Option("Phrases whose words make a link worth following, besides the topic; they judge no picture. lora run --continue adds the worst-rated prompts.", Max = 100)]
    public IReadOnlyList<string> Also { get; init; } = [];
    /// <summary>How far terms are expanded.</summary>
    [Option("How many links away from the topic a related term may be.", Min = 0, Max = 3, Unit = "links")]
    public int ExpandDepth { get; init; } = 1;
    /// <summary>How many terms.</summary>
    [Option("How many related terms are kept.", Min = 1, Max = 1000, Unit = "terms")]
    public int MaxTerms { get; init; } = 40;
    /// <summary>ConceptNet store.</summary>
    [Option("A ConceptNet store imported from its assertions CSV, for more related terms; empty uses WordNet alone.", Max = 4096, IsPath = true)]
    public string ConceptStore { get; init; } = "";
    /// <summary>ConceptNet's public interface.</summary>
    [Option("Address of ConceptNet's public interface (https://api.conceptnet.io), asked once a run for the topic's own terms; empty asks nobody.", Max = 2000)]
    public string ConceptApi { get; init; } = "";
}

/// <summary>Stage 1: fetching pages and pictures.</summary>
public sealed record CrawlOptions
{
    /// <summary>User agent with contact.</summary>
    [Option("Name and contact URL sent with every request and matched against robots.txt.", Min = 3, Max = 200)]
    public string UserAgent { get; init; } = "LoraFactory/0.1 (+https://github.com/lorafactory/lorafactory)";
    /// <summary>Pages.</summary>
    [Option("Pages kept at most; at most four times as many, or fifty, are asked for, so that a web of errors ends too.", Min = 1, Max = 10_000_000, Unit = "pages")]
    public int MaxPages { get; init; } = 500;
    /// <summary>Pages of one host.</summary>
    [Option("Pages fetched from one host at most.", Min = 1, Max = 10_000_000, Unit = "pages")]
    public int MaxPagesPerHost { get; init; } = 200;
    /// <summary>Pages of one registered domain.</summary>
    [Option("Pages fetched from one registered domain at most, over all its hosts (a.example.co.uk and b.example.co.uk are one), so that a site that makes up host names ends too; 0 is five times crawl.max_pages_per_host.", Min = 0, Max = 10_000_000, Unit = "pages")]
    public int MaxPagesPerSite { get; init; }
    /// <summary>Pictures.</summary>
    [Option("Pictures kept at most; at most four times as many, or fifty, are asked for; 0 fetches none.", Min = 0, Max = 10_000_000, Unit = "pictures")]
    public int MaxPictures { get; init; } = 2000;
    /// <summary>Link depth.</summary>
    [Option("Links followed away from a seed URL at most.", Min = 0, Max = 100, Unit = "links")]
    public int MaxDepth { get; init; } = 4;
    /// <summary>Redirects.</summary>
    [Option("Redirects followed at most.", Min = 0, Max = 20, Unit = "redirects")]
    public int MaxRedirects { get; init; } = 5;
    /// <summary>Page size.</summary>
    [Option("A page larger than this, decompressed, is dropped.", Min = 1024, Max = 1_073_741_824, Unit = "bytes")]
    public long MaxPageBytes { get; init; } = 4 * 1024 * 1024;
    /// <summary>Picture size.</summary>
    [Option("A picture file larger than this is dropped.", Min = 1024, Max = 1_073_741_824, Unit = "bytes")]
    public long MaxPictureBytes { get; init; } = 32 * 1024 * 1024;
    /// <summary>Delay per host.</summary>
    [Option("Pause between two requests to one host, unless its robots.txt asks for more.", Min = 0, Max = 3600, Unit = "seconds")]
    public double DelaySeconds { get; init; } = 1;
    /// <summary>Delay per address.</summary>
    [Option("Pause between two requests to one address, whatever hosts lie there; -1 is a quarter of crawl.delay_seconds.", Min = -1, Max = 3600, Unit = "seconds")]
    public double AddressDelaySeconds { get; init; } = -1;
    /// <summary>Cap on Crawl-delay.</summary>
    [Option("The URLs of a host whose robots.txt asks for a longer pause than this are deferred: they stay in the frontier and are taken up when this is raised.", Min = 0, Max = 86400, Unit = "seconds")]
    public double MaxCrawlDelaySeconds { get; init; } = 30;
    /// <summary>Time-out.</summary>
    [Option("A request that takes longer is given up.", Min = 0.1, Max = 600, Unit = "seconds")]
    public double TimeoutSeconds { get; init; } = 20;
    /// <summary>Parallel hosts.</summary>
    [Option("Hosts fetched from at the same time; one host is never asked twice at once.", Min = 1, Max = 256, Unit = "hosts")]
    public int Concurrency { get; init; } = 8;
    /// <summary>Hosts allowed to be local.</summary>
    [Option("Host names that may resolve to loopback or private addresses; every other host that does is refused.", Max = 1000)]
    public IReadOnlyList<string> AllowPrivateHosts { get; init; } = [];
    /// <summary>Ports besides 80 and 443.</summary>
    [Option("Ports besides 80 and 443 that may be asked at public hosts; hosts of crawl.allow_private_hosts may have any.", Max = 100)]
    public IReadOnlyList<string> AllowPorts { get; init; } = [];
    /// <summary>Fixed addresses.</summary>
    [Option("Fixed addresses as host=ip:port, used instead of DNS; for tests and for demo webs on loopback.", Max = 1000)]
    public IReadOnlyList<string> Resolve { get; init; } = [];
    /// <summary>Stay on seed hosts.</summary>
    [Option("Follow links only to the hosts of the seed URLs.")]
    public bool SeedHostsOnly { get; init; }
    /// <summary>Pages without the topic in a row.</summary>
    [Option("A host is left after this many pages in a row without a word of the topic or its related terms; 0 never leaves one.", Min = 0, Max = 1_000_000, Unit = "pages")]
    public int HostPatience { get; init; } = 50;
    /// <summary>Whether scripts are run.</summary>
    [Option("Pages whose scripts are run in headless Chromium, under the crawl's own rules: off, auto (those that are empty without their scripts) or always.", OneOf = ["off", "auto", "always"])]
    public string Render { get; init; } = "off";
    /// <summary>Time for scripts.</summary>
    [Option("Time that a page's scripts may run, besides the waiting for answers; then it is taken as it is, and left out where it cannot be read.", Min = 1, Max = 600, Unit = "seconds")]
    public double RenderSeconds { get; init; } = 15;
}

/// <summary>Stage 3: captions, scores, tags, split.</summary>
public sealed record LabelOptions
{
    /// <summary>Source.</summary>
    [Option("Where pictures come from: the cleaned crawl, or a folder of your own pictures.", OneOf = ["crawl", "folder"])]
    public string Source { get; init; } = "crawl";
    /// <summary>Folder.</summary>
    [Option("Folder of pictures (png, jpg, webp), sub-folders included, each with an optional caption in a .txt or .caption beside it; with source: folder. A sub-folder 10_NAME, as kohya's scripts name it, means ten repeats and the caption NAME where none lies beside a picture.", IsPath = true)]
    public string Folder { get; init; } = "";
    /// <summary>Trigger word.</summary>
    [Option("Word or phrase that every caption gets which lacks it; empty adds none.", Max = 100)]
    public string Trigger { get; init; } = "";
    /// <summary>Places of the trigger.</summary>
    [Option("Where a caption gets its trigger; pictures take these forms in turn, so that prompts may be worded in any of them.", Min = 1, Max = 20)]
    public IReadOnlyList<string> TriggerForms { get; init; } = ["{trigger}, {caption}"];
    /// <summary>Validation share.</summary>
    [Option("Share of the pictures held out, whole clusters at a time.", Min = 0, Max = 0.5)]
    public double ValidationShare { get; init; } = 0.12;
    /// <summary>Cluster threshold.</summary>
    [Option("Pictures whose embeddings, less the mean of all, have at least this cosine share a cluster.", Min = -1, Max = 1)]
    public double ClusterCosine { get; init; } = 0.9;
    /// <summary>Least score.</summary>
    [Option("A page's caption that scores lower against its picture is replaced by one from the captioner; the user's own stay.", Min = -1, Max = 1)]
    public double MinTextImageScore { get; init; } = 0.1;
    /// <summary>Tags.</summary>
    [Option("Tags kept per picture.", Min = 0, Max = 100, Unit = "tags")]
    public int MaxTags { get; init; } = 6;
}

/// <summary>Stage 4: how the plan is made.</summary>
public sealed record ConfigureOptions
{
    /// <summary>Policy.</summary>
    [Option("Which rule chooses rank, rate and steps from the data.", OneOf = ["measured-v2", "measured-v1", "adaptive-v1"])]
    public string Policy { get; init; } = "measured-v2";
    /// <summary>Time budget.</summary>
    [Option("Training is planned to take at most this long.", Min = 0.05, Max = 100_000, Unit = "minutes")]
    public double MaxMinutes { get; init; } = 240;
    /// <summary>Keys rules may change.</summary>
    [Option("Keys that you set but that the policy may change all the same.", Max = 100)]
    public IReadOnlyList<string> AllowOverride { get; init; } = [];
}

/// <summary>Stage 5: how the adapter is trained. A zero or "auto" is decided by stage 4.</summary>
public sealed record TrainOptions
{
    /// <summary>Rank.</summary>
    [Option("Rank of the adapter's Linear and 1×1 layers; 0 lets configure decide.", Min = 0, Max = 1024)]
    public int Rank { get; init; }
    /// <summary>Alpha.</summary>
    [Option("Scale is alpha / rank; 0 means alpha = rank.", Min = 0, Max = 4096)]
    public double Alpha { get; init; }
    /// <summary>Rank of 3×3 convolutions.</summary>
    [Option("Rank of 3×3 convolutions (LoCon); 0 trains none of them, -1 uses the same rank.", Min = -1, Max = 1024)]
    public int ConvRank { get; init; } = -1;
    /// <summary>Which modules.</summary>
    [Option("Which UNet modules carry adapters.", OneOf = ["attention", "attention-ff", "all"])]
    public string Targets { get; init; } = "all";
    /// <summary>UNet rate.</summary>
    [Option("Learning rate of the UNet's adapter; 0 lets configure decide.", Min = 0, Max = 1)]
    public double LearningRate { get; init; }
    /// <summary>Text encoder rate.</summary>
    [Option("Learning rate of the text encoder's adapter; 0 trains none.", Min = 0, Max = 1)]
    public double TextEncoderLearningRate { get; init; }
    /// <summary>Steps.</summary>
    [Option("Optimizer steps; 0 lets configure decide.", Min = 0, Max = 10_000_000, Unit = "steps")]
    public int Steps { get; init; }
    /// <summary>Batch.</summary>
    [Option("Pictures per micro-batch; 0 lets configure decide.", Min = 0, Max = 1024, Unit = "pictures")]
    public int BatchSize { get; init; }
    /// <summary>Accumulation.</summary>
    [Option("Micro-batches per optimizer step.", Min = 1, Max = 1024)]
    public int GradientAccumulation { get; init; } = 1;
    /// <summary>Resolution.</summary>
    [Option("Side of the square that pictures are scaled and cropped to; 0 takes the base's own size.", Min = 0, Max = 4096, Unit = "pixels")]
    public int Resolution { get; init; }
    /// <summary>Crop.</summary>
    [Option("Which square of a picture is trained on, its shorter edge scaled to the resolution: the middle, where attention falls (edges, saturated colours, skin), or where the most information is. The picture itself stays whole.", OneOf = ["centre", "attention", "entropy"])]
    public string Crop { get; init; } = "centre";
    /// <summary>Schedule.</summary>
    [Option("How the rate changes over the run.", OneOf = ["constant", "cosine"])]
    public string Schedule { get; init; } = "cosine";
    /// <summary>Warm-up.</summary>
    [Option("Steps over which the rate rises from 0.", Min = 0, Max = 1_000_000, Unit = "steps")]
    public int WarmupSteps { get; init; } = 10;
    /// <summary>Weight decay.</summary>
    [Option("AdamW's decoupled weight decay.", Min = 0, Max = 10)]
    public double WeightDecay { get; init; } = 0.01;
    /// <summary>Clip.</summary>
    [Option("Gradients are scaled down to this global norm; 0 never clips.", Min = 0, Max = 1e6)]
    public double MaxGradNorm { get; init; } = 1;
    /// <summary>min-SNR gamma.</summary>
    [Option("min-SNR-γ loss weighting (Hang et al. 2023); 0 turns it off.", Min = 0, Max = 1000)]
    public double MinSnrGamma { get; init; } = 5;
    /// <summary>Noise offset.</summary>
    [Option("Per-channel offset added to the noise, so that very dark and bright pictures can be learnt.", Min = 0, Max = 1)]
    public double NoiseOffset { get; init; }
    /// <summary>Caption dropout.</summary>
    [Option("Share of captions replaced by the empty one, which keeps guidance working.", Min = 0, Max = 1)]
    public double CaptionDropout { get; init; } = 0.05;
    /// <summary>Flip.</summary>
    [Option("Mirror pictures at random; leave it off when captions say left or right.")]
    public bool Flip { get; init; }
    /// <summary>Gradient checkpointing.</summary>
    [Option("Recompute activations in the backward pass: less memory, about a third more time.")]
    public bool GradientCheckpointing { get; init; }
    /// <summary>Autocast.</summary>
    [Option("Precision of matrix products; weights of the adapter stay float32.", OneOf = ["float32", "bfloat16"])]
    public string Precision { get; init; } = "float32";
    /// <summary>Checkpoint interval.</summary>
    [Option("A resumable checkpoint is saved every so many steps.", Min = 1, Max = 1_000_000, Unit = "steps")]
    public int CheckpointEvery { get; init; } = 50;
    /// <summary>Validation interval.</summary>
    [Option("Validation loss is measured every so many steps; 0 never.", Min = 0, Max = 1_000_000, Unit = "steps")]
    public int ValidateEvery { get; init; } = 50;
    /// <summary>Patience.</summary>
    [Option("Training stops after so many validations without a better loss; 0 never stops early.", Min = 0, Max = 1000, Unit = "validations")]
    public int Patience { get; init; } = 4;
    /// <summary>Sample interval.</summary>
    [Option("Pictures are drawn every so many steps; 0 never.", Min = 0, Max = 1_000_000, Unit = "steps")]
    public int SampleEvery { get; init; } = 100;
}

/// <summary>Stage 6: how the adapter is judged.</summary>
public sealed record EvaluateOptions
{
    /// <summary>With fewer prompts than this the intervals are too wide for the gates: each prompt is one observation.</summary>
    public const int EnoughPrompts = 8;

    /// <summary>What is wrong with so few prompts, null where they are enough.</summary>
    public static string? TooFew(int prompts) => prompts >= EnoughPrompts ? null
        : $"{prompts} {(prompts == 1 ? "prompt is" : "prompts are")} too few to judge by: each is one observation, and the intervals are too wide for the gates";

    /// <summary>Prompts.</summary>
    [Option("Prompts drawn by base and adapter on the same seeds; {trigger} is replaced. Empty makes them from the topic's captions.", Max = 1000)]
    public IReadOnlyList<string> Prompts { get; init; } = [];
    /// <summary>More prompts.</summary>
    [Option("Prompts drawn besides these or the captions; lora run --continue adds the worst-rated ones.", Max = 100)]
    public IReadOnlyList<string> Also { get; init; } = [];
    /// <summary>Seeds per prompt.</summary>
    [Option("Pictures per prompt, each with its own seed.", Min = 1, Max = 100, Unit = "pictures")]
    public int SeedsPerPrompt { get; init; } = 2;
    /// <summary>Sampling steps.</summary>
    [Option("Sampler steps per picture.", Min = 1, Max = 1000, Unit = "steps")]
    public int SamplerSteps { get; init; } = 20;
    /// <summary>Guidance.</summary>
    [Option("Classifier-free guidance scale.", Min = 1, Max = 30)]
    public double Guidance { get; init; } = 4;
    /// <summary>Adapter strength.</summary>
    [Option("Strength at which the adapter is drawn.", Min = -2, Max = 2)]
    public double Strength { get; init; } = 1;
}

/// <summary>Stage 7: putting the adapter into service.</summary>
public sealed record DeployOptions
{
    /// <summary>Store.</summary>
    [Option("Directory of the version store, relative to the working directory; empty takes the folder store among the runs.", Max = 4096, IsPath = true)]
    public string Store { get; init; } = "";
    /// <summary>The store that runs in this folder share where the recipe names none.</summary>
    public static string StoreAmong(string runs) => Path.Combine(runs, "store");
    /// <summary>Licence on the card.</summary>
    [Option("Licence written on the card (SPDX); yours to choose, with the pictures' own licences and the base's in mind. Empty says on the card that none is stated.", Max = 100)]
    public string Licence { get; init; } = "";
    /// <summary>Require the report's gates.</summary>
    [Option("Make an adapter champion only when every gate of its report holds.")]
    public bool RequirePassed { get; init; } = true;
    /// <summary>Port of lora serve.</summary>
    [Option("Port of the endpoint; 0 takes a free one.", Min = 0, Max = 65535)]
    public int Port { get; init; } = 7860;
}

/// <summary>Stage 8: when to train again.</summary>
public sealed record FeedbackOptions
{
    /// <summary>Threshold.</summary>
    [Option("Retrain when the mean rating of the window is lower.", Min = 0, Max = 1)]
    public double MinMean { get; init; } = 0.7;
    /// <summary>Window.</summary>
    [Option("Ratings looked at, newest first.", Min = 1, Max = 1_000_000, Unit = "ratings")]
    public int Window { get; init; } = 100;
    /// <summary>Minimum count.</summary>
    [Option("No decision with fewer ratings.", Min = 1, Max = 1_000_000, Unit = "ratings")]
    public int MinCount { get; init; } = 20;
}
