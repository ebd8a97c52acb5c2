using System.Text;

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
        var code = Native.door_call(entry.Handle, args, n, results);
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
            foreach (var entry in Entries)
            {
                fixed (byte* name = Encoding.UTF8.GetBytes(entry.Name + "\0"))
                fixed (byte* overload = Encoding.UTF8.GetBytes(entry.Overload + "\0"))
                {
                    nint handle = 0;
                    var code = Native.door_find(name, overload, &handle);
                    if (code != 0 && entry.Fallback is null)
                        problems.Append($"\n  {entry.FullName}: missing, and nothing stands in for it");
                    if (code != 0) continue;
                    var found = Native.Text(Native.door_schema(handle));
                    if (!SchemaText.Compatible(entry.Schema, found))
                        problems.Append($"\n  {entry.FullName}: expected {entry.Schema}, found {found}");
                    entry.Handle = handle;
                }
            }
            if (problems.Length > 0)
                throw new TorchException($"libtorch {TorchLibrary.Version} does not fit ops.txt:{problems}", "load", TorchError.NotFound);
            ready = true;
        }
    }
}

/// <summary>Compares operator schemas across versions of libtorch.</summary>
internal static class SchemaText
{
    /// <summary>
    /// Whether calls written for <paramref name="expected"/> are right for <paramref name="found"/>: same arguments in the same order,
    /// newer versions may add ones with defaults at the end and may spell SymInt, Scalar or list defaults otherwise.
    /// </summary>
    public static bool Compatible(string expected, string found)
    {
        var e = Types(expected);
        var f = Types(found);
        if (f.Count < e.Count) return false;
        for (var i = 0; i < e.Count; i++)
            if (e[i] != f[i]) return false;
        return true;
    }

    // "type name" of each argument, with what differs between versions levelled.
    private static List<string> Types(string schema)
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
            if (part is "*" or "") continue;
            var equals = part.IndexOf('=', StringComparison.Ordinal);
            if (equals >= 0) part = part[..equals];
            list.Add(part.Replace("SymInt", "int", StringComparison.Ordinal).Replace("int? correction", "Scalar? correction", StringComparison.Ordinal));
        }
        return list;
    }
}
