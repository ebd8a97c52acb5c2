namespace LoraFactory.Pages.Html;

internal sealed partial class ArticleFinder
{
    private const int ShortShare = 500, MaxTableLevels = 100;

    private readonly Dictionary<int, bool> data = [];

    // What stands inside the article and does not belong to it; inner parts first, so that what is left decides about the outer ones.
    private void Clean(int root, Effort effort)
    {
        CleanWhere(root, effort, tag => tag is Tag.Form or Tag.Fieldset);
        for (var i = root + 1; i < tree[root].End; i++)
        {
            ref var node = ref tree[i];
            if (sums.IsGone(i))
            {
                i = node.End - 1;
                continue;
            }
            var isGone = node.Tag is Tag.Footer or Tag.Aside or Tag.Button or Tag.Input
                || (node.Says(Hints.Share) && sums[i].Text < ShortShare)
                || (node.Tag is Tag.H1 or Tag.H2 && Weight(i, effort) < 0);
            if (!isGone) continue;
            sums.Remove(i);
            i = node.End - 1;
        }
        CleanWhere(root, effort, tag => tag is Tag.Table);
        CleanWhere(root, effort, tag => tag is Tag.Ul or Tag.Ol);
        CleanWhere(root, effort, tag => tag is Tag.Div);
    }

    private void CleanWhere(int root, Effort effort, Func<Tag, bool> isOne)
    {
        if (!effort.Has(Effort.CleanInside)) return;
        for (var i = tree[root].End - 1; i > root; i--)
            if (isOne(tree[i].Tag) && !sums.IsGone(i) && IsFurniture(i, root, effort)) sums.Remove(i);
    }

    private bool IsFurniture(int i, int root, Effort effort)
    {
        ref var node = ref tree[i];
        if (isParagraph[i] || isDissolved[i]) return false;
        if (node.Tag == Tag.Table && IsData(i)) return false;
        if (node.IsInTable && IsInData(i, root)) return false;
        var weight = Weight(i, effort);
        if (weight < 0) return true;
        var own = sums[i];
        if (own.Commas >= 10 || own.Films > 0) return false;
        var isList = node.Tag is Tag.Ul or Tag.Ol || own.Listed > 0.9 * own.Text;
        var isFigure = InFigure(i);
        var density = own.LinkDensity;
        var headings = own.Text == 0 ? 0 : (double)own.Heading / own.Text;
        if (isList && own.Pictures > 0 && own.Pictures == own.Items && Children(i).All(c => Children(c).Count() <= 1)) return false;
        return (!isFigure && own.Pictures > 1 && (double)own.Paragraphs / own.Pictures < 0.5)
            || (!isList && own.Items - 100 > own.Paragraphs)
            || own.Inputs > own.Paragraphs / 3
            || (!isList && !isFigure && headings < 0.9 && own.Text < 25 && (own.Pictures == 0 || own.Pictures > 2) && density > 0)
            || (!isList && weight < 25 && density > 0.2)
            || (weight >= 25 && density > 0.5)
            || (own.Embeds == 1 && own.Text < 75) || own.Embeds > 1;
    }

    private bool InFigure(int node)
    {
        for (var (at, level) = (node, 0); at >= 0 && level < 4; at = tree[at].Parent, level++)
            if (tree[at].Tag == Tag.Figure) return true;
        return false;
    }

    // Each table is asked once and the way up is short: tables that lie in hundreds of others are no data.
    private bool IsInData(int node, int root)
    {
        var at = tree[node].Parent;
        for (var level = 0; at >= root && level < MaxTableLevels; at = tree[at].Parent, level++)
            if (tree[at].Tag == Tag.Code || (tree[at].Tag == Tag.Table && IsData(at))) return true;
        return false;
    }

    // Tables that hold data rather than lay out a page: they say so, or they are large.
    private bool IsData(int table)
    {
        if (!data.TryGetValue(table, out var known)) data[table] = known = HoldsData(table);
        return known;
    }

    private bool HoldsData(int table)
    {
        var element = tree[table].Element!;
        if (element.GetAttribute("role") == "presentation" || element.GetAttribute("datatable") == "0") return false;
        if (element.HasAttribute("summary")) return true;
        int rows = 0, cells = 0, most = 0;
        for (var i = table + 1; i < tree[table].End; i++)
        {
            switch (tree[i].Tag)
            {
                case Tag.Th or Tag.Thead or Tag.Tfoot or Tag.Col or Tag.Caption:
                    return true;
                case Tag.Table:
                    return false;
                case Tag.Tr:
                    rows++;
                    cells = 0;
                    break;
                case Tag.Td:
                    most = Math.Max(most, ++cells);
                    break;
            }
        }
        return rows >= 10 || most > 4 || rows * most > 10;
    }
}
