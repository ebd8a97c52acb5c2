using System.Net.Http.Json;
using System.Text.Json;
using System.Text.RegularExpressions;
using LoraFactory.Flow;
using LoraFactory.Images;
using LoraFactory.Models.Lora;
using LoraFactory.Stages;
using LoraFactory.Stages.Deploy;
using LoraFactory.Torch;

namespace LoraFactory.Tests.Cli;

/// <summary>What the whole line leaves: every stage's files, report, bundle, store; and what comes after: the endpoint, ratings, the next version, the way back.</summary>
[Collection("torch")]
public sealed class WholeLineTests(FinishedLine line) : FinishedLineTests(line)
{
    [Fact]
    public void Every_stage_ends_with_its_record_and_names_what_it_dropped()
    {
        Assert.True(Line.Printed.Code == 0, Line.Printed.Error);
        Assert.DoesNotContain("   at ", Line.Printed.Error);
        foreach (var stage in Enum.GetValues<StageName>().Where(s => s <= StageName.Deploy))
        {
            var record = RunDirectory.ReadJson<StageRecord>(Line.Run.File(stage, StageRecord.FileName));
            Assert.Equal((stage, 1), (record.Stage, record.Attempts));
            Assert.NotEmpty(record.Outputs);
            Assert.Contains(record.Summary, Line.Printed.Error);
        }
        var samples = RunDirectory.ReadLines<Sample>(Line.Run.File(StageName.Label, "samples.jsonl")).ToList();
        Assert.True(samples.Count >= 24, $"{samples.Count} samples");
        Assert.All(samples, s => Assert.Contains("blueprint", s.Caption, StringComparison.OrdinalIgnoreCase));
        Assert.True(samples.Count(s => s.Split == Split.Validation) >= 2);
    }

    [Fact]
    public void The_report_holds_everything_it_shows()
    {
        var report = RunDirectory.ReadJson<Report>(Line.Run.File(StageName.Evaluate, "report.json"));
        var adapter = RunDirectory.ReadJson<Adapter>(Line.Run.File(StageName.Train, "adapter.json"));
        Assert.Equal((adapter.Id, adapter.Trained), (report.AdapterId, report.Steps));
        Assert.True(adapter is { Steps: 12, BestStep: 6 or 12 }, adapter.Trained.ToString());
        Assert.Equal(["clip_score_delta", "style_similarity", "prompt_obedience", "diversity", "memorisation", "seconds_per_picture"], report.Metrics.Select(m => m.Name));
        Assert.All(report.Metrics, m => Assert.True(m.N == (m.Name == "seconds_per_picture" ? 1 : 3) && m.Low <= m.Value && m.Value <= m.High, $"{m.Name} {m.Value} [{m.Low}, {m.High}] n {m.N}"));
        Assert.Equal(report.Passed, report.Metrics.All(m => m.Passed != false));

        var html = File.ReadAllText(Line.Run.File(StageName.Evaluate, "report.html"));
        Assert.DoesNotMatch(@"(?i)<(script|link|iframe|object|embed|base)\b|@import|url\(|\b(srcset|href|poster|background)\s*=|https?://", html);
        var pictures = Regex.Matches(html, "src=\"(?<src>[^\"]*)\"", RegexOptions.None, TimeSpan.FromSeconds(5)).Select(m => m.Groups["src"].Value).ToList();
        Assert.All(pictures, src => Assert.StartsWith("data:image/png;base64,", src, StringComparison.Ordinal));
        var (grid, trained) = (Picture(pictures[0]), Picture(pictures[1]));
        Assert.Equal(2, pictures.Count);
        Assert.Equal((3 * 128, true), (grid.Width / 128 * 128, grid.Height > 2 * 128)); // three prompts, base above adapter
        Assert.Equal((8 * 128, true), (trained.Width / 128 * 128, trained.Height > 3 * 128)); // 24 training pictures
        Assert.Equal(PictureDecoder.DecodeFile(Line.Run.File(StageName.Evaluate, "grid.png")).Pixels, grid.Pixels);
        Assert.Equal(12, Regex.Match(html, "<polyline[^>]*points=\"(?<points>[^\"]*)\"", RegexOptions.None, TimeSpan.FromSeconds(5)).Groups["points"].Value.Split(' ').Length);
        Assert.Equal(2, Regex.Count(html, "<circle[^>]*><title>validation, step (?:6|12): ", RegexOptions.None, TimeSpan.FromSeconds(5)));
        foreach (var told in new[] { report.Id, adapter.Id, adapter.Sha256, "train.rank", "40 from figcaption", adapter.Trained.ToString() }) Assert.Contains(told, html, StringComparison.Ordinal);
        static Picture Picture(string src) => PictureDecoder.Decode(Convert.FromBase64String(src["data:image/png;base64,".Length..]));
    }

    [Fact]
    public void The_bundle_is_whole_and_both_spellings_hold_the_same_adapter()
    {
        var bundle = Line.Run.File(StageName.Deploy, "bundle");
        var sums = File.ReadAllLines(Path.Combine(bundle, "SHA256SUMS")).ToDictionary(l => l[66..], l => l[..64]);
        Assert.Equal(["README.md", "adapter.safetensors", "certificate.json", "data.jsonl", "grid.png", "pytorch_lora_weights.safetensors", "report.json"], sums.Keys.Order(StringComparer.Ordinal));
        Assert.All(sums, s => Assert.Equal(s.Value, ContentId.OfFile(Path.Combine(bundle, s.Key))));
        var stored = new AdapterStore(Line.StorePath).Champion(FinishedLine.Name)!;
        Assert.All(sums.Keys.Append("SHA256SUMS"), f => Assert.Equal(File.ReadAllBytes(Path.Combine(bundle, f)), File.ReadAllBytes(Path.Combine(new AdapterStore(Line.StorePath).Bundle(stored), f))));
        Assert.Equal((1, sums["adapter.safetensors"]), (stored.Version, stored.Sha256));
        Certificate.Require(new AdapterStore(Line.StorePath).Bundle(stored));
        TorchThread.Shared.Run(() =>
        {
            using var scope = new Scope();
            using var kohya = LoraFile.Read(Path.Combine(bundle, "adapter.safetensors"));
            using var diffusers = LoraFile.Read(Path.Combine(bundle, "pytorch_lora_weights.safetensors"));
            var same = diffusers.Modules.ToDictionary(m => (m.Component, m.Path));
            Assert.Equal(kohya.Modules.Count, same.Count);
            Assert.All(kohya.Modules, m => Assert.InRange((m.Delta() - same[(m.Component, m.Path)].Delta()).Abs().Max().Item(), 0, 1e-6));
            Assert.Equal(FinishedLine.Name, kohya.Metadata["ss_output_name"]);
            Assert.Equal("""{"conv_dim": "4", "conv_alpha": "4.0"}""", kohya.Metadata["ss_network_args"]); // every kernel, as the demo's recipe says
        });

        var card = File.ReadAllText(Path.Combine(bundle, "README.md"));
        Assert.StartsWith("---\nlibrary_name: diffusers\n", card);
        foreach (var told in new[] { "\nbase_model: \"pocket-sd\"\n", "\nlicense: \"cc0-1.0\"\n", "\ninstance_prompt: \"blueprint\"\n", $"# {FinishedLine.Name}\n", "| clip_score_delta | ", stored.Sha256, " of 12 (best validation loss), final loss " }) Assert.Contains(told, card, StringComparison.Ordinal);
        var samples = RunDirectory.ReadLines<Sample>(Line.Run.File(StageName.Label, "samples.jsonl")).ToList();
        var data = File.ReadAllLines(Path.Combine(bundle, "data.jsonl")).Select(l => JsonSerializer.Deserialize<JsonElement>(l)).ToList();
        Assert.Equal(samples.Select(s => (s.BlobHash, s.Caption)).Order(), data.Select(d => (d.GetProperty("sha256").GetString()!, d.GetProperty("caption").GetString()!)).Order());
        Assert.All(data, d => Assert.StartsWith("http://drawings.test/", d.GetProperty("page").GetString()));
    }

    [Fact]
    public async Task A_second_run_does_nothing_again_and_lineage_leads_back_to_pages()
    {
        Dictionary<string, (DateTime, string)> Files() => Directory.EnumerateFiles(Line.Run.Path, "*", SearchOption.AllDirectories).Where(f => !Path.GetFileName(f).StartsWith('.') && !Path.GetFileName(f).Contains("frontier.db", StringComparison.Ordinal))
            .ToDictionary(f => f, f => (f.EndsWith("recipe.yaml", StringComparison.Ordinal) ? default : File.GetLastWriteTimeUtc(f), ContentId.OfFile(f)));
        var before = Files();
        var again = await Line.LoraAsync("run", Line.Folder, ["--json"], TestContext.Current.CancellationToken);
        Assert.True(again.Code == 0, again.Error);
        Assert.Equal(["crawl", "clean", "label", "configure", "train", "evaluate", "deploy"], again.Json.Select(s => s.GetProperty("stage").GetString()));
        Assert.All(again.Json, s => Assert.True(s.GetProperty("skipped").GetBoolean(), s.ToString()));
        Assert.Equal(before, Files());
        var stage = await Line.LoraAsync("label", Line.Folder, ["--json"], TestContext.Current.CancellationToken); // a single stage prints the same objects
        Assert.True(stage.Code == 0, stage.Error);
        Assert.Equal(again.Json.Take(3).Select(s => s.ToString()), stage.Json.Select(s => s.ToString()));
        var part = await Line.LoraAsync("run", Line.Folder, ["--to", "configure"], TestContext.Current.CancellationToken);
        Assert.Equal($"{"run",-9} {Line.Run.Path}", part.Out.Trim()); // the adapter there may be of another plan

        var lineage = await FinishedLine.LoraAsync(["lineage", Line.Run.Path, "--json"], TestContext.Current.CancellationToken);
        var nodes = lineage.Json.Select(n => (Kind: n.GetProperty("kind").GetString()!, What: n.GetProperty("what").GetString()!)).ToList();
        Assert.Equal(["endpoint", "report", "adapter", "plan", "sample", "record", "page", "seed"], nodes.Select(n => n.Kind).Distinct());
        Assert.Equal((1, 40, 40), (nodes.Count(n => n.Kind == "endpoint"), nodes.Count(n => n.Kind == "sample"), nodes.Count(n => n.Kind == "record")));
        Assert.All(nodes.Where(n => n.Kind == "page"), n => Assert.StartsWith("http://drawings.test/", n.What));
        Assert.Contains($"{FinishedLine.Name} version 1, champion", nodes[0].What);
    }

    [Fact]
    public async Task A_promotion_by_force_stands_when_the_adapter_is_deployed_again()
    {
        var place = Line.Copy(Folder.File("forced"));
        var report = Path.Combine(place, "runs", FinishedLine.Name, "6-evaluate", "report.json");
        RunDirectory.WriteJson(report, RunDirectory.ReadJson<Report>(report) with { Passed = false, Verdict = "Failed, for this test." });
        var versions = Path.Combine(place, "store", FinishedLine.Name, "versions.json");
        RunDirectory.WriteJson(versions, RunDirectory.ReadJson<List<StoredAdapter>>(versions).ConvertAll(v => v with { Forced = true })); // as lora adapters promote --force leaves it
        var again = await Line.LoraAsync("run", place, ["--set", "deploy.require_passed=true"], TestContext.Current.CancellationToken);
        Assert.True(again.Code == 0, again.Error);
        Assert.Contains("tiny version 1 is champion: promoted by hand; as a candidate: Failed, for this test. Serve it with: lora serve --store", again.Error);
        Assert.Equal("champion", RunDirectory.ReadJson<Endpoint>(Path.Combine(place, "runs", FinishedLine.Name, "7-deploy", "endpoint.json")).State);
    }

    [Fact]
    public async Task Versions_come_go_and_come_back_and_low_ratings_call_for_a_new_run()
    {
        var place = Line.Copy(Folder.File("later"));
        var store = new AdapterStore(Path.Combine(place, "store"));
        string States() => string.Join(' ', store.Versions(FinishedLine.Name).Select(v => $"{v.Version}:{v.State}"));

        // nothing learnt: refused, and the champion stays
        var empty = await Line.LoraAsync("run", place, ["--set", "train.learning_rate=1e-9", "--set", "train.steps=1", "--set", "train.warmup_steps=0"], TestContext.Current.CancellationToken);
        Assert.True(empty.Code == (int)ExitCode.Refused, empty.Error); // what a script sees
        Assert.Contains("tiny version 2 is refused: refused as empty", empty.Error);
        Assert.Contains("lora: tiny version 2 is not in service: its certificate was refused", empty.Error);
        Assert.DoesNotContain("Serve it with", empty.Error);
        Assert.Equal("1:champion 2:refused", States());
        string[] rollback = ["adapters", "rollback", FinishedLine.Name, "--store", store.Folder];
        Assert.Equal((int)ExitCode.Refused, (await FinishedLine.LoraAsync([.. rollback, "--version", "2"], TestContext.Current.CancellationToken)).Code);
        Assert.Equal((int)ExitCode.BadUsage, (await FinishedLine.LoraAsync(rollback, TestContext.Current.CancellationToken)).Code);

        var next = await Line.LoraAsync("run", place, ["--set", "train.steps=10"], TestContext.Current.CancellationToken);
        Assert.True(next.Code == 0, next.Error);
        Assert.Equal("1:retired 2:refused 3:champion", States());
        Assert.All(new[] { "crawl", "clean", "label" }, s => Assert.Matches($"{s} .*unchanged, not run again", next.Error));
        Assert.Equal(0, (await FinishedLine.LoraAsync(rollback, TestContext.Current.CancellationToken)).Code);
        Assert.Equal("1:champion 2:refused 3:retired", States());
        var listed = await FinishedLine.LoraAsync(["adapters", "--store", store.Folder, "--json"], TestContext.Current.CancellationToken);
        Assert.Equal(["champion", "refused", "retired"], listed.Json.Select(v => v.GetProperty("state").GetString()));

        await Rated(store.Folder);
        var decided = await Line.LoraAsync("feedback", place, ["--json"], TestContext.Current.CancellationToken);
        Assert.True(decided.Code == 0, decided.Error);
        var decision = RunDirectory.ReadJson<LoraFactory.Stages.Feedback.RetrainDecision>(Path.Combine(place, "runs", FinishedLine.Name, "8-feedback", "decision.json"));
        Assert.Equal((true, 3, 1, StageName.Crawl), (decision.Retrain, decision.Count, decision.Version, decision.From));
        Assert.Equal(0.2, decision.Mean, 9);
        var goesOn = await Line.LoraAsync("run", place, ["--continue", "--to", "crawl", "--json"], TestContext.Current.CancellationToken);
        Assert.True(goesOn.Code == 0, goesOn.Error);
        Assert.False(Assert.Single(goesOn.Json).GetProperty("skipped").GetBoolean());

        // from here on the run goes by the decision, also without --continue
        var fourth = await Line.LoraAsync("run", place, ["--json"], TestContext.Current.CancellationToken);
        Assert.True(fourth.Code == 0, fourth.Error);
        Assert.Contains("going on after feedback on tiny version 1", fourth.Error);
        Assert.Equal([true, false, false, false, false, false, false], fourth.Json.Select(s => s.GetProperty("skipped").GetBoolean()));
        var versions = store.Versions(FinishedLine.Name);
        Assert.Equal(("1:retired 2:refused 3:retired 4:champion", 4), (States(), versions.Select(v => v.Sha256).Distinct().Count()));
        Assert.Equal((1, null), (versions[3].Parent, versions[0].Parent));
        var report = RunDirectory.ReadJson<Report>(Path.Combine(place, "runs", FinishedLine.Name, "6-evaluate", "report.json"));
        Assert.Equal(4, report.Metrics[0].N); // three prompts and the one that was rated
        var lineage = await FinishedLine.LoraAsync(["lineage", Path.Combine(place, "runs", FinishedLine.Name), "--json"], TestContext.Current.CancellationToken);
        Assert.Contains("train tiny version 1 again: the mean of the last 3 ratings, 0.20", Assert.Single(lineage.Json, n => n.GetProperty("kind").GetString() == "decision").GetProperty("what").GetString());
        var done = await Line.LoraAsync("run", place, ["--continue", "--json"], TestContext.Current.CancellationToken);
        Assert.All(done.Json, s => Assert.True(s.GetProperty("skipped").GetBoolean(), s.ToString()));
    }

    // Serves the store, draws with and without the champion, and rates three pictures low.
    private static async Task Rated(string store)
    {
        using var stop = new CancellationTokenSource();
        using var output = new StringWriter();
        var printed = TextWriter.Synchronized(output);
        var serving = LoraFactory.Cli.CommandLine.RunAsync(["serve", "--store", store, "--port", "0"], printed, printed, stop.Token);
        string Text()
        {
            lock (printed) return output.ToString();
        }
        while (!serving.IsCompleted && !Text().Contains("Ctrl-C ends it", StringComparison.Ordinal)) await Task.Delay(50);
        Assert.False(serving.IsCompleted, Text());
        Assert.Contains("live: <lora:tiny:1>, version 1", Text());
        using var http = new HttpClient { BaseAddress = new Uri(Regex.Match(Text(), @"http://127\.0\.0\.1:\d+", RegexOptions.None, TimeSpan.FromSeconds(5)).Value) };
        async Task<JsonElement> Post(string path, object body)
        {
            using var answer = await http.PostAsJsonAsync(path, body);
            var text = await answer.Content.ReadAsStringAsync();
            Assert.True(answer.IsSuccessStatusCode, text);
            return JsonSerializer.Deserialize<JsonElement>(text);
        }
        var plain = await Post("/sdapi/v1/txt2img", new { prompt = "a blueprint of a cat", seed = 5, steps = 4 });
        var with = await Post("/sdapi/v1/txt2img", new { prompt = "a blueprint of a cat <lora:tiny:1>", seed = 5, steps = 4, batch_size = 3 });
        Assert.NotEqual(PictureDecoder.Decode(plain.GetProperty("images")[0].GetBytesFromBase64()).Pixels, PictureDecoder.Decode(with.GetProperty("images")[0].GetBytesFromBase64()).Pixels);
        foreach (var id in JsonDocument.Parse(with.GetProperty("info").GetString()!).RootElement.GetProperty("generations").EnumerateArray()) await Post("/feedback", new { generation_id = id.GetString(), rating = 0.2 });
        await stop.CancelAsync();
        Assert.Equal(0, await serving);
    }
}
