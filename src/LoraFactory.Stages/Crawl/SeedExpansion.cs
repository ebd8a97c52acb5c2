using LoraFactory.Flow;
using LoraFactory.Pages;

namespace LoraFactory.Stages.Crawl;

/// <summary>
/// Derives related terms from a topic: the user's synonyms, WordNet (synonyms, kinds, parts, what it is a kind of, words of its definition) and
/// ConceptNet where a store is given. Each term keeps the relation that it came by and a weight that falls with every link.
/// </summary>
public static class SeedExpansion
{
    // How much of a meaning's weight goes on through a pointer (symbols of wninput(5WN)).
    private static readonly Dictionary<string, (string Relation, double Factor)> Pointers = new(StringComparer.Ordinal)
    {
        ["~"] = ("hyponym", 0.6), ["~i"] = ("instance", 0.5), ["@"] = ("hypernym", 0.35), ["@i"] = ("class", 0.35), ["%p"] = ("part", 0.3),
        ["#p"] = ("whole", 0.25), ["%m"] = ("member", 0.25), ["%s"] = ("substance", 0.2), ["+"] = ("derived", 0.4), [";c"] = ("domain", 0.2), ["-c"] = ("domain-term", 0.3),
    };

    private static readonly Dictionary<string, double> Concepts = new(StringComparer.Ordinal)
    {
        ["/r/Synonym"] = 0.8, ["/r/SimilarTo"] = 0.6, ["/r/FormOf"] = 0.6, ["/r/DerivedFrom"] = 0.4, ["/r/IsA"] = 0.4, ["/r/RelatedTo"] = 0.4,
        ["/r/InstanceOf"] = 0.4, ["/r/PartOf"] = 0.3, ["/r/HasA"] = 0.3, ["/r/UsedFor"] = 0.3, ["/r/MadeOf"] = 0.25, ["/r/AtLocation"] = 0.2, ["/r/HasContext"] = 0.2,
    };

    private const double AlsoWeight = 0.3;
    private const int MostAlso = 100;
    // Terms of ConceptNet that are looked up for each phrase, and the weight below which a relation is not followed.
    private const int MostLookups = 500;
    private const double LeastConcept = 0.05;

    private static readonly HashSet<string> Stop = new(StringComparer.Ordinal)
    {
        "a", "an", "the", "of", "in", "on", "at", "by", "to", "and", "or", "for", "with", "from", "as", "is", "are", "be", "that", "which", "who", "it", "its",
        "something", "someone", "used", "using", "one", "any", "some", "usually", "especially", "etc", "into", "made", "such", "other", "than", "this", "these",
    };

    /// <summary>Makes the seed of a run.</summary>
    /// <param name="options">Topic, URLs, synonyms, and how far to go.</param>
    /// <param name="wordNet">WordNet, null when it is not installed.</param>
    /// <param name="concepts">ConceptNet, null when none was imported.</param>
    public static Seed Expand(SeedOptions options, WordNet? wordNet, ConceptStore? concepts) => ExpandFrom(options, wordNet, concepts is null ? null : term => concepts.Of(term));

    /// <summary>Phrases and words that a person gave: what a related term is related to.</summary>
    internal static IReadOnlyList<string> OwnTerms(SeedOptions options)
    {
        var topic = options.Topic.Trim().ToLowerInvariant();
        var words = WordStem.Words(topic).Where(w => !Stop.Contains(w));
        return [.. words.Prepend(topic).Concat(options.Synonyms.Select(s => s.Trim().ToLowerInvariant())).Where(t => t.Length > 0).Distinct(StringComparer.Ordinal)];
    }

    /// <summary>Makes the seed of a run.</summary>
    /// <param name="options">Topic, URLs, synonyms, and how far to go.</param>
    /// <param name="wordNet">WordNet, null when it is not installed.</param>
    /// <param name="concepts">Edges of ConceptNet at a term, from wherever they are known; null when from nowhere.</param>
    internal static Seed ExpandFrom(SeedOptions options, WordNet? wordNet, Func<string, IReadOnlyList<ConceptEdge>>? concepts)
    {
        var terms = new Dictionary<string, SeedTerm>(StringComparer.Ordinal);
        void Add(string text, double weight, string relation)
        {
            var key = string.Join(' ', WordStem.Words(text).Select(WordStem.Of));
            if (key.Length < 2 || Stop.Contains(text)) return;
            if (!terms.TryGetValue(key, out var known) || known.Weight < weight) terms[key] = new(text, Math.Round(weight, 4), known?.Relation is "topic" ? "topic" : relation);
        }

        var topic = options.Topic.Trim();
        var words = WordStem.Words(topic).Where(w => !Stop.Contains(w)).Distinct().ToList();
        if (words.Count > 0) Add(topic.ToLowerInvariant(), 1, "topic");
        if (words.Count > 1)
            foreach (var (word, share) in Shares(words, wordNet)) Add(word, share, "topic");
        foreach (var synonym in options.Synonyms) Add(synonym.Trim().ToLowerInvariant(), 1, "user");
        foreach (var (phrase, weight) in terms.Values.Select(t => (t.Text, t.Weight)).ToList())
        {
            if (options.ExpandDepth < 1) break;
            if (wordNet is not null) FromWordNet(wordNet, phrase, weight, words, options.ExpandDepth, Add);
            if (concepts is not null) FromConcepts(concepts, phrase, weight, options.ExpandDepth, Add);
        }
        var kept = terms.Values.OrderByDescending(t => t.Relation == "topic").ThenByDescending(t => t.Weight).ThenBy(t => t.Text, StringComparer.Ordinal).Take(options.MaxTerms).ToList();
        kept.AddRange(Also(options.Also, kept));
        var urls = options.Urls.Select(u => CanonicalUrl.Parse(u)?.AbsoluteUri
            ?? throw new LoraException($"seed.urls: \"{u}\" is not an absolute http or https URL.", ExitCode.BadUsage)).Distinct(StringComparer.Ordinal).ToList();
        var id = ContentId.Of([topic, .. kept.Select(t => $"{t.Text}={t.Weight}"), .. urls]);
        return new(id, topic, kept, urls);
    }

    // Words of phrases that are looked for besides the topic, each once, none that is a term already.
    private static List<SeedTerm> Also(IReadOnlyList<string> phrases, List<SeedTerm> terms)
    {
        var known = terms.SelectMany(t => WordStem.Words(t.Text)).Select(WordStem.Of).ToHashSet(StringComparer.Ordinal);
        return [.. phrases.SelectMany(WordStem.Words).Where(w => w.Length > 2 && !Stop.Contains(w) && known.Add(WordStem.Of(w))).Take(MostAlso).Select(w => new SeedTerm(w, AlsoWeight, SeedTerm.Also))];
    }

    // A topic's rarer words say more about it: weight by inverse frequency in WordNet's glosses, so that together they count as the whole.
    private static IEnumerable<(string Word, double Share)> Shares(List<string> words, WordNet? wordNet)
    {
        var rarity = words.ToDictionary(w => w, _ => 1.0, StringComparer.Ordinal);
        if (wordNet is not null)
        {
            var (counts, glosses) = wordNet.GlossCounts(words.Select(WordStem.Of).ToHashSet(StringComparer.Ordinal));
            foreach (var word in words) rarity[word] = Math.Log((glosses + 1.0) / (counts[WordStem.Of(word)] + 1.0));
        }
        var most = rarity.Values.Max();
        return words.Select(w => (w, 0.9 * rarity[w] * rarity[w] / (most * most)));
    }

    private static void FromWordNet(WordNet net, string phrase, double weight, List<string> topic, int depth, Action<string, double, string> add)
    {
        var senses = net.Nouns(phrase);
        if (senses.Count == 0) return;
        // Simplified Lesk: a meaning whose definition shares words with the topic comes before a commoner one that does not.
        var context = topic.Where(w => !phrase.Split(' ').Contains(w)).Select(WordStem.Of).ToHashSet(StringComparer.Ordinal);
        var ordered = senses.Select((s, rank) => (Sense: s, Rank: rank, Shared: WordStem.Words(s.Gloss).Select(WordStem.Of).Distinct().Count(context.Contains)))
            .OrderByDescending(s => s.Shared).ThenBy(s => s.Rank).Take(4);
        var place = 0;
        foreach (var (sense, _, _) in ordered) FromSense(net, sense, weight * 0.8 / ++place, depth, "", add, new(StringComparer.Ordinal));
    }

    private static void FromSense(WordNet net, Synset sense, double weight, int depth, string via, Action<string, double, string> add, HashSet<string> seen)
    {
        if (weight < 0.05 || !seen.Add(sense.Key)) return;
        foreach (var word in sense.Words) add(word.ToLowerInvariant(), weight, via.Length == 0 ? "wordnet:synonym" : via);
        if (depth < 1) return;
        foreach (var word in Definition(sense.Gloss)) add(word, weight * 0.25, "wordnet:gloss");
        foreach (var (relation, key) in sense.Pointers)
            if (Pointers.TryGetValue(relation, out var kind)) FromSense(net, net.Read(key), weight * kind.Factor, depth - 1, "wordnet:" + kind.Relation, add, seen);
    }

    private static IEnumerable<string> Definition(string gloss)
    {
        var examples = gloss.IndexOf('"');
        var definition = examples < 0 ? gloss : gloss[..examples];
        return WordStem.Words(definition).Where(w => w.Length > 3 && !Stop.Contains(w)).Distinct().Take(12);
    }

    // Best first, so that the terms which are looked up within the budget are those that matter most.
    private static void FromConcepts(Func<string, IReadOnlyList<ConceptEdge>> edges, string phrase, double weight, int depth, Action<string, double, string> add)
    {
        var waiting = new PriorityQueue<(string Term, double Weight, int Depth), double>([((phrase, weight, depth), -weight)]);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        while (seen.Count < MostLookups && waiting.TryDequeue(out var at, out _))
        {
            if (!seen.Add(at.Term)) continue;
            foreach (var edge in edges(at.Term))
            {
                if (!Concepts.TryGetValue(edge.Relation, out var factor)) continue;
                var through = at.Weight * factor * Math.Min(1, 0.5 + edge.Weight / 4);
                if (through < LeastConcept) continue;
                add(edge.Term, through, "conceptnet:" + edge.Relation[3..]);
                if (at.Depth > 1 && !seen.Contains(edge.Term)) waiting.Enqueue((edge.Term, through, at.Depth - 1), -through);
            }
        }
    }
}
