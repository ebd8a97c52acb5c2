using System.Text;
using AngleSharp.Dom;
using AngleSharp.Html.Dom;

namespace LoraFactory.Pages.Html;

/// <summary>One element or text of a page.</summary>
internal struct PageNode
{
    /// <summary>Kind of element, or <see cref="Tag.Text"/>.</summary>
    public Tag Tag;
    /// <summary>Index of the element around it, -1 for the root.</summary>
    public int Parent;
    /// <summary>Index of the node before it below the same element, -1 for the first.</summary>
    public int Previous;
    /// <summary>Index after its last descendant.</summary>
    public int End;
    /// <summary>The element, null for a text.</summary>
    public IElement? Element;
    /// <summary>The text, null for an element.</summary>
    public string? Text;
    /// <summary>What its class, id and role say.</summary>
    public Hints Hints;
    /// <summary>Not shown to a reader.</summary>
    public bool IsHidden;
    /// <summary>Stands in a table or in code.</summary>
    public bool IsInTable;

    /// <summary>Does its name or role say any of these?</summary>
    public readonly bool Says(Hints hints) => (Hints & hints) != Hints.None;
}

/// <summary>
/// The body of a page as an array in document order: a subtree is the run from an element to its <see cref="PageNode.End"/>, so every walk is a loop.
/// What stands in scripts, styles, drawings and forms' values is left out; hidden elements are in, marked.
/// </summary>
internal sealed class PageTree
{
    private const int MaxNodes = 400_000, MaxText = 8_000_000, MaxWordNodes = 4000;

    private PageNode[] nodes = new PageNode[256];

    /// <summary>Number of nodes; the first is the body.</summary>
    public int Count { get; private set; }

    /// <summary>Elements of the head in document order, and scripts of the body that hold linked data.</summary>
    public List<IElement> Head { get; } = [];

    /// <summary>A node.</summary>
    public ref PageNode this[int index] => ref nodes[index];

    /// <summary>Reads a document; nodes beyond 400,000 and text beyond 8,000,000 characters are left out.</summary>
    public static PageTree Of(IHtmlDocument document)
    {
        var tree = new PageTree();
        if (document.Head is { } head) tree.ReadHead(head);
        if (document.Body is { } body) tree.Fill(body);
        return tree;
    }

    // A head may hold noscript elements with more of the same inside.
    private void ReadHead(IElement head)
    {
        // by child nodes: a collection of elements is counted anew with each look
        var open = new Stack<(INodeList Nodes, int Next)>();
        open.Push((head.ChildNodes, 0));
        while (open.Count > 0)
        {
            var (nodes, next) = open.Pop();
            if (next >= nodes.Length || Head.Count >= MaxNodes) continue;
            open.Push((nodes, next + 1));
            if (nodes[next] is not IElement child) continue;
            Head.Add(child);
            if (child.LocalName == "noscript") open.Push((child.ChildNodes, 0));
        }
    }

    private void Fill(IElement body)
    {
        var words = new HintReader();
        // Children are counted, not chained: a library's "next sibling" looks for itself among all of its parent's children.
        var open = new Stack<(INodeList Children, int Next, int Index, int Last)>();
        Add(body, Tag.Body, (-1, -1), false, words);
        open.Push((body.ChildNodes, 0, 0, -1));
        var length = 0;
        while (open.Count > 0)
        {
            var (children, next, parent, last) = open.Pop();
            if (next >= children.Length || Count >= MaxNodes || length >= MaxText)
            {
                nodes[parent].End = Count;
                continue;
            }
            var child = children[next];
            var isLeftOut = child is not (IText { Length: > 0 } or IElement { LocalName: not ("script" or "style" or "template") });
            open.Push((children, next + 1, parent, isLeftOut ? last : Count));
            if (isLeftOut)
            {
                if (child is IElement { LocalName: "script" } script && script.GetAttribute("type") == JsonLd.MediaType) Head.Add(script);
            }
            else if (child is IText text)
            {
                var data = text.Data;
                length += data.Length;
                Append(new() { Tag = Tag.Text, Parent = parent, Previous = last, End = Count + 1, Text = data, IsHidden = nodes[parent].IsHidden });
            }
            else if (child is IElement element)
            {
                var tag = Tags.Of(element.LocalName);
                Add(element, tag, (parent, last), nodes[parent].IsHidden, words);
                if (!Tags.IsUnread(tag)) open.Push((element.ChildNodes, 0, Count - 1, -1));
            }
        }
    }

    private void Add(IElement element, Tag tag, (int Parent, int Previous) place, bool isHidden, HintReader words)
    {
        var node = new PageNode { Tag = tag, Parent = place.Parent, Previous = place.Previous, End = Count + 1, Element = element, IsHidden = isHidden || tag is Tag.NoScript };
        if (element.Attributes.Length > 0)
        {
            node.Hints = words.Of(element);
            node.IsHidden |= tag != Tag.Body && Visibility.IsHidden(element);
        }
        Append(node);
    }

    /// <summary>Words below a node in one line of at most <paramref name="most"/> characters, cut at a word; looked for in its first 4000 nodes.</summary>
    public string Words(int node, int most)
    {
        var text = new StringBuilder();
        var end = Math.Min(nodes[node].End, node + MaxWordNodes);
        for (var i = node; i < end && text.Length <= most * 2; i++)
        {
            if (nodes[i].Text is { } own) PageText.Append(text, own);
            else if (i != node && (nodes[i].Tag == Tag.Br || Tags.IsBlock(nodes[i].Tag))) PageText.Space(text);
        }
        return PageText.Cut(text.ToString(), most);
    }

    private void Append(PageNode node)
    {
        if (Count == nodes.Length) Array.Resize(ref nodes, Count * 2);
        if (node.Parent >= 0) node.IsInTable = nodes[node.Parent].IsInTable || nodes[node.Parent].Tag is Tag.Table or Tag.Code;
        nodes[Count++] = node;
    }
}
