using LoraFactory.Images.Scenes;

namespace LoraFactory.Stages.Train.Pretraining;

/// <summary>Texts of meanings, and the same texts said otherwise: other frames, synonyms, words left out or put in, slips of the keyboard, sentences moved.</summary>
internal sealed class TextVariants(GlossCorpus corpus)
{
    private static readonly string[] Frames =
    [
        "{0}: {1}.", "{0} is {1}.", "The word {0} means {1}.", "What is {0}? It is {1}.", "By {0} people mean {1}.", "{1}", "{0} ({1})", "{1}; also called {0}.", "We call {1} {0}.",
        "In short, {0} stands for {1}.", "{0} – {1}", "You may know {0} as {1}.",
    ];

    private static readonly string[] Fillers = ["in fact", "of course", "as a rule", "for the most part", "to be precise", "perhaps", "usually", "as is well known", "in general", "however"];

    private static readonly string[] Furniture =
    [
        "Read more.", "Share this page.", "Last updated in May.", "Subscribe to our newsletter.", "All rights reserved.", "See also the other articles.", "Posted by the editors.",
        "Leave a comment below.", "Back to the top.", "This article was first published elsewhere.",
    ];

    /// <summary>What a meaning says: its definition in a frame, then its examples.</summary>
    public static string[] Sentences(Gloss gloss, ref SceneRandom random) => [Framed(gloss, ref random), .. gloss.Examples];

    /// <summary>The definition in one of the frames.</summary>
    public static string Framed(Gloss gloss, ref SceneRandom random) => string.Format(System.Globalization.CultureInfo.InvariantCulture, random.Pick(Frames), random.Pick(gloss.Words), gloss.Definition);

    /// <summary>The same document again, changed as copies on the web are: most of its sentences as they were or a little otherwise.</summary>
    public string Copy(IReadOnlyList<string> sentences, ref SceneRandom random)
    {
        var strength = random.NextDouble();
        var copy = new List<string>();
        foreach (var sentence in sentences)
        {
            if (sentences.Count > 2 && random.Chance(0.2 * strength)) continue;
            copy.Add(random.Chance(0.7) ? Changed(sentence, strength, ref random) : sentence);
        }
        if (copy.Count == 0) copy.Add(sentences[0]);
        if (copy.Count > 2 && random.Chance(0.25))
        {
            var (i, j) = (random.Next(copy.Count), random.Next(copy.Count));
            (copy[i], copy[j]) = (copy[j], copy[i]);
        }
        if (sentences.Count > 2 && random.Chance(0.3)) copy.Insert(random.Next(2) * copy.Count, random.Pick(Furniture));
        return string.Join(' ', copy);
    }

    private string Changed(string sentence, double strength, ref SceneRandom random)
    {
        var words = sentence.Split(' ', StringSplitOptions.RemoveEmptyEntries).ToList();
        for (var i = 0; i < words.Count; i++)
        {
            var bare = words[i].TrimEnd('.', ',', ';', ':', '?', '!', ')').ToLowerInvariant();
            if (corpus.Synonyms.TryGetValue(bare, out var others) && random.Chance(0.5 * strength)) words[i] = random.Pick(others) + words[i][Math.Min(bare.Length, words[i].Length)..];
            else if (words.Count > 4 && random.Chance(0.06 * strength)) words.RemoveAt(i--);
            else if (words[i].Length > 4 && random.Chance(0.05 * strength)) words[i] = Slip(words[i], ref random);
        }
        if (random.Chance(0.2 * strength)) words.Insert(random.Next(words.Count + 1), random.Pick(Fillers));
        var text = string.Join(' ', words);
        return random.Next(8) switch { 0 => text.ToUpperInvariant(), 1 => text.ToLowerInvariant(), 2 => text.TrimEnd('.'), _ => text };
    }

    // Two letters exchanged, one doubled, or one left out.
    private static string Slip(string word, ref SceneRandom random)
    {
        var i = 1 + random.Next(word.Length - 2);
        return random.Next(3) switch
        {
            0 => $"{word[..i]}{word[i + 1]}{word[i]}{word[(i + 2)..]}",
            1 => word.Insert(i, word[i].ToString()),
            _ => word.Remove(i, 1),
        };
    }
}
