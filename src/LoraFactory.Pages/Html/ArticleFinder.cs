namespace LoraFactory.Pages.Html;

/// <summary>Which parts of a page an attempt leaves out before it looks for the article.</summary>
[Flags]
internal enum Effort
{
    None = 0,
    /// <summary>Leave out what its name calls menu, side column and the like.</summary>
    StripUnlikely = 1,
    /// <summary>Names count in scores.</summary>
    WeighNames = 2,
    /// <summary>Leave out lists, tables and boxes inside the article that look like furniture.</summary>
    CleanInside = 4,
    /// <summary>All of them.</summary>
    All = 7,
}

/// <summary>Questions to <see cref="Effort"/>.</summary>
internal static class EffortExtensions
{
    /// <summary>Is this part of it?</summary>
    public static bool Has(this Effort effort, Effort part) => (effort & part) != Effort.None;
}

/// <summary>
/// Finds the elements that hold a page's article: paragraphs speak for the elements around them, links against, siblings that read alike join
/// (the ideas of Arc90's and Mozilla's Readability); where little is found, it looks again with fewer prejudices.
/// </summary>
internal sealed partial class ArticleFinder
{
    private const int EnoughText = 500, FewWords = 120, LeastParagraph = 25, LongParagraph = 80, ScoredAncestors = 5, TopCandidates = 5;

    private readonly PageTree tree;
    private readonly PageSums sums;
    private readonly string title;
    private readonly double[] scores;
    private readonly bool[] isScored;
    private readonly int[] prose;
    private readonly bool[] isParagraph;
    private readonly bool[] isDissolved;

    /// <summary>A search in a page whose title is known.</summary>
    public ArticleFinder(PageTree tree, string title)
    {
        this.tree = tree;
        this.title = title;
        sums = new(tree);
        scores = new double[tree.Count];
        isScored = new bool[tree.Count];
        prose = new int[tree.Count];
        isParagraph = new bool[tree.Count];
        isDissolved = new bool[tree.Count];
    }

    /// <summary>What was found: elements in document order, less what <see cref="PageSums.IsGone"/> in <see cref="Remaining"/>.</summary>
    public IReadOnlyList<int> Roots { get; private set; } = [];

    /// <summary>What was left out of them.</summary>
    public PageSums Remaining => sums;

    /// <summary>Looks for the article; <see cref="Roots"/> is empty where the page has no text.</summary>
    public void Find()
    {
        if (tree.Count == 0) return;
        var (bestEffort, bestLength) = (Effort.All, -1);
        foreach (var effort in (Effort[])[Effort.All, Effort.WeighNames | Effort.CleanInside, Effort.CleanInside, Effort.None])
        {
            if (effort == Effort.None && bestLength >= FewWords) break;
            var length = Attempt(effort);
            if (length >= EnoughText) return;
            if (length > 2 * bestLength) (bestEffort, bestLength) = (effort, length);
        }
        if (bestEffort != Effort.None) Attempt(bestEffort);
    }

    private int Attempt(Effort effort)
    {
        sums.Restore();
        sums.SumUp();
        Array.Clear(scores);
        Array.Clear(prose);
        Array.Clear(isScored);
        Array.Clear(isParagraph);
        Array.Clear(isDissolved);
        Strip(effort);
        sums.SumUp();
        Score(effort);
        Roots = Choose(effort);
        foreach (var root in Roots) Clean(root, effort);
        return Roots.Sum(root => sums[root].Text);
    }

    private void Strip(Effort effort)
    {
        var wantsByline = true;
        var wantsTitle = true;
        for (var i = 0; i < tree.Count; i++)
        {
            ref var node = ref tree[i];
            if (node.Tag == Tag.Text) continue;
            if (node.IsHidden || (effort != Effort.None && node.Tag is Tag.Footer or Tag.Aside or Tag.Nav) || (effort.Has(Effort.StripUnlikely) && node.Says(Hints.Unlikely) && IsUnlikely(i)))
            {
                sums.Drop(i);
                i = node.End - 1;
                continue;
            }
            if (wantsTitle && node.Tag is Tag.H1 or Tag.H2 && RepeatsTitle(i))
            {
                wantsTitle = false;
                sums.Drop(i);
                i = node.End - 1;
            }
            else if (wantsByline && node.Says(Hints.Byline) && sums[i].Text is > 0 and <= 100)
            {
                wantsByline = false;
                sums.Drop(i);
                i = node.End - 1;
            }
            else if (effort.Has(Effort.StripUnlikely) && node.Says(Hints.NoContentRole))
            {
                sums.Drop(i);
                i = node.End - 1;
            }
        }
    }

    private bool IsUnlikely(int i)
    {
        ref var node = ref tree[i];
        return !node.Says(Hints.Maybe) && node.Tag is not (Tag.Body or Tag.A) && !node.IsInTable;
    }

    private bool RepeatsTitle(int heading)
    {
        if (title.Length == 0 || sums[heading].Text > 400) return false;
        var text = TextOf(heading, 400);
        return TextLikeness.Of(title, text) > 0.75;
    }

    // Paragraphs speak for what is around them: fully for their parent, half for the next, then less and less.
    private void Score(Effort effort)
    {
        for (var i = 0; i < tree.Count; i++)
        {
            ref var node = ref tree[i];
            if (sums.IsGone(i))
            {
                i = node.End - 1;
                continue;
            }
            switch (node.Tag)
            {
                case Tag.Div:
                    JudgeDiv(i, effort);
                    break;
                case Tag.P or Tag.Pre or Tag.Td or Tag.Section or Tag.H2 or Tag.H3 or Tag.H4 or Tag.H5 or Tag.H6:
                    Speak(node.Parent, sums[i], effort);
                    break;
            }
        }
        for (var i = 0; i < tree.Count; i++)
            if (isScored[i]) scores[i] *= 1 - sums[i].LinkDensity;
        for (var i = tree.Count - 1; i > 0; i--) prose[tree[i].Parent] += prose[i];
    }

    // A division without blocks is a paragraph by another name; loose words beside blocks are one too.
    private void JudgeDiv(int div, Effort effort)
    {
        var elements = 0;
        var only = -1;
        var loose = 0;
        var run = default(Sums);
        var runs = 0;
        void EndRun(Sums words)
        {
            if (words.Text == 0) return;
            runs++;
            Speak(div, words, effort);
        }

        for (var child = div + 1; child < tree[div].End; child = tree[child].End)
        {
            if (sums.IsGone(child)) continue;
            if (IsPhrasing(child))
            {
                run.Add(sums[child], 1);
                loose += sums[child].Text;
                continue;
            }
            elements++;
            only = child;
            EndRun(run);
            run = default;
        }
        if (elements == 0)
        {
            if (sums[div].LinkDensity < 0.25)
            {
                isParagraph[div] = true;
                Speak(Above(div), sums[div], effort);
            }
            else EndRun(run);
            if (sums[div].Text > 0 || sums[div].Pictures > 0) sums.CountParagraph(div);
            return;
        }
        EndRun(run);
        for (var n = 0; n < runs; n++) sums.CountParagraph(div);
        if (loose == 0 && elements == 1 && tree[only].Tag == Tag.P && sums[div].LinkDensity < 0.25) isDissolved[div] = true;
    }

    private bool IsPhrasing(int node)
    {
        var tag = tree[node].Tag;
        if (!Tags.IsPhrasing(tag) && tag != Tag.Other) return false;
        if (tag is not (Tag.A or Tag.Del or Tag.Ins)) return true;
        for (var child = node + 1; child < tree[node].End; child++)
            if (!Tags.IsPhrasing(tree[child].Tag)) return false;
        return true;
    }

    private int Above(int node)
    {
        var at = tree[node].Parent;
        while (at >= 0 && isDissolved[at]) at = tree[at].Parent;
        return at;
    }

    private void Speak(int above, Sums words, Effort effort)
    {
        if (words.Text < LeastParagraph) return;
        var score = 2 + words.Commas + Math.Min(words.Text / 100, 3);
        var at = above;
        while (at >= 0 && isDissolved[at]) at = tree[at].Parent;
        if (at >= 0 && words.Text >= LongParagraph && words.LinkDensity < 0.25) prose[at] += words.Text;
        for (var level = 0; at >= 0 && level < ScoredAncestors; level++, at = Above(at))
        {
            if (!isScored[at])
            {
                isScored[at] = true;
                scores[at] = Initial(at) + Weight(at, effort);
            }
            scores[at] += (double)score / (level switch { 0 => 1, 1 => 2, _ => level * 3 });
        }
    }

    private double Initial(int node) => tree[node].Tag switch
    {
        Tag.Div => 5,
        Tag.Pre or Tag.Td or Tag.Blockquote => 3,
        Tag.Address or Tag.Ol or Tag.Ul or Tag.Dl or Tag.Dd or Tag.Dt or Tag.Li or Tag.Form => -3,
        Tag.H1 or Tag.H2 or Tag.H3 or Tag.H4 or Tag.H5 or Tag.H6 or Tag.Th => -5,
        _ => 0,
    };

    private int Weight(int node, Effort effort)
    {
        if (!effort.Has(Effort.WeighNames)) return 0;
        var hints = tree[node].Hints;
        int Of(Hints hint, int value) => hints.Has(hint) ? value : 0;
        return Of(Hints.PositiveClass, 25) + Of(Hints.PositiveId, 25) + Of(Hints.NegativeClass, -25) + Of(Hints.NegativeId, -25);
    }

    private string TextOf(int node, int most) => tree.Words(node, most);
}
