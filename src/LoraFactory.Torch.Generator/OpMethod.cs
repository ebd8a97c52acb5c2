using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;

namespace LoraFactory.Torch.Generator;

/// <summary>Writes the C# method of one operator.</summary>
internal sealed class OpMethod
{
    private static readonly HashSet<string> Keywords = new() { "out", "in", "ref", "params", "default", "base", "lock", "implicit", "explicit" };
    private readonly OpSchema op;
    private readonly int index;
    private readonly bool member;
    private readonly List<string> parameters = new();
    private readonly List<string> setup = new();   // statements before the call
    private readonly List<string> pins = new();    // "fixed (…)" around the call
    private readonly List<string> values = new();  // "v[i] = …"
    private readonly List<string> alive = new();   // tensors that must outlive the call

    public OpMethod(OpSchema op, int index, bool member)
    {
        this.op = op;
        this.index = index;
        this.member = member;
    }

    public void Write(StringBuilder to)
    {
        var lastRequired = op.Arguments.FindLastIndex(a => a.Default is null && !Hidden(a));
        for (var i = 0; i < op.Arguments.Count; i++) Add(i, mayOmit: i > lastRequired);
        var doc = op.Text.Replace("&", "&amp;").Replace("<", "&lt;").Replace(">", "&gt;");
        to.Append($"    /// <summary><c>{doc}</c></summary>\n");
        to.Append($"    public {(member ? "" : "static ")}{ReturnType()} {op.MethodName}({string.Join(", ", parameters)})\n    {{\n");
        foreach (var s in setup) to.Append($"        {s}\n");
        var n = op.Arguments.Count;
        to.Append($"        var v = stackalloc DoorValue[{Math.Max(n, 1)}];\n");
        to.Append($"        var r = stackalloc DoorValue[{Math.Max(op.Returns.Count, 1)}];\n");
        foreach (var p in pins) to.Append($"        {p}\n");
        to.Append("        {\n");
        foreach (var s in values) to.Append($"            {s}\n");
        to.Append($"            OpTable.Call({index}, v, {n}, r);\n        }}\n");
        foreach (var a in alive) to.Append($"        GC.KeepAlive({a});\n");
        WriteReturn(to);
        to.Append("    }\n\n");
    }

    // Arguments that no caller sets: the schema's default serves.
    private static bool Hidden(OpArgument a) => a.Type == "Layout?" || a.Type == "Generator?" || a.Name == "pin_memory";

    private void Add(int i, bool mayOmit)
    {
        var a = op.Arguments[i];
        if (Hidden(a))
        {
            values.Add($"v[{i}] = DoorValue.Default;");
            return;
        }
        if (i == 0 && member)
        {
            values.Add("v[0] = DoorValue.Of(this);");
            alive.Add("this");
            return;
        }
        var name = CSharpName(a.Name);
        var optional = a.Type.EndsWith("?", StringComparison.Ordinal) || a.Default is not null;
        var type = a.Type.TrimEnd('?');
        if (type.Contains("["))
        {
            AddList(i, name, type, optional, mayOmit);
            return;
        }
        var none = a.Default is null ? "DoorValue.None" : "DoorValue.Default";
        var cs = type switch
        {
            "Tensor" => "Tensor",
            "int" => "long",
            "float" => "double",
            "bool" => "bool",
            "Scalar" => "Scalar",
            "ScalarType" => "DType",
            "Device" => "Device",
            "MemoryFormat" => "MemoryFormat",
            "str" => "string",
            _ => throw new FormatException($"type {a.Type} is not known"),
        };
        if (type == "Tensor") alive.Add(name);
        if (type == "str")
        {
            setup.Add($"var {name}Bytes = {name} is null ? null : System.Text.Encoding.UTF8.GetBytes({name} + \"\\0\");");
            pins.Add($"fixed (byte* {name}Pin = {name}Bytes)");
            values.Add($"v[{i}] = {name} is null ? {none} : DoorValue.Text({name}Pin, {name}Bytes!.Length - 1);");
        }
        else if (Literal(a) is { } literal)
        {
            parameters.Add(mayOmit ? $"{cs} {name} = {literal}" : $"{cs} {name}");
            values.Add($"v[{i}] = DoorValue.Of({name});");
            return;
        }
        else if (!optional)
        {
            values.Add($"v[{i}] = DoorValue.Of({name});");
        }
        else
        {
            var value = cs is "Tensor" ? name : $"{name}.Value";
            values.Add($"v[{i}] = {name} is null ? {none} : DoorValue.Of({value});");
        }
        parameters.Add(optional ? $"{cs}? {name}{(mayOmit ? " = null" : "")}" : $"{cs} {name}");
    }

    private void AddList(int i, string name, string type, bool optional, bool mayOmit)
    {
        var element = type.Substring(0, type.IndexOf('[')).TrimEnd('?');
        var none = op.Arguments[i].Default is null or "None" ? "DoorValue.None" : "DoorValue.Default";
        var omit = optional && mayOmit ? " = default" : "";
        if (element == "Tensor")
        {
            var nullable = type.Contains("?") ? "?" : "";
            parameters.Add($"ReadOnlySpan<Tensor{nullable}> {name}{omit}");
            setup.Add($"var {name}Handles = {name}.Length <= 64 ? stackalloc nint[64] : new nint[{name}.Length];");
            setup.Add($"OpTable.Handles({name}, {name}Handles);");
            pins.Add($"fixed (nint* {name}Pin = {name}Handles)");
            values.Add($"v[{i}] = DoorValue.Tensors({name}Pin, {name}.Length, {(nullable.Length > 0 ? "true" : "false")});");
            return;
        }
        var cs = element == "int" ? "long" : "double";
        var make = element switch { "int" => "Ints", "float" => "Doubles", "Scalar" => "Scalars", _ => throw new FormatException($"list of {element} is not known") };
        parameters.Add($"ReadOnlySpan<{cs}> {name}{omit}");
        pins.Add($"fixed ({cs}* {name}Pin = {name})");
        var value = $"DoorValue.{make}({name}Pin, {name}.Length)";
        values.Add(optional ? $"v[{i}] = {name}.IsEmpty ? {none} : {value};" : $"v[{i}] = {value};");
    }

    private static string? Literal(OpArgument a) => (a.Type, a.Default) switch
    {
        (_, null) => null,
        ("bool", var d) => d == "True" || d == "1" ? "true" : "false",
        ("int", var d) when long.TryParse(d, out _) => d,
        ("float", var d) => d!.EndsWith(".", StringComparison.Ordinal) ? d + "0" : d,
        _ => null,
    };

    private string ReturnType() => op.Returns.Count switch
    {
        0 => "void",
        1 => Type(op.Returns[0]),
        _ => "(" + string.Join(", ", op.Returns.Select((r, k) => $"{Type(r)} {ReturnName(r, k)}")) + ")",
    };

    private static string ReturnName(OpArgument r, int k) =>
        r.Name.Length == 0 ? $"Item{k + 1}" : char.ToUpperInvariant(r.Name[0]) + CSharpName(r.Name).TrimStart('@').Substring(1);

    private static string Type(OpArgument r) => r.Type switch
    {
        "Tensor" => "Tensor",
        "Tensor[]" => "Tensor[]",
        "bool" => "bool",
        "int" => "long",
        "float" => "double",
        _ => throw new FormatException($"return {r.Type} is not known"),
    };

    private void WriteReturn(StringBuilder to)
    {
        if (op.Returns.Count == 0) return;
        if (op.Returns.Count == 1 && op.Returns[0].Written && op.Arguments[0].Written)
        {
            // an in-place operator hands back the handle that went in
            to.Append("        Native.door_release((nint)r[0].U);\n");
            to.Append($"        return {(member ? "this" : CSharpName(op.Arguments[0].Name))};\n");
            return;
        }
        var items = op.Returns.Select((r, k) => r.Type switch
        {
            "Tensor" => $"Tensor.Adopt(r[{k}])",
            "Tensor[]" => $"Tensor.AdoptAll(r[{k}])",
            "bool" => $"r[{k}].U != 0",
            "int" => $"r[{k}].U",
            _ => $"BitConverter.Int64BitsToDouble(r[{k}].U)",
        }).ToList();
        to.Append(items.Count == 1 ? $"        return {items[0]};\n" : $"        return ({string.Join(", ", items)});\n");
    }

    private static string CSharpName(string name)
    {
        var words = name.Split(new[] { '_' }, StringSplitOptions.RemoveEmptyEntries);
        var camel = string.Concat(words.Select((w, k) => k == 0 ? char.ToLowerInvariant(w[0]) + w.Substring(1) : char.ToUpperInvariant(w[0]) + w.Substring(1)));
        if (name == "self") camel = "self";
        return Keywords.Contains(camel) ? "@" + camel : camel;
    }
}
