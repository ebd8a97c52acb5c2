using System;
using System.Collections.Generic;
using System.Linq;

namespace LoraFactory.Torch.Generator;

/// <summary>One argument or return of an operator, as the schema spells it.</summary>
internal sealed class OpArgument
{
    public string Type = "";      // without alias annotation: "Tensor", "int[2]", "Scalar?"
    public string Name = "";
    public string? Default;       // text behind "=", null when there is none
    public bool Written;          // "(a!)": the operator writes into it
}

/// <summary>One line of ops.txt, taken apart.</summary>
internal sealed class OpSchema
{
    public string Library = "";   // "aten"; "lora" for the door's own
    public string Name = "";      // "add_"
    public string Overload = "";  // "Tensor"
    public string Text = "";      // the schema itself
    public string? Fallback;      // what stands in where libtorch lacks it
    public List<OpArgument> Arguments = new();
    public List<OpArgument> Returns = new();

    public static OpSchema Parse(string line)
    {
        var op = new OpSchema();
        if (line.StartsWith("?", StringComparison.Ordinal))
        {
            var arrow = line.IndexOf("=>", StringComparison.Ordinal);
            if (arrow < 0) throw new FormatException("an optional operator needs '=> fallback'");
            op.Fallback = line.Substring(arrow + 2).Trim();
            line = line.Substring(1, arrow - 1);
        }
        op.Text = line.Trim();
        var open = op.Text.IndexOf('(');
        var library = op.Text.IndexOf("::", StringComparison.Ordinal);
        if (library < 0 || library > open) throw new FormatException("a schema begins with its library, e.g. aten::");
        op.Library = op.Text.Substring(0, library);
        var full = op.Text.Substring(library + 2, open - library - 2);
        var dot = full.IndexOf('.');
        op.Name = dot < 0 ? full : full.Substring(0, dot);
        op.Overload = dot < 0 ? "" : full.Substring(dot + 1);
        var close = Closing(op.Text, open);
        foreach (var part in Commas(op.Text.Substring(open + 1, close - open - 1)))
            if (part != "*") op.Arguments.Add(Argument(part));
        var returns = op.Text.Substring(op.Text.IndexOf("->", close, StringComparison.Ordinal) + 2).Trim();
        if (returns.StartsWith("(", StringComparison.Ordinal)) returns = returns.Substring(1, returns.Length - 2);
        foreach (var part in Commas(returns)) op.Returns.Add(Argument(part));
        return op;
    }

    private static OpArgument Argument(string text)
    {
        var argument = new OpArgument();
        var paren = text.IndexOf('(');
        if (paren > 0)
        {
            var end = text.IndexOf(')', paren);
            argument.Written = text.IndexOf('!', paren, end - paren) > 0;
            text = text.Substring(0, paren) + text.Substring(end + 1);
        }
        var space = text.IndexOf(' ');
        argument.Type = (space < 0 ? text : text.Substring(0, space)).Replace("SymInt", "int");
        var rest = space < 0 ? "" : text.Substring(space + 1);
        var equals = rest.IndexOf('=');
        argument.Name = equals < 0 ? rest : rest.Substring(0, equals);
        argument.Default = equals < 0 ? null : rest.Substring(equals + 1);
        return argument;
    }

    private static int Closing(string text, int open)
    {
        var depth = 0;
        for (var i = open; i < text.Length; i++)
        {
            if (text[i] == '(') depth++;
            if (text[i] == ')' && --depth == 0) return i;
        }
        throw new FormatException("unbalanced parentheses");
    }

    private static IEnumerable<string> Commas(string text)
    {
        var depth = 0;
        var start = 0;
        for (var i = 0; i <= text.Length; i++)
        {
            if (i < text.Length && (text[i] == '(' || text[i] == '[')) depth++;
            if (i < text.Length && (text[i] == ')' || text[i] == ']')) depth--;
            if (i < text.Length && (text[i] != ',' || depth > 0)) continue;
            var part = text.Substring(start, i - start).Trim();
            if (part.Length > 0) yield return part;
            start = i + 1;
        }
    }

    /// <summary>"_foreach_add_" becomes "ForeachAdd_".</summary>
    public string MethodName
    {
        get
        {
            var trailing = Name.EndsWith("_", StringComparison.Ordinal) ? "_" : "";
            var words = Name.Split(new[] { '_' }, StringSplitOptions.RemoveEmptyEntries);
            return string.Concat(words.Select(w => char.ToUpperInvariant(w[0]) + w.Substring(1))) + trailing;
        }
    }
}
