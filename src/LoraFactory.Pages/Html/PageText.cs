using System.Text;

namespace LoraFactory.Pages.Html;

/// <summary>A line of a page: the text between two block boundaries.</summary>
internal sealed class TextBlock
{
    /// <summary>First text of it.</summary>
    public required int First { get; init; }
    /// <summary>Nearest block element around the first text.</summary>
    public required int Holder { get; init; }
    /// <summary>Text, white space once.</summary>
    public string Text { get; set; } = "";
    /// <summary>Characters of it that are link text.</summary>
    public int Linked { get; set; }
    /// <summary>Share of link text, 0..1.</summary>
    public double LinkDensity => Text.Length == 0 ? 0 : Math.Min(1, (double)Linked / Text.Length);
    /// <summary>Is it the words under a picture?</summary>
    public bool IsCaption { get; set; }
    /// <summary>Is it left out?</summary>
    public bool IsGone { get; set; }
}

/// <summary>Reads the lines of a page.</summary>
internal static class PageText
{
    /// <summary>One line of words, at most <paramref name="most"/> characters, cut at a word.</summary>
    public static string Line(string text, int most)
    {
        var line = new StringBuilder();
        Append(line, text.Length > most * 8 ? text[..(most * 8)] : text);
        return Cut(line.ToString(), most);
    }

    /// <summary>At most <paramref name="most"/> characters of a line, cut at a word.</summary>
    public static string Cut(string line, int most)
    {
        line = line.Trim();
        if (line.Length <= most) return line;
        var cut = line.LastIndexOf(' ', most);
        return line[..(cut > most / 2 ? cut : most)].TrimEnd();
    }

    /// <summary>What remains below the nodes, a block per line.</summary>
    public static List<TextBlock> Blocks(PageTree tree, PageSums sums, IReadOnlyList<int> roots)
    {
        var writer = new BlockWriter(tree);
        foreach (var root in roots)
        {
            for (var i = root; i < tree[root].End; i++)
            {
                writer.Leave(i);
                if (sums.IsGone(i)) i = tree[i].End - 1;
                else writer.Enter(i, root);
            }
            writer.Leave(int.MaxValue);
        }
        return writer.Blocks;
    }

    /// <summary>Soft hyphens and characters without width, by which texts that read alike would differ; joiners, which some scripts need, are not among them.</summary>
    public static bool IsInvisible(char c) => c is '\u00AD' or '\u200B' or '\u2060' or '\uFEFF';

    /// <summary>Adds words, white space once.</summary>
    public static void Append(StringBuilder text, string words)
    {
        foreach (var c in words)
        {
            if (IsInvisible(c)) continue;
            if (c > ' ' && (c < 127 || (!char.IsWhiteSpace(c) && !char.IsControl(c)))) text.Append(c);
            else Space(text);
        }
    }

    /// <summary>Adds a space where none is.</summary>
    public static void Space(StringBuilder text)
    {
        if (text.Length > 0 && text[^1] != ' ') text.Append(' ');
    }
}

/// <summary>Puts texts together to blocks while a page is walked.</summary>
internal sealed class BlockWriter(PageTree tree)
{
    private readonly StringBuilder text = new();
    private readonly Stack<int> ends = new();
    private TextBlock? current;
    private int linkEnd;

    /// <summary>Blocks that are finished.</summary>
    public List<TextBlock> Blocks { get; } = [];

    /// <summary>Closes what ends before a node.</summary>
    public void Leave(int next)
    {
        while (ends.TryPeek(out var end) && end <= next)
        {
            ends.Pop();
            Break();
        }
        if (next == int.MaxValue) Break();
    }

    /// <summary>Takes a node.</summary>
    public void Enter(int i, int root)
    {
        ref var node = ref tree[i];
        if (node.Text is { } own)
        {
            current ??= new() { First = i, Holder = Holder(i, root) };
            var before = text.Length;
            PageText.Append(text, own);
            if (i < linkEnd) current.Linked += text.Length - before;
        }
        else if (node.Tag == Tag.Br || Tags.IsBlock(node.Tag))
        {
            Break();
            ends.Push(node.End);
        }
        else if (node.Tag == Tag.A) linkEnd = Math.Max(linkEnd, node.End);
    }

    private void Break()
    {
        if (current is null) return;
        current.Text = text.ToString().Trim();
        text.Clear();
        if (current.Text.Length > 0) Blocks.Add(current);
        current = null;
    }

    private int Holder(int node, int root)
    {
        var at = tree[node].Parent;
        while (at > root && !Tags.IsBlock(tree[at].Tag)) at = tree[at].Parent;
        return at;
    }
}
