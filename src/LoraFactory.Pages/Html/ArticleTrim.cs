namespace LoraFactory.Pages.Html;

/// <summary>
/// Takes out of a found article what stands in it and is not of it: bylines, dates, letters, buttons and links to other pages, by the names of their
/// elements first, then line by line. Captions stay, marked.
/// </summary>
internal sealed class ArticleTrim(PageTree tree, PageSums sums, IReadOnlyList<int> roots)
{
    // a line that is at least so long and ends like a sentence is text
    private const int Sentence = 80, HeadLines = 8;

    /// <summary>The lines of the article; those that are not of it are marked gone.</summary>
    public List<TextBlock> Lines()
    {
        var all = roots.Sum(root => sums[root].Text);
        foreach (var root in roots) ByName(root, all);
        var blocks = PageText.Blocks(tree, sums, roots);
        foreach (var block in blocks)
        {
            if (IsCaption(block)) block.IsCaption = true;
            else if (IsPointer(block) || IsLinks(block) || ArticleWords.IsPromotion(block.Text) || (ArticleWords.IsDate(block.Text) && !Tags.IsHeading(tree[block.Holder].Tag))) block.IsGone = true;
        }
        End(blocks);
        Head(blocks);
        Tail(blocks);
        // a page of a few words is those words
        if (Kept(blocks) < 100 && blocks.Sum(block => block.Text.Length) < 400)
            foreach (var block in blocks) (block.IsGone, block.IsCaption) = (false, false);
        return blocks;
    }

    private static int Kept(List<TextBlock> blocks) => blocks.Sum(block => block.IsGone || block.IsCaption ? 0 : block.Text.Length);

    private void ByName(int root, int all)
    {
        for (var i = root + 1; i < tree[root].End; i++)
        {
            ref var node = ref tree[i];
            if (!sums.IsGone(i))
            {
                if (node.Element is null || node.Hints == Hints.None || !IsForeign(i, all)) continue;
                sums.Remove(i);
            }
            i = node.End - 1;
        }
    }

    private bool IsForeign(int i, int all)
    {
        ref var node = ref tree[i];
        ref readonly var own = ref sums[i];
        if (own.Text > 0.4 * all || node.Says(Hints.ArticleBody)) return false;
        if (node.Says(Hints.NoContentRole)) return true;
        if (node.Says(Hints.Related | Hints.Subscribe | Hints.Advertisement)) return own.Text < 0.25 * all || own.LinkDensity > 0.3;
        // words within a sentence may be named so too
        if (Tags.IsPhrasing(node.Tag) && tree[node.Parent].Tag is Tag.P or Tag.Li or Tag.Td) return false;
        if (own.Text >= 300 || own.Text >= 0.2 * all) return false;
        return node.Says(Hints.Byline) || (node.Says(Hints.Share | Hints.Labels) && node.Tag is not (Tag.A or Tag.Span) && (own.Text < 60 || own.LinkDensity > 0.3));
    }

    // Under a figure's caption, beside a picture, or by its own words.
    private bool IsCaption(TextBlock block)
    {
        for (var (at, level) = (block.Holder, 0); at > 0 && level < 4; at = tree[at].Parent, level++)
        {
            if (tree[at].Tag is Tag.Figcaption) return true;
            if (level < 2 && sums[at].Pictures > 0 && sums[at].Text < 200 && !ArticleWords.EndsSentence(block.Text)) return true;
        }
        return ArticleWords.IsCaption(block.Text);
    }

    private static bool IsPointer(TextBlock block) =>
        ArticleWords.IsPointer(block.Text) && (block.LinkDensity > 0.3 || (block.Text.Length < 120 && !ArticleWords.EndsSentence(block.Text)));

    private bool IsLinks(TextBlock block)
    {
        if (block.Text.Length < 12) return false;
        if (block.LinkDensity > 0.75 && block.Text.Length < 140 && !ArticleWords.EndsSentence(block.Text)) return true;
        var parent = tree[block.Holder].Parent;
        return block.LinkDensity > 0.9 && (tree[block.Holder].Tag == Tag.P || parent < 0 || sums[parent].LinkDensity > 0.8);
    }

    // Lines that announce the writer, other pages or readers' words: nothing of the article comes after them.
    private static void End(List<TextBlock> blocks)
    {
        var all = blocks.Sum(block => block.IsGone ? 0 : block.Text.Length);
        var before = 0;
        for (var i = 0; i < blocks.Count; i++)
        {
            if (blocks[i].IsGone) continue;
            if (before > 0.6 * all && ArticleWords.IsEndMark(blocks[i].Text))
            {
                for (; i < blocks.Count; i++) blocks[i].IsGone = true;
                return;
            }
            before += blocks[i].Text.Length;
        }
    }

    private void Head(List<TextBlock> blocks)
    {
        var seen = 0;
        foreach (var block in blocks)
        {
            if (block.IsGone || Tags.IsHeading(tree[block.Holder].Tag)) continue;
            if (seen++ == HeadLines || (block.Text.Length >= Sentence && ArticleWords.EndsSentence(block.Text))) return;
            if (ArticleWords.IsDateLine(block.Text)) block.IsGone = true;
        }
    }

    private void Tail(List<TextBlock> blocks)
    {
        for (var i = blocks.Count - 1; i >= 0; i--)
        {
            var block = blocks[i];
            if (block.IsGone || block.IsCaption) continue;
            var isFurniture = Tags.IsHeading(tree[block.Holder].Tag) || block.LinkDensity > 0.5 || ArticleWords.IsDateLine(block.Text) || ArticleWords.IsTail(block.Text);
            if (!isFurniture) return;
            block.IsGone = true;
        }
    }
}
