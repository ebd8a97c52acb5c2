using System.Collections.Concurrent;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace LoraFactory.Tests.House;

/// <summary>The repository's own sources, for the tests that hold the house rules.</summary>
internal static class SourceTree
{
    private static readonly string[] Skipped = ["bin", "obj", "build", "runs", "artifacts", ".git", "node_modules", "shared", "BenchmarkDotNet.Artifacts"];
    private static readonly ConcurrentDictionary<string, CompilationUnitSyntax> Parsed = new();

    /// <summary>Every file below a folder, relative to the repository; build outputs and runs are left out.</summary>
    public static IReadOnlyList<string> Files(string folder, string pattern = "*") =>
        [.. Walk(Path.Combine(TestData.Root, folder), pattern).Select(f => Path.GetRelativePath(TestData.Root, f)).Order(StringComparer.Ordinal)];

    /// <summary>C# files of the product and of the tests.</summary>
    public static IReadOnlyList<string> Code => [.. Files("src", "*.cs"), .. Files("tests", "*.cs"), .. Directory.Exists(Path.Combine(TestData.Root, "bench")) ? Files("bench", "*.cs") : []];

    public static string Read(string file) => File.ReadAllText(Path.Combine(TestData.Root, file));

    public static CompilationUnitSyntax Parse(string file) =>
        Parsed.GetOrAdd(file, f => CSharpSyntaxTree.ParseText(Read(f), new CSharpParseOptions(LanguageVersion.Preview), f).GetCompilationUnitRoot());

    /// <summary>Lines from the first to the last token, comments above left out.</summary>
    public static int Lines(SyntaxNode node)
    {
        var span = node.SyntaxTree.GetLineSpan(node.Span);
        return span.EndLinePosition.Line - span.StartLinePosition.Line + 1;
    }

    /// <summary>Fails with every offender on a line of its own.</summary>
    public static void NoOffenders(IEnumerable<string> offenders)
    {
        var all = offenders.ToList();
        if (all.Count > 0) Xunit.Assert.Fail($"{all.Count} offenders:\n{string.Join('\n', all)}");
    }

    /// <summary>"file:line" of a node.</summary>
    public static string Place(SyntaxNode node) => $"{node.SyntaxTree.FilePath}:{node.SyntaxTree.GetLineSpan(node.Span).StartLinePosition.Line + 1}";

    private static IEnumerable<string> Walk(string folder, string pattern)
    {
        foreach (var file in Directory.EnumerateFiles(folder, pattern)) yield return file;
        foreach (var inner in Directory.EnumerateDirectories(folder).Where(d => !Skipped.Contains(Path.GetFileName(d))))
            foreach (var file in Walk(inner, pattern))
                yield return file;
    }
}
