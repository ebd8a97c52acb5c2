namespace LoraFactory.Flow;

/// <summary>What a run starts from: a topic with the terms that were derived from it, or a folder of the user's own.</summary>
/// <param name="Id">Content id, see <see cref="ContentId"/>.</param>
/// <param name="Topic">The words that the user gave, e.g. "blueprint drawings".</param>
/// <param name="Terms">Related terms with their weight in 0..1, the topic's own words first with weight 1.</param>
/// <param name="Urls">Absolute http(s) URLs where the crawl begins.</param>
public sealed record Seed(string Id, string Topic, IReadOnlyList<SeedTerm> Terms, IReadOnlyList<string> Urls);

/// <summary>One related term. <paramref name="Relation"/> names where it came from ("topic", "wordnet:hyponym", "conceptnet:RelatedTo", "user", "also").</summary>
public sealed record SeedTerm(string Text, double Weight, string Relation)
{
    /// <summary>Relation of words that are looked for besides the topic (seed.also): they order the crawl and judge no picture.</summary>
    public const string Also = "also";
}

/// <summary>A fetched page with the pictures found on it. Bytes lie in the run's blob store under <see cref="BlobHash"/>.</summary>
public sealed record Page
{
    /// <summary>Content id of URL and bytes.</summary>
    public required string Id { get; init; }
    /// <summary>Id of the <see cref="Seed"/>.</summary>
    public required string SeedId { get; init; }
    /// <summary>URL as queued, canonical.</summary>
    public required string Url { get; init; }
    /// <summary>URL after redirects.</summary>
    public required string FinalUrl { get; init; }
    /// <summary>HTTP status of the final response.</summary>
    public required int Status { get; init; }
    /// <summary>When the last byte arrived, UTC.</summary>
    public required DateTimeOffset FetchedAt { get; init; }
    /// <summary>Response headers that later stages judge by, names in lower case.</summary>
    public required IReadOnlyDictionary<string, string> Headers { get; init; }
    /// <summary>SHA-256 (hex) of the body, its name in the blob store.</summary>
    public required string BlobHash { get; init; }
    /// <summary>Whether its scripts were run: the body is then the markup that they made, as UTF-8.</summary>
    public bool Rendered { get; init; }
    /// <summary>SHA-256 (hex) of the body as the server sent it, where the page was rendered; null where it was not.</summary>
    public string? SentHash { get; init; }
    /// <summary>Media type without parameters, lower case.</summary>
    public required string MediaType { get; init; }
    /// <summary>Links away from the seed, 0 for a seed URL.</summary>
    public required int Depth { get; init; }
    /// <summary>Topic relevance of URL, title and link text, 0..1; the frontier's priority.</summary>
    public double Relevance { get; init; }
    /// <summary>Text of the title element, empty when there is none.</summary>
    public string Title { get; init; } = "";
    /// <summary>Who wrote it, as the page says, each once.</summary>
    public IReadOnlyList<string> Authors { get; init; } = [];
    /// <summary>When it was published, as the page writes it (mostly ISO 8601), null where it does not say.</summary>
    public string? Published { get; init; }
    /// <summary>When it was changed last, as the page writes it, null where it does not say.</summary>
    public string? Modified { get; init; }
    /// <summary>Name of the site, null where the page does not say.</summary>
    public string? SiteName { get; init; }
    /// <summary>Opt-out found for the page ("robots-meta:noai", "content-signal:ai-train=no" …), null when there is none.</summary>
    public string? OptOut { get; init; }
    /// <summary>URL or text of the licence that the page states, null when it states none.</summary>
    public string? Licence { get; init; }
    /// <summary>What the page said about its use; null in a run from before this was kept.</summary>
    public Consent? Consent { get; init; }
    /// <summary>Pictures on the page, in document order.</summary>
    public IReadOnlyList<PagePicture> Pictures { get; init; } = [];
}

/// <summary>A picture as found on a <see cref="Page"/>, with everything near it that may describe it.</summary>
public sealed record PagePicture
{
    /// <summary>Absolute URL of the best source.</summary>
    public required string Url { get; init; }
    /// <summary>SHA-256 (hex) of the bytes in the blob store; null when the picture was not fetched.</summary>
    public string? BlobHash { get; init; }
    /// <summary>Why it was not fetched ("robots-denied", "too-large", "opt-out:SIGNAL" …), null when it was.</summary>
    public string? Refused { get; init; }
    /// <summary>What <see cref="Refused"/> begins with where training was refused; the signal follows.</summary>
    public const string RefusedByOptOut = "opt-out:";
    /// <summary>Media type of the response.</summary>
    public string? MediaType { get; init; }
    /// <summary>Text of the figcaption.</summary>
    public string Caption { get; init; } = "";
    /// <summary>alt attribute.</summary>
    public string Alt { get; init; } = "";
    /// <summary>title attribute.</summary>
    public string Title { get; init; } = "";
    /// <summary>Text of the paragraphs around it, at most a few hundred characters.</summary>
    public string Context { get; init; } = "";
    /// <summary>Licence stated for the picture or else for its page.</summary>
    public string? Licence { get; init; }
    /// <summary>What the picture's own response said about its use; null where it was not fetched.</summary>
    public Consent? Consent { get; init; }
    /// <summary>Opt-out found in the picture's own response headers, or else the page's.</summary>
    public string? OptOut { get; init; }
}

/// <summary>A picture that passed cleaning, with its cleaned texts and measured signals.</summary>
public sealed record Record
{
    /// <summary>Content id.</summary>
    public required string Id { get; init; }
    /// <summary>Id of the <see cref="Page"/>.</summary>
    public required string PageId { get; init; }
    /// <summary>URL of the page.</summary>
    public required string PageUrl { get; init; }
    /// <summary>URL of the picture, or when the run uses a folder its path as <see cref="KeptPath"/> has it in 2-clean.</summary>
    public required string PictureUrl { get; init; }
    /// <summary>URL of the picture, or where the user's own lies now.</summary>
    public string Origin(RunDirectory run) => PageUrl.Length > 0 ? PictureUrl : KeptPath.Read(PictureUrl, run.Of(StageName.Clean));
    /// <summary>SHA-256 (hex) of the picture's bytes.</summary>
    public required string BlobHash { get; init; }
    /// <summary>Width in pixels.</summary>
    public required int Width { get; init; }
    /// <summary>Height in pixels.</summary>
    public required int Height { get; init; }
    /// <summary>64-bit DCT hash, 16 hex digits.</summary>
    public string PerceptualHash { get; init; } = "";
    /// <summary>Cleaned caption, best first of figcaption, alt, title.</summary>
    public string Caption { get; init; } = "";
    /// <summary>Cleaned alt text.</summary>
    public string Alt { get; init; } = "";
    /// <summary>Cleaned text around the picture.</summary>
    public string Context { get; init; } = "";
    /// <summary>Title of the page.</summary>
    public string PageTitle { get; init; } = "";
    /// <summary>BCP-47 language of the page's text, "und" when unknown.</summary>
    public string Language { get; init; } = "und";
    /// <summary>Licence, null when none was stated.</summary>
    public string? Licence { get; init; }
    /// <summary>What the name of its folder says of a picture of the user's own, "red boat" of "10_red boat"; empty where it says nothing.</summary>
    public string FolderWords { get; init; } = "";
    /// <summary>How often it is seen in a pass over the data, 10 in a folder "10_red boat"; at least 1.</summary>
    public int Repeats { get; init; } = 1;
    /// <summary>Name of the signal for how much of a picture is text, 0..1.</summary>
    public const string PictureText = "picture_text";
    /// <summary>Every measured signal by name (relevance, blur, contrast …), so that thresholds can change later.</summary>
    public IReadOnlyDictionary<string, double> Signals { get; init; } = new Dictionary<string, double>();
}

/// <summary>Which part of the data a sample belongs to.</summary>
public enum Split
{
    /// <summary>Trained on.</summary>
    Train,
    /// <summary>Held out for validation loss, style similarity and memorisation.</summary>
    Validation,
}

/// <summary>How a sample was made of another one.</summary>
/// <param name="Source">Id of the sample that it was made of, one that is trained on.</param>
/// <param name="Operation">"flip", "crop", "colour", "synonym" or "paraphrase".</param>
/// <param name="Parameters">What was done, by name: enough to do it again.</param>
/// <param name="File">Its own picture, relative to the directory of label; null where only the caption is another.</param>
public sealed record Variant(string Source, string Operation, IReadOnlyDictionary<string, string> Parameters, string? File);

/// <summary>A labelled picture, ready for training.</summary>
public sealed record Sample
{
    /// <summary>Content id.</summary>
    public required string Id { get; init; }
    /// <summary>Id of the <see cref="Record"/>.</summary>
    public required string RecordId { get; init; }
    /// <summary>SHA-256 (hex) of the picture's bytes: a blob's name, or where a variant has a picture of its own that file's hash.</summary>
    public required string BlobHash { get; init; }
    /// <summary>What it was made of, null for a picture as it was found.</summary>
    public Variant? Variant { get; init; }
    /// <summary>The training caption, trigger word included.</summary>
    public required string Caption { get; init; }
    /// <summary>Where the caption came from: "figcaption", "alt", "context", "captioner", "sidecar", "folder".</summary>
    public required string CaptionSource { get; init; }
    /// <summary>Tags, most certain first.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];
    /// <summary>Training or validation.</summary>
    public required Split Split { get; init; }
    /// <summary>Cluster of near pictures; a cluster never straddles the split.</summary>
    public required int Cluster { get; init; }
    /// <summary>How often it is seen in a pass over the training data, at least 1.</summary>
    public int Repeats { get; init; } = 1;
    /// <summary>Cosine of picture and caption embedding, −1..1.</summary>
    public double TextImageScore { get; init; }
    /// <summary>Row in embeddings.safetensors.</summary>
    public required int EmbeddingRow { get; init; }
    /// <summary>Width in pixels.</summary>
    public required int Width { get; init; }
    /// <summary>Height in pixels.</summary>
    public required int Height { get; init; }
}

/// <summary>A value of the plan with the reason why it is what it is.</summary>
/// <param name="Key">Recipe key, e.g. "train.rank".</param>
/// <param name="Value">The value in invariant text.</param>
/// <param name="Why">One sentence.</param>
/// <param name="Origin">"user", "policy", "data" or "default".</param>
public sealed record PlannedValue(string Key, string Value, string Why, string Origin);

/// <summary>Everything that training needs, each value with its why.</summary>
public sealed record TrainPlan
{
    /// <summary>Content id.</summary>
    public required string Id { get; init; }
    /// <summary>Options that training runs with, all decided.</summary>
    public required TrainOptions Train { get; init; }
    /// <summary>Base model: folder or single file.</summary>
    public required string BasePath { get; init; }
    /// <summary>SHA-256 over the base's weight files.</summary>
    public required string BaseHash { get; init; }
    /// <summary>Why each value is what it is.</summary>
    public required IReadOnlyList<PlannedValue> Values { get; init; }
    /// <summary>Expected peak memory in MiB.</summary>
    public required double EstimatedMemoryMiB { get; init; }
    /// <summary>What the base predicts, "epsilon" or "v_prediction", as configure found it or the recipe set it; null in a plan that does not say.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public string? BasePrediction => Values.FirstOrDefault(v => v.Key == "base.prediction")?.Value;
    /// <summary>
    /// What the adapter depends on, as JSON: neither where the base lies nor what was estimated, why values are what they are, or how often
    /// training saves and draws. Two plans with the same one train the same adapter.
    /// </summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public string Essence => System.Text.Json.JsonSerializer.Serialize(this with
    {
        Train = Train with { SampleEvery = 0, CheckpointEvery = 0 },
        BasePath = Path.GetFileName(BasePath.TrimEnd('/')),
        EstimatedMemoryMiB = 0,
        Values = [.. Values.Where(v => v.Key == "base.prediction").Select(v => v with { Why = "", Origin = "" })],
    }, RunDirectory.Json);
    /// <summary>Ids of the samples that are trained on.</summary>
    public required IReadOnlyList<string> TrainSampleIds { get; init; }
    /// <summary>Ids of the samples held out.</summary>
    public required IReadOnlyList<string> ValidationSampleIds { get; init; }
}

/// <summary>How long an adapter was trained, and which of the steps its file holds.</summary>
/// <param name="Taken">Optimizer steps taken.</param>
/// <param name="Best">Step with the best validation loss, whose weights the file holds; null where nothing was validated and it holds the last step's.</param>
public sealed record AdapterSteps(int Taken, int? Best)
{
    /// <summary>The step whose weights the file holds.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public int Held => Best ?? Taken;

    /// <summary>"step 600 of 630 (best validation loss)", or "630 steps": the words of report, card, lineage and terminal.</summary>
    public override string ToString() => Best is { } best ? $"step {best} of {Taken} (best validation loss)" : $"{Taken} steps";
}

/// <summary>A trained adapter.</summary>
public sealed record Adapter
{
    /// <summary>Content id: SHA-256 of the file, first 16 hex digits.</summary>
    public required string Id { get; init; }
    /// <summary>Id of the <see cref="TrainPlan"/>.</summary>
    public required string PlanId { get; init; }
    /// <summary>File relative to the run directory.</summary>
    public required string Path { get; init; }
    /// <summary>SHA-256 (hex) of the file.</summary>
    public required string Sha256 { get; init; }
    /// <summary>Optimizer steps taken.</summary>
    public required int Steps { get; init; }
    /// <summary>Step with the best validation loss, whose weights the file holds; null when there was no validation, or where it was trained before this was kept.</summary>
    public int? BestStep { get; init; }
    /// <summary>Both, with their words.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public AdapterSteps Trained => new(Steps, BestStep);
    /// <summary>Training loss, mean of the last tenth of the steps.</summary>
    public required double FinalLoss { get; init; }
    /// <summary>Best validation loss; NaN when there was no validation.</summary>
    public required double ValidationLoss { get; init; }
    /// <summary>Seconds of training.</summary>
    public required double Seconds { get; init; }
    /// <summary>Peak resident memory in MiB.</summary>
    public required double PeakMemoryMiB { get; init; }
}

/// <summary>The finding about an adapter.</summary>
/// <param name="Id">Content id.</param>
/// <param name="AdapterId">Id of the <see cref="Adapter"/>.</param>
/// <param name="Passed">Whether every gate holds.</param>
/// <param name="Verdict">One sentence.</param>
/// <param name="Metrics">Each metric with n and its 95 % interval.</param>
public sealed record Report(string Id, string AdapterId, bool Passed, string Verdict, IReadOnlyList<Metric> Metrics)
{
    /// <summary>What to change after each missed gate, a sentence each; empty where there is nothing to say.</summary>
    public IReadOnlyList<string> Advice { get; init; } = [];
    /// <summary>The steps of the adapter that was measured; null in a report from before they were kept.</summary>
    public AdapterSteps? Steps { get; init; }
}

/// <summary>A measured quantity with its 95 % interval. <paramref name="Gate"/> is the rule it was judged by, null when it only informs.</summary>
public sealed record Metric(string Name, double Value, double Low, double High, int N, string? Gate, bool? Passed, string Meaning);

/// <summary>An adapter in service.</summary>
/// <param name="Id">Content id.</param>
/// <param name="ReportId">Id of the <see cref="Report"/>.</param>
/// <param name="AdapterName">Name used in prompts: &lt;lora:name:weight&gt;.</param>
/// <param name="Version">Version in the store, from 1.</param>
/// <param name="State">"champion", "candidate", "retired" or "refused".</param>
/// <param name="Certificate">Path of the certificate, absolute; in endpoint.json as <see cref="KeptPath"/> has it, like the bundle's.</param>
/// <param name="Bundle">Directory of the bundle in the store.</param>
public sealed record Endpoint(string Id, string ReportId, string AdapterName, int Version, string State, string Certificate, string Bundle);

/// <summary>Something that did not go on to the next stage, and why.</summary>
/// <param name="Id">Id of what was dropped.</param>
/// <param name="Reason">Name of the rule, e.g. "near-duplicate".</param>
/// <param name="What">URL or path.</param>
/// <param name="Detail">The measured value or the twin's id.</param>
public sealed record Drop(string Id, string Reason, string What, string? Detail = null)
{
    /// <summary>"document" for the text of a page; null for what the stage is about: a URL in crawl, a picture in clean.</summary>
    public string? Kind { get; init; }
    /// <summary>Value that was judged; null where the rule has no number.</summary>
    public double? Value { get; init; }
    /// <summary>Threshold that it was judged by.</summary>
    public double? Threshold { get; init; }
    /// <summary>URL of the page that it stands on; null where it stands on none, or is one itself.</summary>
    public string? Page { get; init; }
    /// <summary>SHA-256 (hex) of a picture's bytes; null where none were fetched.</summary>
    public string? Blob { get; init; }
}
