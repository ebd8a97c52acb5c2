namespace LoraFactory.Pages.Html;

internal sealed partial class ArticleFinder
{
    private const int FarMore = 5;

    private List<int> Choose(Effort effort)
    {
        var top = Top();
        if (top.Count == 0) return [0];
        var best = top[0];
        if (tree[best].Tag == Tag.Body) return [0];
        best = Shared(top) ?? best;
        best = Climbed(best, effort);
        best = Widened(best);
        return Joined(best);
    }

    private List<int> Top()
    {
        var top = new List<int>(TopCandidates + 1);
        for (var i = 0; i < tree.Count; i++)
        {
            if (!isScored[i] || sums.IsGone(i)) continue;
            var place = top.Count;
            while (place > 0 && scores[top[place - 1]] < scores[i]) place--;
            if (place >= TopCandidates) continue;
            top.Insert(place, i);
            if (top.Count > TopCandidates) top.RemoveAt(TopCandidates);
        }
        return top;
    }

    // Several candidates nearly as good as the best, under one roof: the roof is the article.
    private int? Shared(List<int> top)
    {
        var alternatives = top.Skip(1).Where(i => scores[i] / scores[top[0]] >= 0.75).ToList();
        if (alternatives.Count < 3) return null;
        for (var at = Above(top[0]); at > 0; at = Above(at))
            if (alternatives.Count(other => other > at && other < tree[at].End) >= 3) return at;
        return null;
    }

    private int Climbed(int best, Effort effort)
    {
        if (!isScored[best])
        {
            isScored[best] = true;
            scores[best] = Initial(best) + Weight(best, effort);
        }
        var last = scores[best];
        var threshold = last / 3;
        for (var at = Above(best); at > 0; at = Above(at))
        {
            if (!isScored[at]) continue;
            if (scores[at] < threshold) break;
            if (scores[at] > last)
            {
                best = at;
                break;
            }
            last = scores[at];
        }
        for (var at = Above(best); at > 0 && Children(at).Count() == 1; at = Above(at)) best = at;
        return best;
    }

    // Where far more long paragraphs stand elsewhere under the same roof, the roof is the article: its parts lie in boxes of their own.
    private int Widened(int best)
    {
        var widest = best;
        for (var at = Above(best); at > 0; at = Above(at))
            if (prose[at] > FarMore * prose[widest] && sums[at].LinkDensity < 0.35) widest = at;
        return widest;
    }

    private List<int> Joined(int best)
    {
        var parent = Above(best);
        if (parent < 0) return [best];
        var threshold = Math.Max(10, scores[best] * 0.2);
        var name = tree[best].Element!.ClassName ?? "";
        var joined = new List<int>();
        foreach (var sibling in Children(parent))
        {
            if (sibling == best)
            {
                joined.Add(sibling);
                continue;
            }
            var bonus = name.Length > 0 && tree[sibling].Element!.ClassName == name ? scores[best] * 0.2 : 0;
            if (isScored[sibling] && scores[sibling] + bonus >= threshold) joined.Add(sibling);
            else if (tree[sibling].Tag == Tag.P || isParagraph[sibling])
            {
                var (length, density) = (sums[sibling].Text, sums[sibling].LinkDensity);
                if (length > 80 ? density < 0.25 : length > 0 && density == 0 && TextOf(sibling, 100).Contains(". ", StringComparison.Ordinal) || TextOf(sibling, 100).EndsWith('.')) joined.Add(sibling);
            }
        }
        return joined;
    }

    // Elements that remain directly below.
    private IEnumerable<int> Children(int node)
    {
        for (var child = node + 1; child < tree[node].End; child = tree[child].End)
            if (tree[child].Tag != Tag.Text && !sums.IsGone(child)) yield return child;
    }
}
