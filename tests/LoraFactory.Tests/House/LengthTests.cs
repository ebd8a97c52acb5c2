using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Xunit;

namespace LoraFactory.Tests.House;

/// <summary>A file over 400 lines or a function over 60 wants splitting; a model family in one file may reach 900.</summary>
public sealed class LengthTests
{
    private const int MaxFile = 400, MaxFamily = 900, MaxFunction = 60;

    [Fact]
    public void No_file_is_too_long()
    {
        var files = SourceTree.Code.Concat(SourceTree.Files("native", "*.cpp")).Concat(SourceTree.Files("native", "*.h")).Append("lora").ToList();
        Assert.True(files.Count > 50);
        var offenders = files.Select(f => (File: f, Lines: SourceTree.Read(f).Count(c => c == '\n'))).Where(f => f.Lines > Limit(f.File));
        SourceTree.NoOffenders(offenders.Select(f => $"{f.File}: {f.Lines} lines, at most {Limit(f.File)}"));
    }

    [Fact]
    public void No_function_is_too_long()
    {
        var functions = SourceTree.Code.SelectMany(f => SourceTree.Parse(f).DescendantNodes()).Where(IsFunction).ToList();
        Assert.True(functions.Count > 300, $"only {functions.Count} functions were found");
        SourceTree.NoOffenders(functions.Select(f => (Node: f, Lines: SourceTree.Lines(f))).Where(f => f.Lines > MaxFunction)
            .Select(f => $"{SourceTree.Place(f.Node)}: {f.Lines} lines, at most {MaxFunction}"));
    }

    private static bool IsFunction(SyntaxNode node) =>
        node is BaseMethodDeclarationSyntax or LocalFunctionStatementSyntax or AccessorDeclarationSyntax or AnonymousFunctionExpressionSyntax;

    // A family is a file directly in src/LoraFactory.Models.
    private static int Limit(string file) => file.StartsWith("src/LoraFactory.Models/", StringComparison.Ordinal) && file.Count(c => c == '/') == 2 ? MaxFamily : MaxFile;
}
