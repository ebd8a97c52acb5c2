using System.Text;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace LoraFactory.Flow;

/// <summary>A node of a YAML document with its line (from 1).</summary>
internal abstract record YamlPart(int Line);

/// <summary>A scalar; <paramref name="IsPlain"/> is false when it is quoted or a block.</summary>
internal sealed record YamlText(string Text, bool IsPlain, int Line) : YamlPart(Line);

/// <summary>A list.</summary>
internal sealed record YamlList(IReadOnlyList<YamlPart> Items, int Line) : YamlPart(Line);

/// <summary>A mapping in the order of the file, duplicates kept.</summary>
internal sealed record YamlMap(IReadOnlyList<KeyValuePair<YamlText, YamlPart>> Entries, int Line) : YamlPart(Line);

/// <summary>What is wrong with the text of a recipe, at a line.</summary>
internal sealed class YamlFault(string id, string message, int line, string? fix = null) : Exception(message)
{
    public string Id { get; } = id;
    public int Line { get; } = line;
    public string? Fix { get; } = fix;
}

/// <summary>
/// Reads untrusted YAML into nodes with lines: one document, no tags, capped in size, depth, nodes and aliases,
/// so that neither a bomb of aliases nor a cycle costs more than an error.
/// </summary>
internal sealed class YamlTree
{
    public const int MaxBytes = 4 * 1024 * 1024;
    private const int MaxDepth = 16;
    private const int MaxNodes = 200_000;
    private const int MaxAliases = 1000;

    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    private readonly IParser parser;
    private readonly Dictionary<string, (YamlPart Part, int Nodes)?> anchors = new(StringComparer.Ordinal);
    private readonly int most;
    private int nodes;
    private int aliases;

    private YamlTree(IParser parser, int most)
    {
        this.parser = parser;
        this.most = most;
    }

    /// <summary>The document's root; null when it is empty. At most so many bytes and values. Throws <see cref="YamlFault"/>.</summary>
    public static YamlPart? Read(ReadOnlySpan<byte> bytes, int maxBytes = MaxBytes, int maxNodes = MaxNodes)
    {
        var text = Decode(bytes, maxBytes);
        try
        {
            return new YamlTree(new Parser(new StringReader(text)), maxNodes).ReadStream();
        }
        catch (YamlException e)
        {
            var message = e.InnerException?.Message ?? e.Message;
            var colon = message.IndexOf("): ", StringComparison.Ordinal);
            if (message.StartsWith('(') && colon > 0) message = message[(colon + 3)..];
            var line = (int)Math.Max(1, e.Start.Line);
            var tab = LineAt(text, line).TrimStart(' ').StartsWith('\t');
            throw new YamlFault("LR002", $"this is not YAML: {message}", line, tab ? "YAML is indented with spaces, never with tabs" : null);
        }
    }

    private static string Decode(ReadOnlySpan<byte> bytes, int maxBytes)
    {
        if (bytes.Length > maxBytes) throw new YamlFault("LR003", $"the file has {bytes.Length} bytes; a recipe has at most {maxBytes}", 0);
        if (bytes.StartsWith<byte>([0xFF, 0xFE]) || bytes.StartsWith<byte>([0xFE, 0xFF]))
            throw new YamlFault("LR004", "the file is UTF-16", 1, "Save it as UTF-8");
        if (bytes.StartsWith<byte>([0xEF, 0xBB, 0xBF])) bytes = bytes[3..];
        var nul = bytes.IndexOf((byte)0);
        if (nul >= 0) throw new YamlFault("LR004", "the file holds a zero byte, so it is not text", 1 + bytes[..nul].Count((byte)'\n'));
        try
        {
            return Strict.GetString(bytes);
        }
        catch (DecoderFallbackException e)
        {
            throw new YamlFault("LR004", "the file is not UTF-8", 1 + bytes[..Math.Max(0, e.Index)].Count((byte)'\n'), "Save it as UTF-8");
        }
    }

    private static string LineAt(string text, int line) => text.Split('\n').ElementAtOrDefault(line - 1) ?? "";

    private YamlPart? ReadStream()
    {
        parser.Consume<StreamStart>();
        if (parser.Accept<StreamEnd>(out _)) return null;
        parser.Consume<DocumentStart>();
        var root = ReadPart(0);
        parser.Consume<DocumentEnd>();
        if (parser.Accept<DocumentStart>(out var second)) throw new YamlFault("LR005", "the file holds a second document (---)", (int)second.Start.Line, "One file is one recipe");
        return root is YamlText { Text: "", IsPlain: true } ? null : root;
    }

    private YamlPart ReadPart(int depth)
    {
        var here = parser.Current!;
        var line = (int)here.Start.Line;
        if (depth > MaxDepth) throw new YamlFault("LR003", $"the file is nested deeper than {MaxDepth} levels", line);
        if (++nodes > most) throw new YamlFault("LR003", $"the file has more than {most} values", line);
        if (here is AnchorAlias alias) return Resolve(alias, line);
        var before = nodes;
        var named = (here as NodeEvent)!;
        if (!named.Tag.IsEmpty && !named.Tag.IsNonSpecific) throw new YamlFault("LR006", $"the tag {named.Tag.Value} is not allowed in a recipe", line, "Remove it");
        var anchor = named.Anchor.IsEmpty ? null : named.Anchor.Value;
        if (anchor is not null) anchors[anchor] = null;
        YamlPart part = here switch
        {
            Scalar => ReadText(),
            SequenceStart => ReadList(depth),
            MappingStart => ReadMap(depth),
            _ => throw new YamlFault("LR002", $"this is not YAML: unexpected {here.GetType().Name}", line),
        };
        if (anchor is not null) anchors[anchor] = (part, nodes - before + 1);
        return part;
    }

    private YamlPart Resolve(AnchorAlias alias, int line)
    {
        parser.MoveNext();
        if (++aliases > MaxAliases) throw new YamlFault("LR003", $"the file has more than {MaxAliases} aliases", line);
        if (!anchors.TryGetValue(alias.Value.Value, out var known)) throw new YamlFault("LR002", $"the alias *{alias.Value.Value} has no anchor above it", line);
        if (known is null) throw new YamlFault("LR003", $"the alias *{alias.Value.Value} refers to itself", line);
        nodes += known.Value.Nodes;
        if (nodes > most) throw new YamlFault("LR003", $"the aliases unfold to more than {most} values", line);
        return known.Value.Part;
    }

    private YamlText ReadText()
    {
        var scalar = parser.Consume<Scalar>();
        return new YamlText(scalar.Value, scalar.Style == ScalarStyle.Plain, (int)scalar.Start.Line);
    }

    private YamlList ReadList(int depth)
    {
        var start = parser.Consume<SequenceStart>();
        var items = new List<YamlPart>();
        while (!parser.Accept<SequenceEnd>(out _)) items.Add(ReadPart(depth + 1));
        parser.MoveNext();
        return new YamlList(items, (int)start.Start.Line);
    }

    private YamlMap ReadMap(int depth)
    {
        var start = parser.Consume<MappingStart>();
        var entries = new List<KeyValuePair<YamlText, YamlPart>>();
        while (!parser.Accept<MappingEnd>(out _))
        {
            var line = (int)parser.Current!.Start.Line;
            if (ReadPart(depth + 1) is not YamlText key) throw new YamlFault("LR002", "a key is a word, not a list or a section", line);
            entries.Add(new(key, ReadPart(depth + 1)));
        }
        parser.MoveNext();
        return new YamlMap(entries, (int)start.Start.Line);
    }
}
