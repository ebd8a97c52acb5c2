using AngleSharp.Dom;

namespace LoraFactory.Pages.Html;

/// <summary>What stands below an element.</summary>
internal struct Sums
{
    /// <summary>Characters of text, white space counted once.</summary>
    public int Text;
    /// <summary>Of them, those in links; links within the page count three tenths.</summary>
    public float Linked;
    /// <summary>Commas of all scripts.</summary>
    public int Commas;
    /// <summary>Paragraphs, runs of loose text among them.</summary>
    public int Paragraphs;
    /// <summary>Pictures.</summary>
    public int Pictures;
    /// <summary>List items.</summary>
    public int Items;
    /// <summary>Input fields.</summary>
    public int Inputs;
    /// <summary>Embedded things other than films.</summary>
    public int Embeds;
    /// <summary>Embedded films: part of an article, where other frames are mostly not.</summary>
    public int Films;
    /// <summary>Characters in headings.</summary>
    public int Heading;
    /// <summary>Characters in lists.</summary>
    public int Listed;

    /// <summary>Share of the text that is link text, 0..1.</summary>
    public readonly float LinkDensity => Text == 0 ? 0 : Math.Min(1, Linked / Text);

    /// <summary>Adds <paramref name="sign"/> times the other.</summary>
    public void Add(Sums other, int sign)
    {
        Text += sign * other.Text;
        Linked += sign * other.Linked;
        Commas += sign * other.Commas;
        Paragraphs += sign * other.Paragraphs;
        Pictures += sign * other.Pictures;
        Items += sign * other.Items;
        Inputs += sign * other.Inputs;
        Embeds += sign * other.Embeds;
        Films += sign * other.Films;
        Heading += sign * other.Heading;
        Listed += sign * other.Listed;
    }
}

/// <summary>A page of which parts are taken away, with sums over what remains; taking a part away costs its depth, not its size.</summary>
internal sealed class PageSums
{
    private static readonly string[] FilmSites = ["youtube.com/", "youtube-nocookie.com/", "player.vimeo.com/", "dailymotion.com/", "player.twitch.tv/", "archive.org/embed", "upload.wikimedia.org/", "player.bilibili.com/"];

    private readonly PageTree tree;
    private readonly (int Length, int Commas)[] texts;
    private readonly Sums[] sums;
    private readonly bool[] gone;

    /// <summary>All of the page.</summary>
    public PageSums(PageTree tree)
    {
        this.tree = tree;
        texts = new (int, int)[tree.Count];
        sums = new Sums[tree.Count];
        gone = new bool[tree.Count];
        for (var i = 0; i < tree.Count; i++)
            if (tree[i].Text is { } text) texts[i] = Measure(text);
    }

    /// <summary>What remains below a node.</summary>
    public ref readonly Sums this[int node] => ref sums[node];

    /// <summary>Was the node itself taken away? Its descendants do not say so.</summary>
    public bool IsGone(int node) => gone[node];

    /// <summary>Everything is there again, and nothing is summed up.</summary>
    public void Restore() => Array.Clear(gone);

    /// <summary>Takes a node away before <see cref="SumUp"/>.</summary>
    public void Drop(int node) => gone[node] = true;

    /// <summary>Sums up what was not dropped; call once after the last <see cref="Drop"/>.</summary>
    public void SumUp()
    {
        Array.Clear(sums);
        for (var i = tree.Count - 1; i >= 0; i--)
        {
            ref var node = ref tree[i];
            if (gone[i])
            {
                sums[i] = default;
                continue;
            }
            ref var own = ref sums[i];
            switch (node.Tag)
            {
                case Tag.Text:
                    own.Text = texts[i].Length;
                    own.Commas = texts[i].Commas;
                    break;
                case Tag.P:
                    own.Paragraphs++;
                    break;
                case Tag.Img:
                    own.Pictures++;
                    break;
                case Tag.Li:
                    own.Items++;
                    break;
                case Tag.Input:
                    own.Inputs++;
                    break;
                case Tag.Embed or Tag.Object or Tag.Iframe:
                    if (IsFilm(node.Element!)) own.Films++;
                    else own.Embeds++;
                    break;
                case Tag.A:
                    own.Linked = own.Text * (node.Element!.GetAttribute("href") is ['#', _, ..] ? 0.3f : 1);
                    break;
                case Tag.Ul or Tag.Ol:
                    own.Listed = own.Text;
                    break;
                case >= Tag.H1 and <= Tag.H6:
                    own.Heading = own.Text;
                    break;
            }
            if (node.Parent >= 0) sums[node.Parent].Add(own, 1);
        }
    }

    /// <summary>Counts a node as a paragraph more.</summary>
    public void CountParagraph(int node)
    {
        for (var at = node; at >= 0; at = tree[at].Parent) sums[at].Paragraphs++;
    }

    /// <summary>Takes a node away after <see cref="SumUp"/>.</summary>
    public void Remove(int node)
    {
        if (gone[node]) return;
        gone[node] = true;
        var own = sums[node];
        for (var at = node; at >= 0; at = tree[at].Parent) sums[at].Add(own, -1);
    }

    private static bool IsFilm(IElement frame)
    {
        var address = frame.GetAttribute("src") ?? frame.GetAttribute("data-src") ?? frame.GetAttribute("data") ?? "";
        return address.Length < 4000 && FilmSites.Any(site => address.Contains(site, StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>Length of a text without surplus white space, and its commas.</summary>
    public static (int Length, int Commas) Measure(string text)
    {
        int length = 0, commas = 0;
        var gap = false;
        foreach (var c in text)
        {
            if (c is ' ' or '\n' or '\t' or '\r' || (c > 127 && char.IsWhiteSpace(c)))
            {
                gap = length > 0;
                continue;
            }
            if (PageText.IsInvisible(c)) continue;
            length += c is >= '\u2E80' and <= '\uFFEF' ? 3 : gap ? 2 : 1;
            gap = false;
            if (c is ',' or '،' or '、' or '，' or '︐' or '︑' or '⹁' or '⸲') commas++;
        }
        return (length, commas);
    }
}
