namespace LoraFactory.Flow;

/// <summary>The eight stages, in the order of the line.</summary>
public enum StageName
{
    /// <summary>Seed → Page.</summary>
    Crawl = 1,
    /// <summary>Page → Record.</summary>
    Clean = 2,
    /// <summary>Record → Sample.</summary>
    Label = 3,
    /// <summary>Samples → TrainPlan.</summary>
    Configure = 4,
    /// <summary>TrainPlan → Adapter.</summary>
    Train = 5,
    /// <summary>Adapter → Report.</summary>
    Evaluate = 6,
    /// <summary>Report → Endpoint.</summary>
    Deploy = 7,
    /// <summary>Endpoint → Seed, Record.</summary>
    Feedback = 8,
}

/// <summary>One stage of the line. It reads files of earlier stages, writes files into its own directory, and nothing else.</summary>
public interface IStage
{
    /// <summary>Its place in the line.</summary>
    StageName Name { get; }

    /// <summary>The option records that its result depends on; they go into the stage's hash.</summary>
    IEnumerable<object> Options(Recipe recipe);

    /// <summary>True when its next run goes by what the one before left, such as a decision that is kept, and so its directory is never cleared.</summary>
    bool KeepsState => false;

    /// <summary>False when something that it left outside its own directory is gone, such as a version in the store; then it runs again.</summary>
    bool Stands(StageContext context) => true;

    /// <summary>Files of earlier stages and of the user that its result depends on; their bytes go into the stage's hash.</summary>
    IEnumerable<string> Inputs(StageContext context);

    /// <summary>What matters of files that also hold what does not, such as how often a plan has training saved: a name and the text that goes into the hash.</summary>
    IEnumerable<KeyValuePair<string, string>> Extracts(StageContext context) => [];

    /// <summary>
    /// Asked of every stage before the first one runs, and by lora check: what of this machine would stop it later, such as a model that is not
    /// there, or spoil its result. Looks at headers and configurations, loads no weights, writes nothing that stays.
    /// </summary>
    IEnumerable<MachineFinding> Look(Recipe recipe) => [];

    /// <summary>
    /// Does the work. May be called again on a directory that a killed run left: it goes on from what is there.
    /// Throws <see cref="LoraException"/> for what a user can mend and <see cref="OperationCanceledException"/> when interrupted.
    /// </summary>
    Task<StageOutcome> RunAsync(StageContext context, CancellationToken token);
}

/// <summary>What a recipe meets on this machine: an error stops a run before its first stage; for lora check, which may ask on another machine, it is a warning.</summary>
/// <param name="Id">"LR" and three digits, from LR201.</param>
/// <param name="Key">Recipe key that it is about.</param>
/// <param name="Message">One or two sentences: what was found, what to do.</param>
/// <param name="Severity">Error, warning, or note.</param>
public sealed record MachineFinding(string Id, string Key, string Message, Severity Severity = Severity.Error)
{
    /// <summary>True where it stops its own stage alone: a run that finds that stage finished and unchanged goes on without it.</summary>
    public bool OfItsStage { get; init; }

    /// <summary>The finding that a failure comes to; the key is not said twice, and a <paramref name="path"/> that was mistyped is mended.</summary>
    public static MachineFinding Of(string id, string key, Exception failure, string path = "") =>
        new(id, key, (failure.Message.StartsWith(key + ": ", StringComparison.Ordinal) ? failure.Message[(key.Length + 2)..] : failure.Message) + NearestPath.Hint(path));

    /// <summary>e.g. "base.clip: …".</summary>
    public override string ToString() => $"{Key}: {Message}";
}

/// <summary>What a stage did, for stage.json and the terminal.</summary>
/// <param name="In">Items that came in.</param>
/// <param name="Out">Items that went out.</param>
/// <param name="Dropped">Count by reason.</param>
/// <param name="Summary">One line for people.</param>
public sealed record StageOutcome(int In, int Out, IReadOnlyDictionary<string, int> Dropped, string Summary);

/// <summary>What a stage is given: the run, its recipe, and the world (clock, progress, seed) by parameter.</summary>
public sealed record StageContext
{
    /// <summary>The run and its directories.</summary>
    public required RunDirectory Run { get; init; }
    /// <summary>The effective recipe.</summary>
    public required Recipe Recipe { get; init; }
    /// <summary>The recipe before a decision of feedback changed it, kept as the run's recipe.yaml; null where none did.</summary>
    public Recipe? Given { get; init; }
    /// <summary>Where progress goes.</summary>
    public required IProgressBoard Progress { get; init; }
    /// <summary>The clock.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;
    /// <summary>Seed of all randomness of the stage.</summary>
    public required long Seed { get; init; }
    /// <summary>True when what the stage measured before is judged anew instead of measured again.</summary>
    public bool Rescore { get; init; }
}

/// <summary>Shows progress: on a terminal as bars, elsewhere as lines.</summary>
public interface IProgressBoard
{
    /// <summary>Begins a bar. <paramref name="total"/> null means that the end is not known; unit e.g. "pages", "steps".</summary>
    IProgressTask Begin(string title, long? total, string unit);

    /// <summary>Prints a line above the bars.</summary>
    void Line(string text);
}

/// <summary>One bar. Thread-safe. Disposing ends it.</summary>
public interface IProgressTask : IDisposable
{
    /// <summary>Sets how far it is.</summary>
    void Set(long done, long? total = null);

    /// <summary>Moves on.</summary>
    void Advance(long by = 1);

    /// <summary>Words behind the bar, e.g. "loss 0.041".</summary>
    void Note(string text);

    /// <summary>Lines below the bar, in place of the last ones; where there are no bars they are not shown.</summary>
    void Details(IReadOnlyList<string> lines) { }
}

/// <summary>Shows nothing; for tests and scripts.</summary>
public sealed class SilentProgress : IProgressBoard
{
    /// <inheritdoc/>
    public IProgressTask Begin(string title, long? total, string unit) => new Nothing();

    /// <inheritdoc/>
    public void Line(string text) { }

    private sealed class Nothing : IProgressTask
    {
        public void Set(long done, long? total = null) { }
        public void Advance(long by = 1) { }
        public void Note(string text) { }
        public void Dispose() { }
    }
}
