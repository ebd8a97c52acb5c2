using System.Text.RegularExpressions;
using System.Xml.Linq;
using Xunit;

namespace LoraFactory.Tests.House;

/// <summary>References go one way: Torch ← Models ← Stages → Flow; Cli → Stages, Flow. Both project references and names used in code are read.</summary>
public sealed partial class ReferenceTests
{
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Torch.Generator"] = [],
        ["Torch"] = ["Torch.Generator"],
        ["Images"] = [],
        ["Pages"] = [],
        ["Flow"] = [],
        ["Models"] = ["Torch", "Images"],
        ["Stages"] = ["Flow", "Models", "Images", "Pages", "Torch"],
        ["Cli"] = ["Flow", "Stages"],
        ["Web"] = ["Flow"],
    };

    private static readonly string[] StageNames = ["Crawl", "Clean", "Label", "Configure", "Train", "Evaluate", "Deploy", "Feedback"];
    private static readonly string[] TensorStages = ["Label", "Train", "Evaluate", "Deploy"];

    [Fact]
    public void Projects_refer_only_downwards()
    {
        var projects = SourceTree.Files("src", "*.csproj");
        Assert.True(projects.Count >= 6);
        foreach (var project in projects)
        {
            var name = Path.GetFileNameWithoutExtension(project)["LoraFactory.".Length..];
            Assert.True(Allowed.ContainsKey(name), $"{project}: say in this test what {name} may refer to");
            var references = XDocument.Parse(SourceTree.Read(project)).Descendants("ProjectReference")
                .Select(r => Path.GetFileNameWithoutExtension(r.Attribute("Include")!.Value.Replace('\\', '/'))["LoraFactory.".Length..]);
            SourceTree.NoOffenders(references.Except(Allowed[name]).Select(r => $"{project} refers to {r}"));
        }
    }

    [Fact]
    public void Code_names_only_what_its_project_may_see()
    {
        var offenders = new List<string>();
        var read = 0;
        foreach (var file in SourceTree.Files("src", "*.cs"))
        {
            var parts = file.Split('/');
            var project = parts[1]["LoraFactory.".Length..];
            if (project == "Torch.Generator") continue; // it writes code of Torch
            foreach (var named in NamesIn(file))
            {
                read++;
                var target = named.Split('.')[0];
                if (target == project || Allowed[project].Contains(target)) continue;
                if (project == "Cli" && parts.Contains("Engine") && target is "Models" or "Torch" or "Images" or "Pages") continue; // verify, pretrain, bench and doctor look at the engine itself
                offenders.Add($"{file} names LoraFactory.{named}");
            }
        }
        Assert.True(read > 20, $"only {read} names were found");
        SourceTree.NoOffenders(offenders);
    }

    [Fact]
    public void Stages_never_see_each_other_and_only_four_see_tensors()
    {
        var offenders = new List<string>();
        foreach (var file in SourceTree.Files("src/LoraFactory.Stages", "*.cs"))
        {
            var parts = file.Split('/');
            var stage = parts.Length > 3 ? parts[2] : null;
            if (stage is not null && !StageNames.Contains(stage)) offenders.Add($"{file}: {stage} is not a stage");
            if (parts[^1] == "FactoryLine.cs") continue; // the one file that puts all eight together
            foreach (var named in NamesIn(file))
            {
                var words = named.Split('.');
                if (words[0] == "Stages" && words.Length > 1 && StageNames.Contains(words[1]) && words[1] != stage) offenders.Add($"{file} names LoraFactory.{named}");
                if (words[0] is "Models" or "Torch" && !TensorStages.Contains(stage)) offenders.Add($"{file} names LoraFactory.{named}");
            }
            foreach (var word in RelativeNamesIn(file))
                if (StageNames.Contains(word) ? word != stage : !TensorStages.Contains(stage)) offenders.Add($"{file} names {word}.");
        }
        SourceTree.NoOffenders(offenders);
    }

    /// <summary>What follows "LoraFactory." in using directives and qualified names, comments and own namespace left out.</summary>
    private static IEnumerable<string> NamesIn(string file) => Code(file).SelectMany(line => Qualified().Matches(line)).Select(m => m.Groups["name"].Value);

    /// <summary>Stages and engine projects named without "LoraFactory." before them, as code within namespace LoraFactory.Stages may.</summary>
    private static IEnumerable<string> RelativeNamesIn(string file) => Code(file).SelectMany(line => Relative().Matches(line)).Select(m => m.Groups["name"].Value);

    private static IEnumerable<string> Code(string file) =>
        SourceTree.Read(file).Split('\n').Select(l => l.Trim()).Where(l => !l.StartsWith("//", StringComparison.Ordinal) && !l.StartsWith("namespace ", StringComparison.Ordinal));

    [Theory]
    [InlineData("var a = Models.Scoring.Bootstrap.Of(b);", "Models")]
    [InlineData("return (new Evaluate.Metrics(), 1);", "Evaluate")]
    [InlineData("recipe.Evaluate.Prompts, StageName.Train.ToString(), \"Train.x\"", null)]
    public void A_name_without_its_root_is_seen(string line, string? name) => Assert.Equal(name, Relative().Match(line) is { Success: true } match ? match.Groups["name"].Value : null);

    [GeneratedRegex(@"(?<![\w/.""])(?<name>Crawl|Clean|Label|Configure|Train|Evaluate|Deploy|Feedback|Models|Torch)\.[A-Z]", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Relative();

    [GeneratedRegex(@"(?<![\w/.""])LoraFactory\.(?<name>[A-Z]\w*(\.[A-Z]\w*)*)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Qualified();
}
