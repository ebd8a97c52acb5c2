using System.Text;
using System.Text.RegularExpressions;

namespace LoraFactory.Torch;

/// <summary>One line of ops.txt with the handle that libtorch gave for it.</summary>
internal sealed class OpEntry(string name, string overload, string schema, int results, string? fallback)
{
    public readonly string Name = name;
    public readonly string Overload = overload;
    public readonly string Schema = schema;
    public readonly int Results = results;
    public readonly string? Fallback = fallback;
    public nint Handle;

    public string FullName => Overload.Length == 0 ? Name : $"{Name}.{Overload}";
}

/// <summary>All operators of ops.txt, held against the libtorch found when the first one is called.</summary>
internal static unsafe partial class OpTable
{
    private static bool ready;
    private static readonly Lock Gate = new();

    internal static void Call(int index, DoorValue* args, int n, DoorValue* results)
    {
        if (!ready) Load();
        var entry = Entries[index];
        if (entry.Handle == 0)
            throw new TorchException($"this libtorch ({TorchLibrary.Version}) has no {entry.FullName}; call {entry.Fallback} instead", entry.FullName, TorchError.NoOperator);
        var code = Native.door_call(entry.Handle, args, n, results, Math.Max(entry.Results, 1));
        if (code != 0) throw new TorchException(Native.Text(Native.door_last_error()), entry.FullName, (TorchError)code);
    }

    internal static bool Has(string name) => Array.Exists(Entries, e => e.FullName == name && Handle(e) != 0);

    internal static void Handles(ReadOnlySpan<Tensor?> tensors, Span<nint> handles)
    {
        for (var i = 0; i < tensors.Length; i++) handles[i] = tensors[i]?.Handle ?? 0;
    }

    private static nint Handle(OpEntry entry)
    {
        if (!ready) Load();
        return entry.Handle;
    }

    /// <summary>Finds every operator and compares its schema; an error lists all that differ.</summary>
    internal static void Load()
    {
        lock (Gate)
        {
            if (ready) return;
            var problems = new StringBuilder();
            foreach (var entry in Entries) Find(entry, problems);
            if (problems.Length > 0)
                throw new TorchException($"libtorch {TorchLibrary.Version} does not fit ops.txt:{problems}", "load", TorchError.NotFound);
            ready = true;
        }
    }

    /// <summary>Finds one operator; <paramref name="problems"/> gets a line unless something stands in for it where it is missing or changed.</summary>
    internal static void Find(OpEntry entry, StringBuilder problems)
    {
        fixed (byte* name = Encoding.UTF8.GetBytes(entry.Name + "\0"))
        fixed (byte* overload = Encoding.UTF8.GetBytes(entry.Overload + "\0"))
        {
            nint handle = 0;
            var code = Native.door_find(name, overload, &handle);
            var found = code == 0 ? Native.Text(Native.door_schema(handle)) : "";
            if (code == 0 && SchemaText.Compatible(entry.Schema, found)) entry.Handle = handle;
            else if (entry.Fallback is null)
                problems.Append(code == 0 ? $"\n  {entry.FullName}: expected {entry.Schema}, found {found}" : $"\n  {entry.FullName}: missing, and nothing stands in for it");
        }
    }
}

/// <summary>Compares operator schemas across versions of libtorch.</summary>
internal static partial class SchemaText
{
    /// <summary>
    /// Whether calls written for <paramref name="expected"/> are right for <paramref name="found"/>: same arguments in the same order,
    /// newer versions may add ones with defaults at the end and may spell SymInt, Scalar or list defaults otherwise; and the same results.
    /// </summary>
    public static bool Compatible(string expected, string found)
    {
        var e = Types(expected);
        var f = Types(found);
        if (f.Count < e.Count) return false;
        for (var i = 0; i < e.Count; i++)
            if (e[i] != f[i]) return false;
        return Added(found, e.Count) && Results(expected).SequenceEqual(Results(found), StringComparer.Ordinal);
    }

    // Whether each argument behind those that the caller knows has a default: it is left out of the call.
    private static bool Added(string schema, int known) => Parts(schema).Skip(known).All(p => p.Contains('=', StringComparison.Ordinal));

    // Types of the results; their names and what they alias differ between versions and matter to nobody.
    private static List<string> Results(string schema)
    {
        var text = schema[(schema.IndexOf(" -> ", StringComparison.Ordinal) + 4)..].Trim();
        if (text.StartsWith('(') && text.EndsWith(')')) text = text[1..^1];
        text = Aliases().Replace(text, "");
        return [.. text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(r => r.Split(' ')[0].Replace("SymInt", "int", StringComparison.Ordinal))];
    }

    [GeneratedRegex(@"\([a-z!|*> -]*\)", RegexOptions.NonBacktracking)]
    private static partial Regex Aliases();

    // "type name" of each argument, with what differs between versions levelled.
    private static List<string> Types(string schema) => Parts(schema).ConvertAll(part =>
        (part.IndexOf('=', StringComparison.Ordinal) is >= 0 and var equals ? part[..equals] : part)
            .Replace("SymInt", "int", StringComparison.Ordinal).Replace("int? correction", "Scalar? correction", StringComparison.Ordinal));

    // Each argument with its default.
    private static List<string> Parts(string schema)
    {
        var open = schema.IndexOf('(', StringComparison.Ordinal);
        var close = schema.IndexOf(" -> ", StringComparison.Ordinal) - 1;
        var list = new List<string>();
        var depth = 0;
        var start = open + 1;
        for (var i = open + 1; i <= close; i++)
        {
            var c = schema[i];
            if (i < close && c is '(' or '[') depth++;
            else if (i < close && c is ')' or ']') depth--;
            if (i < close && (c != ',' || depth > 0)) continue;
            var part = schema[start..i].Trim();
            start = i + 1;
            if (part is not ("*" or "")) list.Add(part);
        }
        return list;
    }
}
