using System.Text.RegularExpressions;
using LoraFactory.Flow;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Xunit;

namespace LoraFactory.Tests.House;

/// <summary>Names are roles or nouns of the field; public code is documented; nothing is left half done.</summary>
public sealed partial class NamingTests
{
    private static readonly string[] Drawers = ["Util", "Utils", "Utility", "Utilities", "Manager", "Helper", "Helpers", "Base", "Common", "Misc"];

    [Fact]
    public void No_type_file_or_folder_is_a_drawer()
    {
        var types = SourceTree.Code.SelectMany(f => SourceTree.Parse(f).DescendantNodes().OfType<BaseTypeDeclarationSyntax>()).ToList();
        Assert.True(types.Count > 100);
        var offenders = types.Where(t => Drawers.Contains(LastWord(t.Identifier.Text))).Select(t => $"{SourceTree.Place(t)}: {t.Identifier.Text}").ToList();
        offenders.AddRange(SourceTree.Files("src").Concat(SourceTree.Files("tests", "*.cs")).SelectMany(f => Path.ChangeExtension(f, null).Split('/', '.').Select(p => (f, p)))
            .Where(x => Drawers.Contains(LastWord(x.p))).Select(x => x.f));
        SourceTree.NoOffenders(offenders);
    }

    [Fact]
    public void Every_public_type_and_member_of_the_product_is_documented()
    {
        var offenders = new List<string>();
        var seen = 0;
        foreach (var file in SourceTree.Files("src", "*.cs"))
        {
            foreach (var member in SourceTree.Parse(file).DescendantNodes().OfType<MemberDeclarationSyntax>().Where(IsPublic))
            {
                seen++;
                if (!member.GetLeadingTrivia().Any(t => t.IsKind(SyntaxKind.SingleLineDocumentationCommentTrivia))) offenders.Add(SourceTree.Place(member));
            }
        }
        Assert.True(seen > 200, $"only {seen}");
        SourceTree.NoOffenders(offenders);
    }

    [Fact]
    public void Every_option_says_what_it_does_within_which_bounds()
    {
        foreach (var option in OptionCatalog.All)
        {
            var declared = option.Declared;
            Assert.True(declared.Effect.Length > 10 && declared.Effect.EndsWith('.') && char.IsLetter(declared.Effect[0]), $"{option.Key}: {declared.Effect}");
            if (option.Kind is OptionKind.Integer or OptionKind.Number && !option.IsList)
                Assert.False(double.IsNaN(declared.Min) || double.IsNaN(declared.Max), $"{option.Key} has no bounds");
            var unit = Suffix().Match(option.Name).Value;
            if (unit.Length > 0) Assert.True(declared.Unit.Length > 0, $"{option.Key} has no unit");
            Assert.Matches(@"^\d+\.\d+$", declared.Since);
        }
    }

    [Fact]
    public void Nothing_is_left_half_done()
    {
        // Put together from halves, so that this file does not find itself.
        string[] marks = ["TO" + "DO", "FIX" + "ME", "NotImplemented" + "Exception", "Fact(" + "Skip", "Theory(" + "Skip", "HA" + "CK"];
        var offenders = from file in SourceTree.Code.Concat(SourceTree.Files("native")).Append("lora")
                        let text = SourceTree.Read(file)
                        from mark in marks
                        where text.Contains(mark, StringComparison.Ordinal)
                        select $"{file}: {mark}";
        SourceTree.NoOffenders(offenders);
    }

    [Fact]
    public void No_package_registry_is_named()
    {
        string[] hosts = ["nuget" + ".org", "npm" + "js", "pypi" + ".org", "deb.debian" + ".org", "pythonhosted" + ".org", "artifactory", "nexus"];
        var files = Directory.EnumerateFiles(TestData.Root).Select(Path.GetFileName).Concat(new[] { "src", "tests", "native", "docs", "recipes", ".ci" }
            .Where(d => Directory.Exists(Path.Combine(TestData.Root, d))).SelectMany(d => SourceTree.Files(d)))
            .Where(f => Path.GetExtension(f) is ".cs" or ".md" or ".yaml" or ".json" or ".props" or ".csproj" or ".slnx" or ".config" or ".txt" or "").ToList();
        Assert.True(files.Count > 60);
        SourceTree.NoOffenders(files.SelectMany(f => hosts.Where(h => SourceTree.Read(f!).Contains(h, StringComparison.OrdinalIgnoreCase) && f != "tests/LoraFactory.Tests/House/NamingTests.cs").Select(h => $"{f}: {h}")));
    }

    private static string LastWord(string name) => Word().Matches(name) is { Count: > 0 } words ? words[^1].Value : name;

    private static bool IsPublic(MemberDeclarationSyntax member)
    {
        if (member is TypeDeclarationSyntax && member.Modifiers.Any(m => m.IsKind(SyntaxKind.PartialKeyword))) return false; // one of its parts is documented
        if (member is BaseNamespaceDeclarationSyntax or IncompleteMemberSyntax or GlobalStatementSyntax or EnumMemberDeclarationSyntax) return false;
        if (member.Modifiers.Any(m => m.IsKind(SyntaxKind.OverrideKeyword))) return false;
        var isOpen = member.Modifiers.Any(m => m.IsKind(SyntaxKind.PublicKeyword)) || member.Parent is InterfaceDeclarationSyntax;
        return isOpen && member.Ancestors().OfType<MemberDeclarationSyntax>().Where(a => a is BaseTypeDeclarationSyntax).All(a => a.Modifiers.Any(m => m.IsKind(SyntaxKind.PublicKeyword)));
    }

    [GeneratedRegex("[A-Z][a-z0-9]*", RegexOptions.None, 1000)]
    private static partial Regex Word();

    [GeneratedRegex("(seconds|bytes|minutes|pixels|megapixels)$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Suffix();
}
