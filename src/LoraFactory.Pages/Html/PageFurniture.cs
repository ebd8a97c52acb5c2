using AngleSharp.Dom;

namespace LoraFactory.Pages.Html;

/// <summary>Which elements of a page are not its content: by their meaning in HTML, their ARIA role, and the words of class and id.</summary>
public static class PageFurniture
{
    /// <summary>Kind of an element that shows paid matter.</summary>
    public const string Advertisement = "advertisement";

    /// <summary>Kind of menus, heads and feet.</summary>
    public const string Navigation = "site-furniture";

    private const int MaxPictures = 10_000;

    /// <summary>The reading with pictures in furniture, and shares of links and advertisements.</summary>
    internal static PageReading Note(PageTree tree, Uri root, PageReading reading)
    {
        var furniture = new Dictionary<string, string>(StringComparer.Ordinal);
        var outside = new List<int>();
        long all = 0, linked = 0, paid = 0;
        int linkEnd = 0, furnitureEnd = 0, adEnd = 0;
        for (var i = 0; i < tree.Count; i++)
        {
            ref var node = ref tree[i];
            if (node.IsHidden || Tags.IsUnread(node.Tag))
            {
                i = node.End - 1;
                continue;
            }
            if (node.Text is { } text)
            {
                var length = PageSums.Measure(text).Length;
                all += length;
                if (i < linkEnd) linked += length;
                if (i < adEnd) paid += length;
                continue;
            }
            if (node.Tag == Tag.A) linkEnd = Math.Max(linkEnd, node.End);
            switch (KindOf(tree, i))
            {
                // an advertisement inside a footer is an advertisement
                case Advertisement:
                    adEnd = Math.Max(adEnd, node.End);
                    break;
                case Navigation:
                    furnitureEnd = Math.Max(furnitureEnd, node.End);
                    break;
            }
            if ((i < adEnd || i < furnitureEnd) && furniture.Count < MaxPictures) NotePictures(node.Element!, node.Tag, root, i < adEnd ? Advertisement : Navigation, furniture);
            else if (i >= adEnd && i >= furnitureEnd && node.Tag is Tag.Img && outside.Count < MaxPictures) outside.Add(i);
        }
        // what a side column shows again is still the text's picture
        if (furniture.Count > 0)
            foreach (var url in outside.SelectMany(i => PictureSources.All(tree[i].Element!, root)).Select(url => url.AbsoluteUri))
                if (furniture.GetValueOrDefault(url) == Navigation) furniture.Remove(url);
        return reading with { Furniture = furniture, LinkDensity = all == 0 ? 0 : (double)linked / all, AdRatio = all == 0 ? 0 : (double)paid / all };
    }

    private static void NotePictures(IElement element, Tag tag, Uri root, string kind, Dictionary<string, string> furniture)
    {
        if (tag is Tag.Img or Tag.Source)
            foreach (var url in PictureSources.All(element, root)) Note(url);
        else if (element.GetAttribute("style") is { } style && PictureSources.Background(style, root) is { } background) Note(background);

        // paid matter stays paid matter where a menu shows it again
        void Note(Uri url) => furniture[url.AbsoluteUri] = furniture.GetValueOrDefault(url.AbsoluteUri) == Advertisement ? Advertisement : kind;
    }

    private static string? KindOf(PageTree tree, int i)
    {
        ref var node = ref tree[i];
        if (node.Tag is Tag.Body or Tag.Main or Tag.Article) return null;
        if (node.Says(Hints.Advertisement) || (node.Tag == Tag.A && PageReader.RelIs(node.Element!.GetAttribute("rel"), "sponsored"))) return Advertisement;
        var isMenu = node.Tag is Tag.Nav or Tag.Footer or Tag.Aside or Tag.Form or Tag.Button or Tag.Dialog || node.Says(Hints.NoContentRole) || (node.Tag == Tag.Header && !IsInContent(tree, i));
        return isMenu || (node.Says(Hints.Menu) && !node.Says(Hints.Content)) ? Navigation : null;
    }

    private static bool IsInContent(PageTree tree, int i)
    {
        for (var at = tree[i].Parent; at >= 0; at = tree[at].Parent)
            if (tree[at].Tag is Tag.Article or Tag.Main or Tag.Section) return true;
        return false;
    }
}
