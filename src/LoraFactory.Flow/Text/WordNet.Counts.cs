using System.Globalization;

namespace LoraFactory.Flow;

/// <summary>How often each meaning of a word occurs: the counts of the semantic concordance, cntlist(5WN).</summary>
public sealed partial class WordNet
{
    // by part and lemma: uses of each meaning, in the order of Senses
    private Lazy<Dictionary<(char Part, string Lemma), List<int>>> counts = new(() => []);

    /// <summary>How often each of its meanings was found in the concordance, in the order of <see cref="Senses"/>; shorter where the last ones never were, empty where none was.</summary>
    public IReadOnlyList<int> Uses(char part, string lemma) => counts.Value.TryGetValue((part, lemma.Replace(' ', '_')), out var found) ? found : [];

    // sense_key sense_number tag_cnt, where sense_key is lemma%ss_type:lex_filenum:lex_id:head_word:head_id
    private static Dictionary<(char, string), List<int>> ReadCounts(string path)
    {
        var read = new Dictionary<(char, string), List<int>>();
        foreach (var line in File.Exists(path) ? File.ReadLines(path) : [])
        {
            var percent = line.LastIndexOf('%');
            if (percent <= 0 || percent + 1 >= line.Length || line[percent + 1] is < '1' or > '5' || line.Split(' ') is not [_, var number, var times]) continue;
            if (!int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var sense) || !int.TryParse(times, NumberStyles.None, CultureInfo.InvariantCulture, out var count) || sense is < 1 or > 1000) continue;
            var key = ("nvara"[line[percent + 1] - '1'], line[..percent]); // 5 is an adjective near another one
            if (!read.TryGetValue(key, out var senses)) read[key] = senses = [];
            while (senses.Count < sense) senses.Add(0);
            senses[sense - 1] = count;
        }
        return read;
    }
}
