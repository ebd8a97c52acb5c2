using LoraFactory.Flow;
using LoraFactory.Stages;
using Xunit;

namespace LoraFactory.Tests.Stages;

/// <summary>The line skips what is unchanged, goes on after a kill, begins anew when something changed, and never lets two in.</summary>
public sealed class FactoryLineTests : IDisposable
{
    private readonly string folder = TestData.NewFolder();
    private readonly List<string> log = [];

    public void Dispose() => Directory.Delete(folder, recursive: true);

    /// <summary>A stage that copies the files of the one before it, with a line of its own, and counts.</summary>
    private sealed class CopyStage(StageName name, Func<Recipe, object> options, List<string> log, Func<StageContext, CancellationToken, Task>? before = null) : IStage
    {
        public StageName Name => name;

        public IEnumerable<object> Options(Recipe recipe) => [options(recipe)];

        public bool Stands(StageContext context) => name != StageName.Label || File.Exists(Path.Combine(context.Run.Path, "..", "shelf.txt"));

        public IEnumerable<MachineFinding> Look(Recipe recipe)
        {
            if (name == StageName.Crawl && recipe.Base.Clip == "offline") yield return new("LR214", "seed.urls", "no server knows it") { OfItsStage = true };
            if (name != StageName.Label) yield break;
            yield return new("LR205", "label.folder", "3 pictures", Severity.Note);
            if (recipe.Base.Clip != "missing") yield break;
            yield return new("LR202", "base.clip", "there is no missing");
            yield return new("LR202", "base.clip", "there is no missing");
            yield return new("LR204", "label.folder", "it is not there");
        }

        public IEnumerable<string> Inputs(StageContext context) =>
            name == StageName.Crawl ? [Path.Combine(context.Run.Path, "..", "user.txt")] : [context.Run.File(name - 1, "out.txt")];

        public async Task<StageOutcome> RunAsync(StageContext context, CancellationToken token)
        {
            log.Add(name.ToString());
            if (before is not null) await before(context, token);
            var text = await File.ReadAllTextAsync(Inputs(context).First(), token);
            AtomicFile.WriteText(context.Run.File(name, "out.txt"), $"{text}{name} {options(context.Recipe)}\n");
            if (name == StageName.Label) AtomicFile.WriteText(Path.Combine(context.Run.Path, "..", "shelf.txt"), text);
            return new StageOutcome(3, 2, new Dictionary<string, int> { ["blank"] = 1 }, "2 of 3");
        }
    }

    private FactoryLine Line(Func<StageContext, CancellationToken, Task>? inClean = null) => new([
        new CopyStage(StageName.Label, r => r.Label, log),
        new CopyStage(StageName.Crawl, r => r.Crawl, log),
        new CopyStage(StageName.Clean, r => r.Clean, log, inClean),
    ]);

    [Fact]
    public async Task What_stops_one_stage_alone_stops_no_run_that_finds_it_unchanged()
    {
        var offline = new Recipe { Base = new() { Clip = "offline" } };
        Task Run(Recipe recipe, StageName? from = null) => Line().RunAsync(Context(recipe), new LineRequest(from), new Dictionary<string, string>(), token: TestContext.Current.CancellationToken);
        Assert.Contains("seed.urls: no server knows it", (await Assert.ThrowsAsync<LoraException>(() => Run(offline))).Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(folder, "run", "1-crawl")));
        await Run(new Recipe());
        await Run(offline);
        await Assert.ThrowsAsync<LoraException>(() => Run(offline, StageName.Crawl));
        await Assert.ThrowsAsync<LoraException>(() => Run(offline with { Crawl = new() { MaxPages = 7 } }));
        Assert.Equal(["Crawl", "Clean", "Label"], log);
    }

    private StageContext Context(Recipe? recipe = null)
    {
        var user = Path.Combine(folder, "user.txt");
        if (!File.Exists(user)) File.WriteAllText(user, "begin\n");
        return new() { Run = new RunDirectory(Path.Combine(folder, "run")), Recipe = recipe ?? new Recipe(), Progress = new SilentProgress(), Seed = 1 };
    }

    private async Task<string> RunAsync(FactoryLine line, StageContext context, LineRequest? request = null)
    {
        log.Clear();
        await line.RunAsync(context, request ?? new LineRequest(), new Dictionary<string, string>(), token: TestContext.Current.CancellationToken);
        return string.Join(' ', log);
    }

    [Fact]
    public async Task An_unchanged_line_is_skipped_and_says_what_it_did()
    {
        Assert.Equal("Crawl Clean Label", await RunAsync(Line(), Context()));
        var record = RunDirectory.ReadJson<StageRecord>(Context().Run.File(StageName.Clean, StageRecord.FileName));
        Assert.Equal((3, 2, 1, "2 of 3", 1), (record.In, record.Out, record.Dropped["blank"], record.Summary, record.Attempts));
        Assert.Equal(["out.txt"], record.Outputs);
        Assert.Equal(new StageInput(Path.Combine("1-crawl", "out.txt"), ContentId.OfFile(Context().Run.File(StageName.Crawl, "out.txt"))), Assert.Single(record.Inputs));
        Assert.Equal("", await RunAsync(Line(), Context()));
        Assert.True(RecipeReader.Read(Path.Combine(folder, "run", "recipe.yaml"), environment: new Dictionary<string, string>()).Origins.ContainsKey("train.rank"));
    }

    [Fact]
    public async Task A_line_that_was_moved_is_unchanged_also_where_it_kept_absolute_paths()
    {
        await RunAsync(Line(), Context());
        var (record, memory) = (Context().Run.File(StageName.Crawl, StageRecord.FileName), Path.Combine(folder, "run", ".hashes.json"));
        Assert.Equal(Path.Combine("..", "user.txt"), Assert.Single(RunDirectory.ReadJson<StageRecord>(record).Inputs).Path);
        Assert.Contains("\"../user.txt\"", File.ReadAllText(memory));
        foreach (var file in new[] { record, memory }) // as they were kept before
            File.WriteAllText(file, File.ReadAllText(file).Replace("\"../user.txt\"", $"\"{folder}/user.txt\"", StringComparison.Ordinal));
        var moved = Path.Combine(TestData.NewFolder(), "moved");
        Directory.Move(folder, moved);
        Directory.CreateDirectory(folder); // what is put there now is none of its business
        File.WriteAllText(Path.Combine(folder, "user.txt"), "somebody else's\n");
        Assert.Equal("", await RunAsync(Line(), Context() with { Run = new RunDirectory(Path.Combine(moved, "run")) }));
    }

    [Fact]
    public async Task A_changed_option_runs_its_stage_and_what_depends_on_its_result()
    {
        await RunAsync(Line(), Context());
        Assert.Equal("Label", await RunAsync(Line(), Context(new Recipe { Label = new() { MaxTags = 3 } })));
        Assert.Equal("Clean Label", await RunAsync(Line(), Context(new Recipe { Clean = new() { MinSide = 9 }, Label = new() { MaxTags = 3 } })));
        Assert.Equal("", await RunAsync(Line(), Context(new Recipe { Clean = new() { MinSide = 9 }, Label = new() { MaxTags = 3 }, Train = new() { Rank = 7 } })));
    }

    [Fact]
    public async Task A_changed_input_or_a_lost_output_runs_again()
    {
        await RunAsync(Line(), Context());
        File.WriteAllText(Path.Combine(folder, "user.txt"), "other\n");
        Assert.Equal("Crawl Clean Label", await RunAsync(Line(), Context()));
        File.Delete(Context().Run.File(StageName.Clean, "out.txt"));
        Assert.Equal("Clean", await RunAsync(Line(), Context())); // its result is the same bytes, so Label stays
        File.Delete(Path.Combine(folder, "shelf.txt")); // what the last stage left elsewhere
        Assert.Equal("Label", await RunAsync(Line(), Context()));
        File.WriteAllText(Context().Run.File(StageName.Label, StageRecord.FileName), "{ half");
        Assert.Equal("Label", await RunAsync(Line(), Context()));
    }

    [Fact]
    public async Task From_forces_and_to_ends()
    {
        Assert.Equal("Crawl Clean", await RunAsync(Line(), Context(), new LineRequest(To: StageName.Clean)));
        Assert.Equal("Clean Label", await RunAsync(Line(), Context(), new LineRequest(From: StageName.Clean)));
        Assert.Equal("Clean", await RunAsync(Line(), Context(), new LineRequest(StageName.Clean, StageName.Clean)));
        var wrong = await Assert.ThrowsAsync<LoraException>(() => RunAsync(Line(), Context(), new LineRequest(StageName.Label, StageName.Crawl)));
        Assert.Equal(ExitCode.BadUsage, wrong.Code);
        foreach (var beyond in new LineRequest[] { new(From: StageName.Feedback), new(To: StageName.Feedback) }) // no stage of this line: it must not look as if it had run
            Assert.Contains("the line ends with label", (await Assert.ThrowsAsync<LoraException>(() => RunAsync(Line(), Context(), beyond))).Message);
    }

    [Fact]
    public async Task A_killed_stage_goes_on_from_what_it_left_while_its_hash_is_the_same()
    {
        var half = Context().Run.File(StageName.Clean, "half.txt");
        async Task Die(StageContext context, CancellationToken token)
        {
            await File.WriteAllTextAsync(half, "half", token);
            throw new OperationCanceledException();
        }
        await Assert.ThrowsAsync<OperationCanceledException>(() => RunAsync(Line(Die), Context()));
        var found = false;
        Assert.Equal("Clean Label", await RunAsync(Line((_, _) => Task.FromResult(found = File.Exists(half))), Context()));
        Assert.True(found);
        Assert.Equal(2, RunDirectory.ReadJson<StageRecord>(Context().Run.File(StageName.Clean, StageRecord.FileName)).Attempts);

        await Assert.ThrowsAsync<OperationCanceledException>(() => RunAsync(Line(Die), Context(), new LineRequest(From: StageName.Clean)));
        Assert.Equal("Clean Label", await RunAsync(Line((_, _) => Task.FromResult(found = File.Exists(half))), Context(new Recipe { Clean = new() { MinSide = 9 } })));
        Assert.False(found);
    }

    [Fact]
    public async Task What_a_later_stage_lacks_is_said_before_the_first_one_runs()
    {
        var context = Context(new Recipe { Base = new() { Clip = "missing" } });
        var refused = await Assert.ThrowsAsync<LoraException>(() => RunAsync(Line(), context));
        Assert.Equal(("base.clip: there is no missing\nlabel.folder: it is not there", ExitCode.BadUsage), (refused.Message, refused.Code)); // all at once, each once
        Assert.Empty(log);
        Assert.Equal("Crawl Clean", await RunAsync(Line(), context, new LineRequest(To: StageName.Clean)));
    }

    [Fact]
    public async Task What_is_forced_begins_anew_and_goes_on_only_from_its_own_interruption()
    {
        var half = Context().Run.File(StageName.Clean, "half.txt");
        var found = false;
        Func<StageContext, CancellationToken, Task> Leaves(Exception? end) => async (_, token) =>
        {
            found = File.Exists(half);
            await File.WriteAllTextAsync(half, "half", token);
            if (end is not null) throw end;
        };
        var force = new LineRequest(From: StageName.Clean);
        async Task Ends(Exception end, LineRequest? request = null) => Assert.Same(end, await Assert.ThrowsAnyAsync<Exception>(() => RunAsync(Line(Leaves(end)), Context(), request)));

        await Ends(new OperationCanceledException());
        await Ends(new OperationCanceledException(), force);
        Assert.False(found); // an ordinary run was interrupted: the user wants it anew
        await Ends(new LoraException("no network"), force);
        Assert.True(found); // the same command again goes on
        await Ends(new LoraException("no network"), force);
        Assert.False(found); // it failed: going on would fail again
        await Ends(new LoraException("no network"));
        Assert.True(found); // without force what is there stays, failed or not
        await RunAsync(Line(Leaves(null)), Context(), force);
        Assert.False(found);
    }

    [Fact]
    public async Task A_stage_that_fails_leaves_earlier_ones_finished_and_no_record_of_its_own()
    {
        var failure = await Assert.ThrowsAsync<LoraException>(() => RunAsync(Line((_, _) => throw new LoraException("no pictures left")), Context()));
        Assert.Equal("no pictures left", failure.Message);
        Assert.True(File.Exists(Context().Run.File(StageName.Crawl, StageRecord.FileName)));
        Assert.False(File.Exists(Context().Run.File(StageName.Clean, StageRecord.FileName)));
    }

    private string Text(string directory, string file = "out.txt") => File.ReadAllText(Path.Combine(folder, "run", directory, file));

    private static Func<StageContext, CancellationToken, Task> Ends(Exception end) => async (context, token) =>
    {
        await File.AppendAllTextAsync(context.Run.File(StageName.Clean, "half.txt"), "half ", token);
        throw end;
    };

    private static string Recipe(StageContext context) => File.ReadAllText(Path.Combine(context.Run.Path, "recipe.yaml"));

    [Fact]
    public async Task A_stage_that_fails_anew_gives_its_last_result_back_and_can_go_on()
    {
        await RunAsync(Line(), Context());
        var (result, recipe, changed) = (Text("2-clean"), Recipe(Context()), new Recipe { Clean = new() { MinSide = 9 } });
        var failure = await Assert.ThrowsAsync<LoraException>(() => RunAsync(Line(Ends(new LoraException("see 2-clean/half.txt"))), Context(changed)));
        Assert.Equal("see 2-clean.unfinished/half.txt", failure.Message);
        Assert.Equal((result, "half ", recipe), (Text("2-clean"), Text("2-clean.unfinished", "half.txt"), Recipe(Context())));
        Assert.Equal("", await RunAsync(Line(), Context())); // the recipe that made it finds it unchanged

        await Assert.ThrowsAsync<LoraException>(() => RunAsync(Line(Ends(new LoraException("no network"))), Context(changed)));
        Assert.Equal((result, "half half "), (Text("2-clean"), Text("2-clean.unfinished", "half.txt"))); // went on from what the first attempt left
        Assert.Equal("Clean Label", await RunAsync(Line(), Context(changed)));
        Assert.Contains("MinSide = 9", Text("2-clean"));
        Assert.NotEqual(recipe, Recipe(Context()));
        Assert.DoesNotContain(Directory.GetDirectories(Path.Combine(folder, "run")), d => d.Contains("2-clean.", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_interrupted_stage_keeps_its_last_result_for_the_recipe_that_made_it()
    {
        await RunAsync(Line(), Context());
        var (result, changed) = (Text("2-clean"), new Recipe { Clean = new() { MinSide = 9 } });
        await Assert.ThrowsAsync<OperationCanceledException>(() => RunAsync(Line(Ends(new OperationCanceledException())), Context(changed)));
        Assert.Equal((result, "half "), (Text("2-clean.before"), Text("2-clean", "half.txt")));
        Assert.Equal("", await RunAsync(Line(), Context()));
        Assert.Equal((result, "half "), (Text("2-clean"), Text("2-clean.unfinished", "half.txt")));
        Assert.Equal("Clean Label", await RunAsync(Line((_, _) => Task.CompletedTask), Context(changed)));
        Assert.Equal("half ", Text("2-clean", "half.txt")); // and the other recipe goes on from its own attempt
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_a_kill_left_between_two_renames_is_put_right(bool emptied)
    {
        await RunAsync(Line(), Context());
        var place = Path.Combine(folder, "run", "2-clean");
        Directory.Move(place, place + ".before");
        if (emptied) Directory.CreateDirectory(place);
        Assert.Equal("", await RunAsync(Line(), Context()));
        Assert.False(Directory.Exists(place + ".before"));
    }

    [Fact]
    public async Task Forced_again_and_failed_it_keeps_its_last_result()
    {
        await RunAsync(Line(), Context());
        var result = Text("2-clean");
        await Assert.ThrowsAsync<IOException>(() => RunAsync(Line(Ends(new IOException("torn cable"))), Context(), new LineRequest(From: StageName.Clean)));
        Assert.Equal(result, Text("2-clean"));
        Assert.Equal("", await RunAsync(Line(), Context()));
        Assert.Equal("Clean Label", await RunAsync(Line(), Context(), new LineRequest(From: StageName.Clean)));
        Assert.False(File.Exists(Path.Combine(folder, "run", "2-clean", "half.txt")));
    }

    [Fact]
    public async Task Forced_again_and_out_of_room_it_goes_on_with_the_same_command()
    {
        await RunAsync(Line(), Context());
        var (result, force) = (Text("2-clean"), new LineRequest(From: StageName.Clean));
        var full = new LoraException("the disk is full", inner: new IOException("No space left on device", 28));
        await Assert.ThrowsAsync<LoraException>(() => RunAsync(Line(Ends(full)), Context(), force));
        Assert.Equal((result, "half "), (Text("2-clean"), Text("2-clean.unfinished", "half.txt")));
        await Assert.ThrowsAsync<LoraException>(() => RunAsync(Line(Ends(full)), Context(), force));
        Assert.Equal("half half ", Text("2-clean.unfinished", "half.txt"));
        Assert.Equal("Clean Label", await RunAsync(Line((_, _) => Task.CompletedTask), Context(), force));
        Assert.Equal("half half ", Text("2-clean", "half.txt"));
    }

    [Fact]
    public async Task What_feedback_changed_is_not_kept_as_the_users_own_recipe()
    {
        await RunAsync(Line(), Context() with { Recipe = new Recipe { RandomSeed = 43 }, Given = new Recipe { RandomSeed = 42 } });
        Assert.Contains("random_seed: 42", Recipe(Context()));
    }

    [Fact]
    public async Task Two_lines_on_one_run_do_not_mix()
    {
        using var held = RunLock.Take(Context().Run);
        var refused = await Assert.ThrowsAsync<LoraException>(() => RunAsync(Line(), Context()));
        Assert.Contains($"process {Environment.ProcessId}", refused.Message);
        held.Dispose();
        Assert.Equal("Crawl Clean Label", await RunAsync(Line(), Context()));
    }

    [Fact]
    public async Task Interruption_stops_between_stages_and_loses_nothing()
    {
        using var stop = new CancellationTokenSource();
        var line = Line();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            line.RunAsync(Context(), new LineRequest(), new Dictionary<string, string>(), r => { if (r.Record.Stage == StageName.Clean) stop.Cancel(); }, stop.Token));
        Assert.Equal("Label", await RunAsync(Line(), Context()));
    }
}
