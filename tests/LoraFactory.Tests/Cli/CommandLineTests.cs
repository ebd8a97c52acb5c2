using System.Diagnostics;
using System.Text.Json;
using LoraFactory.Cli;
using LoraFactory.Flow;
using Xunit;

namespace LoraFactory.Tests.Cli;

/// <summary>The program as a user meets it: help, exit codes, one clear line for each error.</summary>
public sealed class CommandLineTests : IDisposable
{
    private readonly string folder = TestData.NewFolder();

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private static async Task<(int Code, string Out, string Error)> Run(params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = await CommandLine.RunAsync(args, output, error, TestContext.Current.CancellationToken);
        return (code, output.ToString(), error.ToString());
    }

    [Fact]
    public async Task A_number_that_is_none_is_refused_in_words()
    {
        var (code, _, error) = await Run("serve", "--port", "abc");
        Assert.Equal((int)ExitCode.BadUsage, code);
        Assert.Contains("--port", error, StringComparison.Ordinal);
        Assert.Contains("as a whole number", error, StringComparison.Ordinal);
        Assert.DoesNotContain("System.", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--pages abc: it takes a whole number from 1 to", "bench", "crawl", "--pages", "abc")]
    [InlineData("--mb 17: it takes a multiple of 16 from 16 to", "bench", "load", "--mb", "17")]
    [InlineData("--max-age NaN: it takes a number from 0 to 8760", "consent", "check", "--max-age", "NaN")]
    public async Task A_number_out_of_range_is_refused_with_the_range(string words, params string[] args)
    {
        var (code, _, error) = await Run(args);
        Assert.Equal((int)ExitCode.BadUsage, code);
        Assert.Contains(words, error, StringComparison.Ordinal);
        Assert.Equal(2, error.Trim().Split('\n').Length);
    }

    [Theory]
    [InlineData("lineage", "night")]
    [InlineData("crawl", "status", "night")]
    [InlineData("crawl", "pause", "night")]
    [InlineData("clean", "report", "night")]
    [InlineData("clean", "night", "--rescore")]
    [InlineData("consent", "check", "night")]
    public async Task A_run_is_looked_for_where_the_runs_are(params string[] args)
    {
        var (code, _, error) = await Run([.. args, "--runs-dir", folder]);
        Assert.Equal((int)ExitCode.BadUsage, code);
        Assert.Contains(Path.Combine(folder, "night"), error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_hint_names_the_whole_command()
    {
        var (_, _, error) = await Run("adapters", "promote", "demo");
        Assert.Contains("lora adapters promote --help shows", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Help_lists_every_command_once_by_group()
    {
        var (code, text, _) = await Run("--help");
        Assert.Equal(0, code);
        Assert.True(CommandLine.Files.Count >= 4);
        var world = new CommandWorld(TextWriter.Null, TextWriter.Null, TimeProvider.System);
        foreach (var file in CommandLine.Files)
        {
            var command = file.Build(world);
            Assert.Equal(2, text.Split($"\n  {command.Name} ").Length);
            Assert.False(string.IsNullOrWhiteSpace(command.Description), command.Name);
        }
        Assert.True(text.IndexOf("The line", StringComparison.Ordinal) < text.IndexOf("Recipes", StringComparison.Ordinal));
        var (bare, same, _) = await Run();
        Assert.Equal((0, text), (bare, same));
    }

    [Fact]
    public async Task Every_argument_and_option_of_every_command_is_explained()
    {
        var world = new CommandWorld(TextWriter.Null, TextWriter.Null, TimeProvider.System);
        var pending = new Queue<System.CommandLine.Command>(CommandLine.Files.Select(f => f.Build(world)));
        var counted = 0;
        while (pending.TryDequeue(out var command))
        {
            foreach (var sub in command.Subcommands) pending.Enqueue(sub);
            Assert.All(command.Options, o => Assert.False(string.IsNullOrWhiteSpace(o.Description), $"{command.Name} {o.Name}"));
            Assert.All(command.Arguments, a => Assert.False(string.IsNullOrWhiteSpace(a.Description), $"{command.Name} {a.Name}"));
            counted += command.Options.Count + command.Arguments.Count;
        }
        Assert.True(counted > 5);
        var (code, text, _) = await Run("check", "--help");
        Assert.Equal(0, code);
        Assert.Contains("--strict", text);
    }

    [Fact]
    public async Task Usage_reads_as_a_command_is_typed()
    {
        var world = new CommandWorld(TextWriter.Null, TextWriter.Null, TimeProvider.System);
        var subcommands = CommandLine.Files.Select(f => f.Build(world)).SelectMany(c => c.Subcommands.Select(s => (Above: c, Command: s))).ToList();
        Assert.True(subcommands.Count > 15);
        foreach (var (above, command) in subcommands)
        {
            var (code, text, _) = await Run(above.Name, command.Name, "--help");
            var lines = text.Split(Environment.NewLine);
            var usage = lines[Array.IndexOf(lines, "Usage:") + 1];
            Assert.Equal((0, $"{above.Name} {command.Name}"), (code, usage.Split(" <")[0].Split(" [")[0].Trim().Split(' ', 2)[1])); // behind the program's name
            Assert.Equal(command.Arguments.Select(a => $"<{a.Name}>"), lines.SkipWhile(l => l != "Arguments:").Skip(1).TakeWhile(l => l.Length > 0).Select(l => l.Trim().Split(' ')[0]));
        }
        var (_, crawl, _) = await Run("crawl", "--help");
        Assert.Contains(crawl.Split(Environment.NewLine), l => l.EndsWith(" crawl <RECIPE> [options]", StringComparison.Ordinal));
        Assert.Matches(@"\n  lora crawl status <RUN>  +Say how a crawl stands", crawl);
    }

    [Fact]
    public void Commands_with_results_for_programs_take_json()
    {
        var world = new CommandWorld(TextWriter.Null, TextWriter.Null, TimeProvider.System);
        var commands = CommandLine.Tree(world).Subcommands.SelectMany(c => c.Subcommands.Select(s => (Name: $"{c.Name} {s.Name}", Command: s)).Prepend((Name: c.Name, Command: c)));
        var without = commands.Where(c => c.Command.Action is not null).Where(c => c.Command.Options.All(o => o.Name != "--json")).Select(c => c.Name).Order(StringComparer.Ordinal);
        Assert.Equal(["concepts import", "init", "recipe schema"], without.Where(n => n.Split(' ')[0] != "bench")); // bench prints nothing but JSON
    }

    [Fact]
    public async Task A_figure_that_does_not_exist_is_null_for_programs()
    {
        var recipe = Path.Combine(folder, "r.yaml");
        await File.WriteAllTextAsync(recipe, $"name: r\nseed:\n  topic: ink\n  urls: [http://a.test/]\ndeploy:\n  store: {folder}/store\n", TestContext.Current.CancellationToken);
        var (code, json, _) = await Run("feedback", recipe, "--runs-dir", folder, "--json");
        using var decision = JsonDocument.Parse(json);
        Assert.Equal((0, 0), (code, decision.RootElement.GetProperty("count").GetInt32()));
        Assert.All((string[])["mean", "low", "high"], figure => Assert.Equal(JsonValueKind.Null, decision.RootElement.GetProperty(figure).ValueKind)); // no ratings yet

        using var output = new StringWriter { NewLine = "\n" };
        new ResultLines(output, Json: true).Write(new
        {
            Worst = double.PositiveInfinity, Least = float.NegativeInfinity, None = float.NaN, Maybe = (double?)double.NaN, Tenth = 0.1f, Third = 1 / 3.0, All = new[] { 1.5, double.NaN }, By = new Dictionary<string, double> { ["a"] = double.NaN },
        }, "");
        Assert.Equal("""{"worst":null,"least":null,"none":null,"maybe":null,"tenth":0.1,"third":0.3333333333333333,"all":[1.5,null],"by":{"a":null}}""" + "\n", output.ToString());
    }

    [Theory]
    [InlineData("chek")]
    [InlineData("check")]
    [InlineData("run", "a", "b", "c")]
    [InlineData("init", "--what")]
    public async Task Bad_usage_is_two_lines_and_exit_code_2(params string[] args)
    {
        var (code, output, error) = await Run(args);
        Assert.Equal((int)ExitCode.BadUsage, code);
        Assert.Empty(output);
        Assert.Contains("--help", error);
        Assert.DoesNotContain("   at ", error);
    }

    [Fact]
    public async Task Init_writes_a_recipe_and_never_over_one()
    {
        var path = Path.Combine(folder, "recipe.yaml");
        Assert.Equal(0, (await Run("init", path)).Code);
        var (code, _, error) = await Run("init", path);
        Assert.Equal(2, code);
        Assert.Contains("--force", error);
        Assert.Equal(0, (await Run("init", path, "--force")).Code);
        var (checkedCode, text, _) = await Run("check", path, "--set", "seed.topic=blueprints", "--set", "seed.urls=http://a.example/", "--set", "label.trigger=ink", "--set", "deploy.port=0");
        Assert.Equal((0, $"{path}: ok{Environment.NewLine}"), (checkedCode, text));
    }

    [Fact]
    public async Task Check_prints_every_problem_as_a_line_or_as_json()
    {
        var path = Path.Combine(folder, "bad.yaml");
        await File.WriteAllTextAsync(path, "train:\n  rnak: 8\n  flip: yes\nseed: {topic: plans, urls: [http://a.test/]}\n", TestContext.Current.CancellationToken);
        var (code, text, _) = await Run("check", path);
        Assert.Equal(2, code);
        Assert.Contains("error LR010 train.rnak: there is no such key. Did you mean train.rank? bad.yaml:2", text);
        Assert.Contains("error LR011 train.flip: yes is neither true nor false. Valid: true or false. Write true. bad.yaml:3", text);
        var (_, json, _) = await Run("check", path, "--json");
        using var line = JsonDocument.Parse(Assert.Single(json.Split('\n', StringSplitOptions.RemoveEmptyEntries)));
        Assert.False(line.RootElement.GetProperty("ok").GetBoolean());
        var first = line.RootElement.GetProperty("problems")[0];
        Assert.Equal(("LR010", "error", "train.rnak", 2), (first.GetProperty("id").GetString(), first.GetProperty("severity").GetString(), first.GetProperty("key").GetString(), first.GetProperty("line").GetInt32()));
    }

    [Fact]
    public async Task Serve_takes_from_a_recipe_what_no_option_says()
    {
        var recipe = Path.Combine(folder, "r.yaml");
        await File.WriteAllTextAsync(recipe, $"name: r\nseed:\n  topic: ink\n  urls: [http://a.test/]\ndeploy:\n  store: {folder}/of-the-recipe\n", TestContext.Current.CancellationToken);
        Assert.Contains($"{folder}/of-the-recipe", (await Run("serve", recipe)).Error, StringComparison.Ordinal);
        Assert.Contains($"{folder}/of-set", (await Run("serve", recipe, "--set", $"deploy.store={folder}/of-set")).Error, StringComparison.Ordinal);
        Assert.Contains($"{folder}/of-the-option", (await Run("serve", recipe, "--store", $"{folder}/of-the-option")).Error, StringComparison.Ordinal);
        Assert.Equal((2, true), (await Run("serve", "--set", "a=b")) is var lone ? (lone.Code, lone.Error.Contains("name the RECIPE", StringComparison.Ordinal)) : default);
        Assert.Equal((2, true), (await Run("serve", "--threads", "5000")) is var many ? (many.Code, many.Error.Contains("valid: 0 to 1024", StringComparison.Ordinal)) : default);
    }

    [Fact]
    public async Task A_stack_trace_is_shown_only_with_debug()
    {
        var (code, _, error) = await Run("run", "/nowhere.yaml");
        Assert.Equal(2, code);
        Assert.DoesNotContain("   at ", error);
        var (_, _, traced) = await Run("run", "/nowhere.yaml", "--debug");
        Assert.Contains("   at ", traced);
    }

    [Fact]
    public async Task Help_never_loads_libtorch()
    {
        // A child process, because the tests themselves load it.
        var program = Path.Combine(AppContext.BaseDirectory, "lora.dll");
        foreach (var args in new[] { "--help", "run --help", "recipe schema" })
        {
            var start = new ProcessStartInfo(Environment.ProcessPath is { } self && Path.GetFileName(self) == "dotnet" ? self : "dotnet", $"exec {program} {args}")
            {
                UseShellExecute = false,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            start.Environment["LD_DEBUG"] = "files";
            start.Environment["LD_DEBUG_OUTPUT"] = Path.Combine(folder, "ld");
            using var process = Process.Start(start)!;
            var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.Equal(0, process.ExitCode);
            Assert.True((await output).Length > 100);
        }
        var loaded = string.Concat(Directory.GetFiles(folder, "ld.*").Select(File.ReadAllText));
        Assert.Contains("libcoreclr.so", loaded);
        Assert.DoesNotContain("libtorch", loaded);
        Assert.DoesNotContain("libdoor", loaded);
        Assert.DoesNotContain("libvips", loaded);
    }
}
