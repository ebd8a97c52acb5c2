using System.Buffers;
using LoraFactory.Images.Scenes;

namespace LoraFactory.Stages.Label.Augmentation;

/// <summary>
/// The same caption in another order or frame, by templates for the forms that captions of pictures have: a thing in a place, a medium of a thing, a list of
/// tags, a thing alone. Where the trigger stands is no business of theirs (label.trigger_forms).
/// </summary>
internal static class Paraphrases
{
    private const int LongestPlace = 6, LongestTag = 4, LongestFramed = 25;
    private static readonly SearchValues<char> Stops = SearchValues.Create(",;:()\""), Ends = SearchValues.Create(":;.!?");
    private static readonly string[] Frames = ["shown here: {0}", "in view: {0}", "in this picture: {0}"];

    private static readonly HashSet<string> Openers = Set("a an the one two three four five six seven eight nine ten several some many");
    private static readonly HashSet<string> PlaceWords = Set("in on at under beneath behind beside near above below inside outside against among along over");
    private static readonly HashSet<string> Joining = Set("and or but while that which who whose where when is are was were has have had with by for from to as than");
    private static readonly HashSet<string> NotVerbs = Set("evening morning spring building ceiling clothing painting drawing clearing railing landing string king ring wing");
    private static readonly HashSet<string> Shores = Set("sea water river lake road roadside window door fire fireplace shore beach coast pool pond harbour harbor wall fence");
    private static readonly HashSet<string> Participles = Set("made seen shown set built born written taken drawn known worn hung lit based interested rich low high");

    private static readonly Dictionary<string, string> Media = new(StringComparer.OrdinalIgnoreCase)
    {
        ["photo"] = "photographed", ["photograph"] = "photographed", ["drawing"] = "drawn", ["painting"] = "painted", ["sketch"] = "sketched", ["engraving"] = "engraved", ["etching"] = "etched",
        ["picture"] = "", ["image"] = "", ["illustration"] = "", ["watercolour"] = "", ["watercolor"] = "", ["print"] = "", ["woodcut"] = "", ["linocut"] = "", ["lithograph"] = "", ["rendering"] = "", ["snapshot"] = "",
    };

    /// <summary>At most <paramref name="count"/> other wordings, all different from the caption; none where no template fits.</summary>
    public static IReadOnlyList<OtherWords> Of(string caption, int count, ref SceneRandom random)
    {
        var others = new List<OtherWords>();
        if (MediumLast(caption) is { Count: > 0 } media) others.AddRange(media);
        else if (Fronted(caption) is { } fronted) others.Add(fronted);
        if (Reordered(caption, count, ref random) is { Count: > 0 } orders) others.AddRange(orders);
        var framed = Framed(caption, ref random);
        // what says most otherwise comes first, frames fill up
        return [.. others.Concat(framed).DistinctBy(o => o.Caption, StringComparer.OrdinalIgnoreCase).Where(o => !o.Caption.Equals(caption, StringComparison.OrdinalIgnoreCase)).Take(count)];
    }

    // "a cat in the snow" → "in the snow, a cat": by the last place, where nothing is joined to it and the thing before it ends no verb's form.
    private static OtherWords? Fronted(string caption)
    {
        var words = caption.Split(' ');
        var at = Array.FindLastIndex(words, PlaceWords.Contains);
        if (words is [.., "by", "the", var shore] && Shores.Contains(shore)) at = words.Length - 3; // others are by whoever made them
        if (at < 2 || at == words.Length - 1 || words.Length - at - 1 > LongestPlace || !Opens(words) || caption.AsSpan().IndexOfAny(Stops) >= 0) return null;
        if (words[(at + 1)..].Any(w => Joining.Contains(w) || w.EndsWith("ing", StringComparison.Ordinal) && !NotVerbs.Contains(w))) return null;
        if (words[at - 1] is var last && (Joining.Contains(last) || PlaceWords.Contains(last) || Participles.Contains(last) || last.EndsWith("ed", StringComparison.Ordinal) || last == "of")) return null;
        var place = $"{string.Join(' ', words[at..])}, ";
        return new(place + Lowered(string.Join(' ', words[..at])), "place first") { Opening = place.Length };
    }

    // "an old photo of a cat" → "a cat, an old photo", "a cat, photographed"; and the way back from "a cat, a photo".
    private static List<OtherWords> MediumLast(string caption)
    {
        var found = new List<OtherWords>();
        var of = caption.IndexOf(" of ", StringComparison.Ordinal);
        if (of > 0 && caption[..of].Split(' ') is { Length: <= 4 } head && Media.TryGetValue(head[^1], out var participle) && caption[(of + 4)..] is { Length: > 0 } thing && !head[..^1].Any(Joining.Contains))
        {
            found.Add(new($"{thing}, {Lowered(caption[..of])}", "medium last"));
            if (participle.Length > 0 && (head.Length == 1 || head.Length == 2 && Openers.Contains(head[0].ToLowerInvariant()))) found.Add(new($"{thing}, {participle}", "medium last"));
        }
        var comma = caption.LastIndexOf(", ", StringComparison.Ordinal);
        if (comma > 0 && caption.IndexOf(',') == comma && caption[(comma + 2)..].Split(' ') is { Length: 2 } tail && tail[0] is "a" or "an" && Media.ContainsKey(caption[(comma + 2)..].Split(' ')[^1]))
            found.Add(new($"{caption[(comma + 2)..]} of {Lowered(caption[..comma])}", "medium first"));
        return found;
    }

    // "1girl, long hair, garden": tags in another order.
    private static List<OtherWords> Reordered(string caption, int count, ref SceneRandom random)
    {
        var tags = caption.Split(", ", StringSplitOptions.TrimEntries);
        var found = new List<OtherWords>();
        if (tags.Length < 3 || tags.Any(t => t.Length == 0 || t.Split(' ').Length > LongestTag || t.Split(' ').Any(Joining.Contains))) return found;
        for (var k = 0; k < count; k++)
        {
            var order = (string[])tags.Clone();
            for (var i = order.Length - 1; i > 0; i--)
            {
                var j = random.Next(i + 1);
                (order[i], order[j]) = (order[j], order[i]);
            }
            found.Add(new(string.Join(", ", order), "other order"));
        }
        return found;
    }

    private static List<OtherWords> Framed(string caption, ref SceneRandom random)
    {
        if (!Opens(caption.Split(' ')) || caption.Split(' ').Length > LongestFramed || caption.AsSpan().IndexOfAny(Ends) >= 0) return [];
        var first = random.Next(Frames.Length);
        return [.. Enumerable.Range(0, Frames.Length).Select(i => Frames[(first + i) % Frames.Length]).Select(f => new OtherWords(f.Replace("{0}", Lowered(caption), StringComparison.Ordinal), f) { Opening = f.IndexOf('{', StringComparison.Ordinal) })];
    }

    private static bool Opens(string[] words) => words.Length > 1 && Openers.Contains(words[0].ToLowerInvariant());

    // An article at the beginning loses its capital; anything else may be a name.
    private static string Lowered(string text) =>
        text.Split(' ', 2) is [var first, ..] && char.IsUpper(first[0]) && Openers.Contains(first.ToLowerInvariant()) ? char.ToLowerInvariant(text[0]) + text[1..] : text;

    private static HashSet<string> Set(string words) => new(words.Split(' '), StringComparer.Ordinal);
}
