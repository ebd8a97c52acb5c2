using LoraFactory.Flow;

namespace LoraFactory.Stages.Clean;

/// <summary>The texts of one page as evidence of what it is about.</summary>
/// <param name="Title">Title.</param>
/// <param name="Text">Main text.</param>
/// <param name="Pictures">For each fetched picture its own words: caption, alt, title.</param>
public sealed record TopicPage(string Title, string Text, IReadOnlyList<string> Pictures);

/// <summary>How much a picture is about the topic, and by what.</summary>
/// <param name="Value">0..1, what is compared with the threshold.</param>
/// <param name="Own">By the topic's terms in its caption, alt and title, 0..1.</param>
/// <param name="Against">How much those speak for something else, 0..1.</param>
/// <param name="Context">By the topic's terms in the paragraphs around it, 0..1.</param>
/// <param name="Page">How far the page's words are those of pages on the topic, 0..1.</param>
public readonly record struct TopicRelevanceOf(double Value, double Own, double Against, double Context, double Page);

/// <summary>
/// Tells pictures on the topic from pictures of neighbouring ones. The seed's terms come with weights, but which words set the topic apart
/// depends on what else was crawled: "drawing" means little where ink drawings lie beside blueprints, and "cyanotype", which no seed term
/// names, means much. So the words of the pages that certainly are on the topic are weighed against those of pages that certainly are not
/// (relevance feedback: Rocchio 1971; Robertson and Spärck Jones 1976), each weight held to the seed's own until enough pages speak for another.
/// A learnt word by itself proves nothing (a colour may be common on the topic by chance): it counts as far as the whole page is like the pages
/// on the topic. With nothing off topic to compare with, only the seed's terms count.
/// </summary>
public sealed class TopicModel
{
    // A seed weight counts as much as this many pages.
    private const double Prior = 4;
    private const double Distinctive = 0.5;
    private const double Certain = 0.75;
    private const double PageShare = 0.6, ContextShare = 0.4, LearntContextShare = 0.6;

    private readonly TopicRelevance _seed;
    private readonly List<(string[] Stems, string Feature, double Weight)> _phrases = [];
    private readonly Dictionary<string, double> _seedWeights = new(StringComparer.Ordinal);
    private Dictionary<string, double> _evidence = new(StringComparer.Ordinal);

    // Likeness of the average page off and on the topic; null when there are too few of either.
    private (double Off, double On)? _scale;

    // The page that was judged last: its pictures come one after the other.
    private TopicPage? _judged;
    private double _likeness;

    /// <summary>Learns from the pages of a run. The order of the pages does not matter.</summary>
    public TopicModel(Seed seed, IReadOnlyList<TopicPage> pages)
    {
        seed = seed with { Terms = [.. seed.Terms.Where(t => t.Relation != SeedTerm.Also)] };
        _seed = new TopicRelevance(seed);
        foreach (var term in seed.Terms)
        {
            var stems = WordStem.Words(term.Text).Select(WordStem.Of).ToArray();
            if (stems.Length == 0) continue;
            var feature = string.Join(' ', stems);
            _seedWeights[feature] = Math.Max(_seedWeights.GetValueOrDefault(feature), Math.Clamp(term.Weight, 0, 1));
            if (stems.Length > 1) _phrases.Add((stems, feature, term.Weight));
        }
        var documents = pages.Select(page => (Page: page, Features: Features(WholeText(page)))).ToList();
        Learn([.. documents.Select(document => (document.Features, FirstLabel(document.Page)))]);
        // Once more with what was learnt: pages whose words never name the topic now count too.
        Learn([.. documents.Select(document => (document.Features, SecondLabel(document.Page)))]);
    }

    /// <summary>Words that were found to set the topic apart, strongest first, with −1 (against) to 1 (for).</summary>
    public IReadOnlyList<KeyValuePair<string, double>> Words =>
        [.. _evidence.Where(pair => Math.Abs(pair.Value) >= Distinctive).OrderByDescending(pair => Math.Abs(pair.Value)).ThenBy(pair => pair.Key, StringComparer.Ordinal)];

    /// <summary>Judges one picture: its own words, the paragraphs around it, and the page that it stands on.</summary>
    public TopicRelevanceOf Judge(string named, string context, TopicPage page)
    {
        var words = Weigh(Features(named));
        var around = Weigh(Features(context));
        var like = Likeness(page);
        // A word that only half names the topic ("drawing") is believed less on a page that is nothing like it.
        var kin = _scale is null ? 1 : like;
        var own = words.Seed >= Certain ? words.Seed : words.Seed * (0.4 + 0.6 * kin);
        var learnt = (1 - (1 - words.Learnt) * (1 - LearntContextShare * around.Learnt)) * like;
        // Every text mentions things in passing; on a page of another kind that counts a quarter.
        var near = ContextShare * around.Seed * (0.25 + 0.75 * kin);
        var value = 1 - (1 - own) * (1 - near) * (1 - learnt) * (1 - PageShare * like);
        // Words for something else in what the picture is called outweigh its surroundings.
        return new(value * (1 - words.Against * (1 - own)), own, words.Against, around.Seed, like);
    }

    private bool? FirstLabel(TopicPage page)
    {
        var named = page.Pictures.Where(text => text.Length > 0).ToList();
        var certain = named.Count(text => _seed.Of(text) >= Certain);
        if (certain > 0 && certain * 2 >= named.Count) return true;
        if (page.Pictures.Count == 0) return null;
        if (certain == 0 && _seed.Of(page.Title) < Certain && _seed.Of(page.Text) < Certain) return false;
        return null;
    }

    private bool? SecondLabel(TopicPage page)
    {
        if (page.Pictures.Count == 0) return null;
        var mean = page.Pictures.Average(named => Judge(named, "", page).Value);
        return mean switch { >= 0.6 => true, <= 0.2 => false, _ => null };
    }

    private void Learn(List<(HashSet<string> Features, bool? OnTopic)> pages)
    {
        _judged = null;
        var counts = new Dictionary<string, (int On, int Off)>(StringComparer.Ordinal);
        int on = 0, off = 0;
        foreach (var (features, onTopic) in pages)
        {
            if (onTopic is not { } label) continue;
            if (label) on++;
            else off++;
            foreach (var feature in features)
            {
                var (a, b) = counts.GetValueOrDefault(feature);
                counts[feature] = label ? (a + 1, b) : (a, b + 1);
            }
        }
        _evidence = new Dictionary<string, double>(StringComparer.Ordinal);
        foreach (var feature in counts.Keys.Union(_seedWeights.Keys))
        {
            var (a, b) = counts.GetValueOrDefault(feature);
            var prior = 0.5 + 0.5 * _seedWeights.GetValueOrDefault(feature);
            double shareOn = (a + 0.5) / (on + 1), shareOff = (b + 0.5) / (off + 1);
            // Off-topic pages are few or none: then a word's share there is a guess, and only as many pages speak as can be compared.
            var heard = Math.Min(a + b, 2.0 * Math.Min(on, off));
            var posterior = (heard * shareOn / (shareOn + shareOff) + Prior * prior) / (heard + Prior);
            _evidence[feature] = 2 * posterior - 1;
        }
        _scale = null;
        if (on < 2 || off < 2) return;
        double mean(bool label) => pages.Where(page => page.OnTopic == label).Average(page => Similarity(page.Features));
        var (below, above) = (mean(false), mean(true));
        if (above - below > 0.05) _scale = (below, above);
    }

    private static string WholeText(TopicPage page) => $"{page.Title}\n{page.Text}\n{string.Join('\n', page.Pictures)}";

    /// <summary>0 like the pages off the topic, 1 like those on it.</summary>
    private double Likeness(TopicPage page)
    {
        if (!ReferenceEquals(page, _judged)) (_judged, _likeness) = (page, Compared(page));
        return _likeness;
    }

    private double Compared(TopicPage page)
    {
        if (_scale is not { } scale) return 1 - (1 - _seed.Of(page.Title)) * (1 - 0.5 * _seed.Of(page.Text));
        // Neighbouring topics share some words with this one, and short pages hold few: the ends of the scale are cut off.
        var place = (Similarity(Features(WholeText(page))) - scale.Off) / (scale.On - scale.Off);
        return Math.Clamp((place - 0.2) / 0.5, 0, 1);
    }

    /// <summary>Weight of the distinctive words, as a cosine would have it: long pages hold more of everything.</summary>
    private double Similarity(HashSet<string> features) =>
        features.Count == 0 ? 0 : features.Sum(feature => _evidence.GetValueOrDefault(feature) is var evidence && evidence >= Distinctive ? evidence : 0) / Math.Sqrt(features.Count);

    private (double Seed, double Learnt, double Against) Weigh(HashSet<string> features)
    {
        double notSeed = 1, notLearnt = 1, notAgainst = 1;
        foreach (var feature in features)
        {
            var evidence = _evidence.GetValueOrDefault(feature);
            // The pages can only take from a seed term's weight; what they add is learnt.
            if (_seedWeights.TryGetValue(feature, out var weight)) notSeed *= 1 - Math.Clamp(evidence, 0, weight);
            if (evidence >= Distinctive) notLearnt *= 1 - evidence;
            if (evidence <= -Distinctive) notAgainst *= 1 + evidence;
        }
        return (1 - notSeed, 1 - notLearnt, 1 - notAgainst);
    }

    private HashSet<string> Features(string text)
    {
        var stems = WordStem.Words(text).Where(word => word.Length > 1 && !char.IsAsciiDigit(word[0]) && !LanguageGuess.IsStopWord(word, "en")).Select(WordStem.Of).ToList();
        var features = new HashSet<string>(stems, StringComparer.Ordinal);
        foreach (var (words, feature, _) in _phrases)
            for (var i = 0; i + words.Length <= stems.Count; i++)
                if (words.AsSpan().SequenceEqual(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(stems).Slice(i, words.Length)))
                    features.Add(feature);
        return features;
    }
}
