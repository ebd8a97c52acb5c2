using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Runtime;
using System.Text.Json;
using System.Text.Json.Nodes;
using LoraFactory.Cli.Commands;
using LoraFactory.Cli.Engine.Bench.Web;
using LoraFactory.Flow;
using LoraFactory.Stages.Crawl;
using LoraFactory.Stages.Train;

namespace LoraFactory.Cli.Engine.Bench;

/// <summary><c>lora bench crawl</c> and <c>lora bench web</c>: the crawl stage on a web made from a seed, served by a process of its own.</summary>
internal static class CrawlBench
{
    /// <summary>Serves a generated web until the standard input ends.</summary>
    public static Command WebCommand(CommandWorld world)
    {
        var shape = new ShapeOptions();
        var command = new Command("web", "Serve a web made from a seed on loopback, and say how its crawler behaved; ends with the standard input");
        shape.AddTo(command);
        command.SetAction((parsed, token) => ServeAsync(shape.Of(parsed), world, token));
        return command;
    }

    /// <summary>Crawls a generated web and measures.</summary>
    public static Command CrawlCommand(CommandWorld world)
    {
        var shape = new ShapeOptions();
        var concurrency = new Option<int>("--concurrency") { Description = "Hosts asked at the same time, as crawl.concurrency", DefaultValueFactory = _ => 32, HelpName = "N" };
        var pictures = new Option<bool>("--pictures") { Description = "Fetch pictures too" };
        var site = new Option<string?>("--site") { Description = "Crawl what is served already: its expected.json (\"seed\", \"pages\" with url and title) instead of a generated web", HelpName = "FILE" };
        var keep = new Option<string?>("--keep") { Description = "Keep the run in this folder", HelpName = "DIR" };
        var command = new Command("crawl", "Pages a second of the crawl stage on a web made from a seed, with what its server saw of its manners");
        shape.AddTo(command);
        foreach (var option in (Option[])[concurrency, pictures, site, keep]) command.Options.Add(option);
        command.SetAction(async (parsed, token) =>
        {
            var settings = new CrawlSettings(parsed.GetValue(concurrency), parsed.GetValue(pictures), parsed.GetValue(keep));
            var line = parsed.GetValue(site) is { } file ? await SiteAsync(file, settings, world, token) : await GeneratedAsync(shape.Of(parsed), settings, world, token);
            world.Out.WriteLine(line.ToJsonString(RunDirectory.Json));
            var whole = line["found"]!.GetValue<int>() == line["pages"]!.GetValue<int>();
            return (int)(whole && line["violations"]?.GetValue<int>() is null or 0 ? ExitCode.Done : ExitCode.Failed);
        });
        return command;
    }

    private sealed record CrawlSettings(int Concurrency, bool Pictures, string? Keep)
    {
        public double Speedup { get; init; } = 1;
    }

    private static async Task<int> ServeAsync(WebShape shape, CommandWorld world, CancellationToken token)
    {
        await using var server = await WebServer.StartAsync(shape);
        world.Out.WriteLine(JsonSerializer.Serialize(new { server.Port }, RunDirectory.Json));
        await world.Out.FlushAsync(token);
        try
        {
            await Console.In.ReadToEndAsync(token);
        }
        catch (OperationCanceledException)
        {
            // Ctrl-C ends it as the end of input does
        }
        world.Out.WriteLine(JsonSerializer.Serialize(server.Witness, RunDirectory.Json));
        return (int)ExitCode.Done;
    }

    private static async Task<JsonObject> GeneratedAsync(WebShape shape, CrawlSettings settings, CommandWorld world, CancellationToken token)
    {
        using var server = Start(shape);
        try
        {
            var port = (await ReadAsync(server, token)).GetProperty("port").GetInt32();
            var web = new GeneratedWeb(shape);
            var expected = Enumerable.Range(0, shape.Pages).ToDictionary(web.Url, web.Title, StringComparer.Ordinal);
            var options = new CrawlOptions
            {
                AllowPrivateHosts = [.. web.HostNames],
                Resolve = [.. web.Resolve(port)],
                DelaySeconds = shape.Pause,
                TimeoutSeconds = 5 * shape.Speedup,
            };
            settings = settings with { Speedup = shape.Speedup };
            var fields = new JsonObject { ["pages"] = shape.Pages, ["hosts"] = shape.Hosts, ["seed"] = shape.Seed, ["latency_ms"] = shape.LatencyMs, ["failure_rate"] = shape.FailureRate, ["trap_rate"] = shape.TrapRate, ["redirect_rate"] = shape.RedirectRate, ["opt_out_rate"] = shape.OptOutRate, ["robots_failure_rate"] = shape.RobotsFailureRate, ["delay_s"] = shape.Pause };
            if (shape.Speedup > 1) fields["speedup"] = shape.Speedup;
            var keptInSpite = 0;
            var line = await MeasureAsync(fields, web.Url(0), options, expected, settings, world, token, pages => keptInSpite = web.OptedOutKept(pages));
            server.StandardInput.Close();
            var seen = JsonSerializer.Deserialize<WebWitness>(await ReadAsync(server, token), RunDirectory.Json)!;
            await server.WaitForExitAsync(token);
            line["requests"] = seen.Requests;
            line["megabytes_per_s"] = Measurement.Rounded(seen.Bytes / 1e6 / line["wall_s"]!.GetValue<double>());
            line["asked_beside"] = seen.Beside;
            line["violations"] = seen.Violations + keptInSpite;
            line["violations_by_kind"] = new JsonObject { ["denied"] = seen.Denied, ["before_robots"] = seen.BeforeRobots, ["at_once"] = seen.AtOnce, ["too_soon"] = seen.TooSoon, ["before_retry"] = seen.BeforeRetry, ["opted_out_asked"] = seen.OptedOutAsked, ["opted_out_kept"] = keptInSpite };
            return line;
        }
        finally
        {
            if (!server.HasExited) server.Kill();
        }
    }

    private static async Task<JsonObject> SiteAsync(string file, CrawlSettings settings, CommandWorld world, CancellationToken token)
    {
        using var document = JsonDocument.Parse(await File.ReadAllBytesAsync(file, token));
        var expected = document.RootElement.GetProperty("pages").EnumerateArray().ToDictionary(p => p.GetProperty("url").GetString()!, p => string.Join(" ", p.GetProperty("title").GetString()!.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)), StringComparer.Ordinal);
        var hosts = expected.Keys.Select(u => new Uri(u).Host).Distinct(StringComparer.Ordinal).ToList();
        var options = new CrawlOptions { AllowPrivateHosts = hosts, DelaySeconds = 0, TimeoutSeconds = 10 };
        var fields = new JsonObject { ["site"] = file, ["pages"] = expected.Count, ["hosts"] = hosts.Count };
        return await MeasureAsync(fields, document.RootElement.GetProperty("seed").GetString()!, options, expected, settings, world, token);
    }

    private static async Task<JsonObject> MeasureAsync(JsonObject line, string seed, CrawlOptions options, Dictionary<string, string> expected, CrawlSettings settings, CommandWorld world, CancellationToken token, Action<IEnumerable<Page>>? look = null)
    {
        var folder = settings.Keep ?? Path.Combine(Path.GetTempPath(), $"lora-bench-crawl-{Environment.ProcessId}");
        try
        {
            var run = new RunDirectory(folder);
            options = options with
            {
                MaxPages = Math.Max(expected.Count * 2, 1000),
                MaxPagesPerHost = Math.Max(expected.Count, 1000),
                MaxPictures = settings.Pictures ? Math.Max(expected.Count * 3, 1000) : 0,
                MaxDepth = 100,
                Concurrency = settings.Concurrency,
                HostPatience = 0,
            };
            using var board = world.NewBoard();
            var context = new StageContext
            {
                Run = run,
                Recipe = new Recipe { Name = "bench", Seed = new() { Topic = "generated web", ExpandDepth = 0, Urls = [seed] }, Crawl = options },
                Progress = board,
                Clock = settings.Speedup > 1 ? new FastClock(settings.Speedup) : world.Clock,
                Seed = 1,
            };
            var cpu = Environment.CpuUsage.TotalTime;
            var started = Stopwatch.GetTimestamp();
            var outcome = await new CrawlStage().RunAsync(context, token);
            var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
            var used = (Environment.CpuUsage.TotalTime - cpu).TotalSeconds;
            var right = RunDirectory.ReadLines<Page>(run.File(StageName.Crawl, "pages.jsonl")).Where(p => expected.TryGetValue(p.FinalUrl, out var title) && title == p.Title).Select(p => p.FinalUrl).Distinct(StringComparer.Ordinal).Count();
            look?.Invoke(RunDirectory.ReadLines<Page>(run.File(StageName.Crawl, "pages.jsonl")));
            line["kept"] = outcome.Out;
            line["found"] = right;
            line["wall_s"] = Measurement.Rounded(seconds);
            line["pages_per_s"] = Measurement.Rounded(outcome.Out / seconds);
            line["cpu_s"] = Measurement.Rounded(used);
            line["pages_per_cpu_s"] = Measurement.Rounded(outcome.Out / used);
            line["compiling_s"] = Measurement.Rounded(JitInfo.GetCompilationTime().TotalSeconds);
            line["methods_compiled"] = JitInfo.GetCompiledMethodCount();
            if (settings.Speedup > 1) Project(line, outcome.Out, seconds * settings.Speedup / 3600, used);
            line["peak_rss_mb"] = Math.Round(ProcessMemory.PeakMiB);
            line["dropped"] = new JsonObject([.. outcome.Dropped.Select(d => KeyValuePair.Create(d.Key, (JsonNode?)d.Value))]);
            return line;
        }
        finally
        {
            if (settings.Keep is null && Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        }
    }

    // What a day on this machine would bring at the pace of the hours that were played.
    private static void Project(JsonObject line, int kept, double hours, double cpuSeconds)
    {
        line["hours_played"] = Measurement.Rounded(hours);
        line["pages_per_day"] = Math.Round(kept / hours * 24);
        line["processors_busy"] = Measurement.Rounded(cpuSeconds / (hours * 3600));
    }

    // A process of its own, so that the crawl's seconds are the crawl's alone.
    private static Process Start(WebShape shape)
    {
        var program = Environment.ProcessPath!;
        List<string> arguments = Path.GetFileNameWithoutExtension(program) == "dotnet" ? [typeof(CrawlBench).Assembly.Location] : [];
        arguments.AddRange(["bench", "web", .. ShapeOptions.Arguments(shape)]);
        return Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, UseShellExecute = false })
            ?? throw new LoraException("The process that serves the generated web could not be started.");
    }

    private static async Task<JsonElement> ReadAsync(Process server, CancellationToken token)
    {
        var line = await server.StandardOutput.ReadLineAsync(token) ?? throw new LoraException("The process that serves the generated web ended before its time; lora bench web shows why.");
        return JsonDocument.Parse(line).RootElement.Clone();
    }

    /// <summary>The options of a web's shape, alike for both commands.</summary>
    private sealed class ShapeOptions
    {
        private static readonly WebShape Standard = new();
        private readonly Option<int> pages = Whole("--pages", "Pages that can be reached", Standard.Pages, 1, 100_000_000);
        private readonly Option<int> hosts = Whole("--hosts", "Hosts that they are spread over", Standard.Hosts, 1, 1000);
        private readonly Option<int> seed = Whole("--seed", "Seed: the same one makes the same web", Standard.Seed, 0, int.MaxValue);
        private readonly Option<double> latency = Number("--latency-ms", "Mean answering time in milliseconds, spread exponentially over hosts", 60_000);
        private readonly Option<double> failures = Number("--failures", "Share of pages that fail at first, and that link to what is missing, breaks off or hangs", 1);
        private readonly Option<double> traps = Number("--traps", "Share of pages that link into a trap", 1);
        private readonly Option<double> redirects = Number("--redirects", "Share of pages that have moved: most links to them redirect, once or twice, within the host or from another", 1);
        private readonly Option<double> optOuts = Number("--opt-outs", "Share of pages, and of pictures, that refuse training", 1);
        private readonly Option<double> robotsFailures = Number("--robots-failures", "Further hosts, as a share of --hosts, that are linked to and whose robots.txt answers 503 or never", 1);
        private readonly Option<double> crawlDelay = Number("--crawl-delay", "Pause in seconds that robots.txt asks for", 3600);
        private readonly Option<double> delay = Number("--delay", "Pause in seconds between requests to a host, as crawl.delay_seconds", 3600);

        private readonly Option<double> speedup = Number("--speedup", "Let time pass so many times as fast, 1 to 1000, to play hours of pauses and latencies in minutes; adds the pages a day that this comes to", 1000, 1);

        public static IEnumerable<string> Arguments(WebShape shape) => new (string, double)[]
        {
            ("--pages", shape.Pages), ("--hosts", shape.Hosts), ("--seed", shape.Seed), ("--latency-ms", shape.LatencyMs), ("--failures", shape.FailureRate),
            ("--traps", shape.TrapRate), ("--redirects", shape.RedirectRate), ("--opt-outs", shape.OptOutRate), ("--robots-failures", shape.RobotsFailureRate),
            ("--crawl-delay", shape.CrawlDelay), ("--delay", shape.Pause), ("--speedup", shape.Speedup),
        }.SelectMany(p => (string[])[p.Item1, p.Item2.ToString(CultureInfo.InvariantCulture)]);

        public void AddTo(Command command)
        {
            foreach (var option in (Option[])[pages, hosts, seed, latency, failures, traps, redirects, optOuts, robotsFailures, crawlDelay, delay, speedup]) command.Options.Add(option);
        }

        public WebShape Of(ParseResult parsed) => new(parsed.GetValue(pages), parsed.GetValue(hosts), parsed.GetValue(seed))
        {
            LatencyMs = parsed.GetValue(latency),
            FailureRate = parsed.GetValue(failures),
            TrapRate = parsed.GetValue(traps),
            RedirectRate = parsed.GetValue(redirects),
            OptOutRate = parsed.GetValue(optOuts),
            RobotsFailureRate = parsed.GetValue(robotsFailures),
            CrawlDelay = parsed.GetValue(crawlDelay),
            Pause = parsed.GetValue(delay),
            Speedup = parsed.GetValue(speedup),
        };

        private static Option<int> Whole(string name, string description, int otherwise, int least, int most) => NumberOption.Of(name, description, otherwise, least, most);

        // Not given, it is the least.
        private static Option<double> Number(string name, string description, double most, double least = 0) => NumberOption.Of(name, description, least, least, most, helpName: "X");
    }
}
