using System.CommandLine.Parsing;
using System.Diagnostics;
using System.Text.RegularExpressions;
using LoraFactory.Cli;
using LoraFactory.Flow;
using Xunit;

namespace LoraFactory.Tests.House;

/// <summary>Formatting, the README's tree, the recipes that ship, and what the repository must hold.</summary>
public sealed partial class RepositoryTests
{
    private static readonly string[] Readmes = ["README.md", "README.zh-CN.md"];

    /// <summary>From LR100 on a number is one rule or finding; below stand the reader's own, of which several places may speak.</summary>
    [Fact]
    public void A_finding_has_a_number_of_its_own()
    {
        var given = SourceTree.Files("src", "*.cs").SelectMany(file => FindingNumber().Matches(SourceTree.Read(file)).Select(m => (Number: m.Groups["number"].Value, File: file))).ToList();
        Assert.True(given.Count > 25, $"only {given.Count} numbers were found");
        SourceTree.NoOffenders([.. given.GroupBy(g => g.Number).Where(g => g.Count() > 1).Select(g => $"LR{g.Key}: {string.Join(", ", g.Select(x => x.File))}")]);
    }

    [GeneratedRegex("\"LR(?<number>[1-9][0-9]{2})\"", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex FindingNumber();

    [Fact]
    public async Task Every_file_is_formatted()
    {
        foreach (var folder in new[] { "src", "tests" })
        {
            var start = new ProcessStartInfo("dotnet", ["format", "whitespace", folder, "--folder", "--verify-no-changes", "--exclude", "**/obj/**", "**/bin/**"])
            {
                WorkingDirectory = TestData.Root,
                UseShellExecute = false,
                RedirectStandardError = true,
                RedirectStandardOutput = true,
            };
            using var process = Process.Start(start)!;
            var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
            var error = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.True(process.ExitCode == 0, $"dotnet format whitespace {folder} --folder would change files:\n{error}{await output}");
        }
    }

    [Fact]
    public async Task The_launcher_puts_the_dotnet_that_it_found_in_the_path()
    {
        using var folder = new TemporaryFolder();
        var tools = Directory.CreateDirectory(folder.File("tools")).FullName; // a PATH without dotnet
        foreach (var tool in new[] { "readlink", "dirname", "sed" })
            File.CreateSymbolicLink(Path.Combine(tools, tool), new[] { "/usr/bin/", "/bin/" }.Select(d => d + tool).First(File.Exists));
        var sdk = Directory.CreateDirectory(folder.File("home/.dotnet/sdk/10.0.100")).Parent!.Parent!.FullName; // where the installer that the launcher names puts it
        File.WriteAllText(Path.Combine(sdk, "dotnet"), "#!/bin/sh\n");
        var script = $"/bin/chmod +x '{sdk}/dotnet'; source <(sed -n '/^find_dotnet() {{/,/^}}/p' '{Path.Combine(TestData.Root, "lora")}'); find_dotnet; command -v dotnet; echo $DOTNET_ROOT";
        var start = new ProcessStartInfo("/bin/bash", ["-euc", script]) { UseShellExecute = false, RedirectStandardOutput = true };
        start.Environment.Clear();
        (start.Environment["PATH"], start.Environment["HOME"]) = (tools, folder.File("home"));
        using var process = Process.Start(start)!;
        var said = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal((0, $"{sdk}/dotnet\n{sdk}\n"), (process.ExitCode, said));
    }

    [Fact]
    public void The_readmes_tree_is_the_repositorys()
    {
        foreach (var readme in Readmes)
        {
            var tree = Fence().Match(SourceTree.Read(readme)).Groups["tree"].Value;
            var named = TreePath().Matches(tree).Select(m => m.Groups["path"].Value.TrimEnd('/')).ToList();
            Assert.True(named.Count >= 10, $"{readme}: only {named.Count} paths in its tree");
            SourceTree.NoOffenders(named.Where(p => !Path.Exists(Path.Combine(TestData.Root, p))).Select(p => $"{readme} names {p}, which does not exist"));
            var there = Directory.GetDirectories(TestData.Root).Select(Path.GetFileName).Where(d => !d!.StartsWith('.') && d is not ("build" or "runs" or "artifacts" or "shared" or "src"))
                .Concat(Directory.GetDirectories(Path.Combine(TestData.Root, "src")).Select(d => "src/" + Path.GetFileName(d)));
            SourceTree.NoOffenders(there.Where(d => !named.Contains(d!)).Select(d => $"{readme} does not explain {d}"));
        }
    }

    [Fact]
    public void The_readmes_commands_are_the_programs_and_both_name_the_same()
    {
        var tree = CommandLine.Tree(new CommandWorld(TextWriter.Null, TextWriter.Null, TimeProvider.System));
        string[][] named = [.. Readmes.Select(readme => Commands(SourceTree.Read(readme)))];
        Assert.Equal(named[0], named[1]);
        Assert.True(named[0].Length >= 15, $"only {named[0].Length}");
        foreach (var command in named[0].Where(c => c != "test")) // the launcher's own
        {
            var parsed = tree.Parse([.. command.Split(' ').Select(word => word == "N" ? "1" : word)]);
            Assert.True(parsed.Errors.Count == 0, $"lora {command}: {string.Join(' ', parsed.Errors.Select(e => e.Message))}");
            Assert.All(parsed.UnmatchedTokens.Concat(parsed.CommandResult.Children.OfType<ArgumentResult>().SelectMany(a => a.Tokens).Select(t => t.Value)), word => Assert.False(word.StartsWith('-'), $"lora {command} knows no {word}"));
        }
        // hints say "lora": each README says once what that is
        Assert.All(Readmes, readme => Assert.Equal(2, SourceTree.Read(readme).Split("`ln -s \"$PWD/lora\" ~/.local/bin/`").Length));

        static string[] Commands(string readme) => [.. CommandCall().Matches(readme).Select(m => m.Groups["call"].Value.Trim())];
    }

    [Fact]
    public void Every_recipe_that_ships_is_valid()
    {
        var recipes = SourceTree.Files("recipes", "*.yaml");
        Assert.True(recipes.Count >= 2);
        foreach (var recipe in recipes)
        {
            var reading = RecipeReader.Read(Path.Combine(TestData.Root, recipe), environment: new Dictionary<string, string>());
            Assert.Empty(reading.Problems);
        }
    }

    [Fact]
    public void Every_key_of_a_recipe_that_ships_is_explained()
    {
        foreach (var recipe in SourceTree.Files("recipes", "*.yaml"))
        {
            var lines = SourceTree.Read(recipe).Split('\n');
            for (var i = 0; i < lines.Length; i++)
            {
                if (!KeyLine().IsMatch(lines[i])) continue;
                Assert.True(lines[i].Contains(" # ", StringComparison.Ordinal) || (i > 0 && lines[i - 1].TrimStart().StartsWith('#')), $"{recipe}:{i + 1} has no comment: {lines[i]}");
            }
        }
    }

    [Fact]
    public void The_licence_is_whole()
    {
        var licence = SourceTree.Read("LICENSE");
        Assert.Contains("Apache License", licence);
        Assert.Contains("Version 2.0, January 2004", licence);
        Assert.Contains("END OF TERMS AND CONDITIONS", licence);
    }

    [Fact]
    public void Tests_mirror_the_projects()
    {
        var projects = Directory.GetDirectories(Path.Combine(TestData.Root, "src")).Select(d => Path.GetFileName(d)["LoraFactory.".Length..]).ToHashSet();
        var folders = Directory.GetDirectories(Path.Combine(TestData.Root, "tests", "LoraFactory.Tests")).Select(Path.GetFileName).Except(["bin", "obj", "House", "Parity", "TestResults"]);
        Assert.All(folders, f => Assert.Contains(f!, projects));
    }

    [GeneratedRegex(@"```\n(?<tree>(?:(?!```).)*src/(?:(?!```).)*)```", RegexOptions.Singleline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Fence();

    // a line of its own up to its comment, or in backticks
    [GeneratedRegex(@"(?:^|`)\./lora (?<call>[^`#\n]+)", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex CommandCall();

    [GeneratedRegex(@"^(?<path>[A-Za-z.][\w./-]*)\s", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex TreePath();

    [GeneratedRegex(@"^\s*[a-z_]+:( |$)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex KeyLine();
}
