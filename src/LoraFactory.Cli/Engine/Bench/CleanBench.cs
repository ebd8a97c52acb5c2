using System.Text;
using System.Text.Json.Nodes;
using LoraFactory.Flow;
using LoraFactory.Stages.Clean.Text;
using LoraFactory.Stages.Train;

namespace LoraFactory.Cli.Engine.Bench;

/// <summary>Clean's text stages on one thread: repair, personal data, boilerplate, language, signals, signature; then the search for near duplicates.</summary>
internal static class CleanBench
{
    private const int Words = 12_000, Lines = 34;

    /// <summary>
    /// Fields: "documents_per_cpu_s" of the whole, each step by itself in "us_per_document", then "signatures", "search_cpu_s", "found" of "planted" near
    /// duplicates, and "peak_rss_mb". The same texts and signatures each time; no tensor library is loaded.
    /// </summary>
    public static JsonObject Run(int documents, int signatures, BenchSettings settings)
    {
        var texts = Texts(Math.Min(documents, 500));
        var bytes = texts.Sum(text => (long)Encoding.UTF8.GetByteCount(text));
        var reader = new DocumentReader(null!, new TextCleaning(new CleanOptions()));
        var cleaning = new TextCleaning(new CleanOptions());
        var measure = new TextSignals();
        var cleaned = texts.Select(text => cleaning.Page(text, new TextChanges())).ToList();
        var cut = cleaned.Select(TextTokens.Of).ToList();
        double Micro(Action<int> step) => Math.Round(Best(documents, texts.Count, settings, step) / documents * 1e6, 1);
        var whole = Best(documents, texts.Count, settings, i =>
        {
            var document = reader.OfText(new TextDocument { Id = "", Url = "", ReadBy = "" }, texts[i], "", 0, 0);
            MinHash.Of(TextTokens.Of(document.Text));
        });
        var line = new JsonObject
        {
            ["bench"] = "clean_text",
            ["documents"] = documents,
            ["mean_bytes"] = bytes / texts.Count,
            ["documents_per_cpu_s"] = Math.Round(documents / whole, 1),
            ["us_per_document"] = new JsonObject
            {
                ["repair"] = Micro(i => TextRepair.Of(texts[i], new TextChanges())),
                ["personal_data"] = Micro(i => PersonalData.Replace(cleaned[i], new TextChanges())),
                ["boilerplate"] = Micro(i => BoilerplateLines.Remove(cut[i], new TextChanges())),
                ["language"] = Micro(i => LanguageId.Of(cut[i], "en")),
                ["paragraph_languages"] = Micro(i => LanguageId.OfParagraphs(cut[i], "en")),
                ["words"] = Micro(i => TextTokens.Of(cleaned[i])),
                ["signals"] = Micro(i => measure.Of(cut[i], new("en"))),
                ["compression"] = Micro(i => measure.CompressionRatio(cleaned[i])),
                ["signature"] = Micro(i => MinHash.Of(cut[i])),
            },
            ["cld2"] = Cld2.IsThere,
        };
        if (signatures > 0) Search(line, signatures, settings.Cancellation);
        line["peak_rss_mb"] = Math.Round(ProcessMemory.PeakMiB);
        return line;
    }

    private static double Best(int documents, int different, BenchSettings settings, Action<int> step)
    {
        var best = double.MaxValue;
        for (var round = 0; round < settings.Warm + settings.Repetitions; round++)
        {
            settings.Cancellation.ThrowIfCancellationRequested();
            var used = Environment.CpuUsage.TotalTime;
            for (var i = 0; i < documents; i++) step(i % different);
            if (round >= settings.Warm) best = Math.Min(best, (Environment.CpuUsage.TotalTime - used).TotalSeconds);
        }
        return best;
    }

    // One in ten is an earlier one with one place in twenty drawn anew: a similarity of 0.95.
    private static void Search(JsonObject line, int count, CancellationToken token)
    {
        var random = new Random(11);
        var twins = new TextTwins(count, 0.8);
        var signature = new uint[MinHash.Places];
        int planted = 0, found = 0, wrong = 0;
        var recent = new Queue<(int Index, uint[] Signature)>();
        var used = Environment.CpuUsage.TotalTime;
        for (var i = 0; i < count; i++)
        {
            if (i % 65_536 == 0) token.ThrowIfCancellationRequested();
            var of = -1;
            if (i % 10 == 9 && recent.Count > 0)
            {
                (of, var original) = recent.Dequeue();
                original.CopyTo(signature, 0);
                for (var place = i % 20; place < MinHash.Places; place += 20) signature[place] = (uint)random.NextInt64(1L << 32);
                planted++;
            }
            else
            {
                random.NextBytes(System.Runtime.InteropServices.MemoryMarshal.AsBytes(signature.AsSpan()));
                if (i % 10 == 0) recent.Enqueue((i, [.. signature]));
            }
            var twin = twins.Add(i, signature);
            if (twin is null) continue;
            if (twin.Value.Of == of) found++;
            else wrong++;
        }
        line["signatures"] = count;
        line["search_cpu_s"] = Math.Round((Environment.CpuUsage.TotalTime - used).TotalSeconds, 2);
        line["planted"] = planted;
        line["found"] = found;
        line["wrong"] = wrong;
    }

    // Pages as the web has them: sentences over a vocabulary with Zipf's frequencies and function words, some quotes, spaces and broken letters, a line of the site.
    private static List<string> Texts(int count)
    {
        var random = new Random(5);
        string[] small = ["the", "of", "and", "to", "in", "is", "that", "it", "was", "for", "on", "are", "as", "with", "at", "be", "this", "from", "or", "by"];
        const string consonants = "bcdfglmnprstv", vowels = "aeiou";
        var vocabulary = Enumerable.Range(0, Words).Select(_ => string.Concat(Enumerable.Range(0, random.Next(2, 5)).Select(_ => $"{consonants[random.Next(consonants.Length)]}{vowels[random.Next(vowels.Length)]}"))).ToArray();
        return [.. Enumerable.Range(0, count).Select(_ => Text())];

        string Text()
        {
            var text = new StringBuilder();
            for (var line = 0; line < Lines; line++)
            {
                if (line == 7) text.Append("We use cookies to make this site work. ");
                if (line == 11) text.Append("Write to someone").Append(random.Next(1000)).Append("@site.example, or call +49 30 1234").Append(random.Next(1000, 9999)).Append(". ");
                if (line == 17) text.Append("“A cafÃ© with a view”, 12\u00a0× 40\u00a0cm, 15.01.2024. ");
                for (var word = 0; word < 24; word++)
                    text.Append(word == 0 ? "" : word % 11 == 0 ? ", " : " ").Append(random.Next(5) < 2 ? small[random.Next(small.Length)] : vocabulary[(int)(Words * Math.Pow(random.NextDouble(), 3))]);
                text.Append(line % 9 == 4 ? "\n" : ".\n");
            }
            return text.ToString();
        }
    }
}
