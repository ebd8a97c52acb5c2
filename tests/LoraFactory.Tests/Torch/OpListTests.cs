using System.Text.RegularExpressions;
using LoraFactory.Tests.House;
using Xunit;

namespace LoraFactory.Tests.Torch;

/// <summary>ops.txt holds what is called and nothing else: each operator is looked up, and compared, when libtorch is loaded.</summary>
public sealed partial class OpListTests
{
    [Fact]
    public void Every_operator_of_the_list_is_called_somewhere()
    {
        var operators = SourceTree.Read("src/LoraFactory.Torch/ops.txt").Split('\n').Select(l => Operator().Match(l)).Where(m => m.Success).Select(m => m.Groups["name"].Value).Distinct().ToList();
        Assert.True(operators.Count > 100, $"only {operators.Count} were read");
        var called = SourceTree.Code.SelectMany(f => Call().Matches(SourceTree.Read(f)).Select(m => m.Groups["name"].Value)).ToHashSet(StringComparer.Ordinal);
        SourceTree.NoOffenders(operators.Where(o => !called.Contains(Method(o))).Select(o => $"aten::{o} is called nowhere: take it out of ops.txt"));
    }

    // The method's name as the generator makes it: words in capitals, a trailing underscore kept.
    private static string Method(string name) =>
        string.Concat(name.Split('_', StringSplitOptions.RemoveEmptyEntries).Select(w => char.ToUpperInvariant(w[0]) + w[1..])) + (name.EndsWith('_') ? "_" : "");

    [GeneratedRegex(@"^(?:\? )?\w+::(?<name>\w+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Operator();

    [GeneratedRegex(@"\.(?<name>[A-Z]\w*)\b", RegexOptions.ExplicitCapture, 5000)]
    private static partial Regex Call();
}
