using System.Text.Json;
using LoraFactory.Images;
using LoraFactory.Stages.Clean;

namespace LoraFactory.Cli.Engine.Conformance;

/// <summary>
/// Near-duplicate pictures by clean's own search (hashes, thumbnails, the best of a group kept), in both forms that the corpus has: one photograph with its variants and an unreadable file
/// (mixed_images), and groups of photographs of which the near members belong together (files).
/// </summary>
internal sealed class ImageDupsTopic : IConformanceTopic
{
    private const string Expected = "expected.json", Mixed = "mixed_images", Grouped = "files";
    private const int Near = 10; // bits of 64, as the corpus has it

    /// <inheritdoc/>
    public string Name => "imagedups";

    /// <inheritdoc/>
    public IReadOnlyList<string> Marks => [Mixed + "/", Grouped + "/"];

    /// <inheritdoc/>
    public Task JudgeAsync(ConformanceFolder folder, CancellationToken token)
    {
        if (!folder.Has(Expected)) return Task.CompletedTask;
        using var expected = JsonDocument.Parse(File.ReadAllText(folder.File(Expected)));
        if (Directory.Exists(folder.File(Mixed))) JudgeMixed(folder.Of(Mixed), expected.RootElement, Measured(folder.File(Mixed), token));
        if (Directory.Exists(folder.File(Grouped))) JudgeGroups(folder.Of(Grouped), expected.RootElement, Measured(folder.File(Grouped), token));
        return Task.CompletedTask;
    }

    // Null for what cannot be read, which is reported and stops nothing.
    private static SortedDictionary<string, MeasuredPicture?> Measured(string folder, CancellationToken token)
    {
        var measured = new SortedDictionary<string, MeasuredPicture?>(StringComparer.Ordinal);
        foreach (var file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Where(f => Path.GetExtension(f) is not (".json" or ".jsonl" or ".md" or ".txt")))
        {
            token.ThrowIfCancellationRequested();
            try
            {
                measured[Path.GetFileName(file)] = MeasuredPicture.Of(PictureMeasures.Of(PictureDecoder.Decode(File.ReadAllBytes(file), PictureFit.Within(PictureMeasures.Side))), 1);
            }
            catch (PictureException)
            {
                measured[Path.GetFileName(file)] = null;
            }
        }
        return measured;
    }

    private static void JudgeMixed(ConformanceTally tally, JsonElement expected, SortedDictionary<string, MeasuredPicture?> measured)
    {
        var corrupt = expected.GetProperty("corrupt").EnumerateArray().Select(c => c.GetString()!).ToHashSet(StringComparer.Ordinal);
        foreach (var name in corrupt) tally.Require(measured.TryGetValue(name, out var picture) && picture is null, () => $"{name} was read, expected to be reported as unreadable");
        var readable = measured.Where(h => h.Value is not null).ToDictionary(h => h.Key, h => h.Value!, StringComparer.Ordinal);
        var sets = Sets(measured);
        tally.Require(readable.Count == expected.GetProperty("readable").GetInt32(), () => $"{readable.Count} readable, expected {expected.GetProperty("readable")}");
        foreach (var twins in expected.GetProperty("duplicates_phash_distance_10").EnumerateObject())
        {
            if (!readable.ContainsKey(twins.Name)) continue;
            var mine = readable.Where(o => o.Key != twins.Name && sets[o.Key] == sets[twins.Name]).Select(o => o.Key).Order(StringComparer.Ordinal);
            var theirs = twins.Value.EnumerateArray().Select(t => t.GetString()!).Where(readable.ContainsKey).Order(StringComparer.Ordinal);
            tally.Require(mine.SequenceEqual(theirs), () => $"{twins.Name}: near {string.Join(", ", mine)}, expected {string.Join(", ", theirs)}");
        }
        if (!expected.TryGetProperty("phash", out var digits)) return;
        // only reported: exact digits depend on the resampling and on the layout of the bits
        foreach (var digit in digits.EnumerateObject())
            if (readable.TryGetValue(digit.Name, out var hash) && digit.Value.GetString() is { } other && other.Length == hash.Hash.Length)
                tally.Measure($"bits from their phash of {digit.Name}", PerceptualHash.Distance(hash.Hash, other));
    }

    private static void JudgeGroups(ConformanceTally tally, JsonElement expected, SortedDictionary<string, MeasuredPicture?> hashes)
    {
        if (!expected.TryGetProperty("groups", out var list)) list = expected;
        var groups = new List<(string Name, List<string> Members, HashSet<string> All)>();
        foreach (var (name, element) in Children(list))
        {
            var (members, all) = (new List<string>(), new HashSet<string>(StringComparer.Ordinal));
            Collect(element, name, false, hashes, members, all);
            if (all.Count > 0) groups.Add((name, members, all));
        }
        tally.Require(groups.Count > 0 && groups.All(g => g.Members.Count > 1), () => $"{Expected} names {groups.Count} groups of files, {groups.Count(g => g.Members.Count > 1)} with an original and near ones: its form is not known here");
        var sets = Sets(hashes);
        foreach (var (name, members, _) in groups)
        {
            var unread = members.Where(m => hashes[m] is null).ToList();
            tally.Require(unread.Count == 0, () => $"{name}: {string.Join(", ", unread)} could not be read");
            if (members.Count == 0 || hashes[members[0]] is null) continue;
            foreach (var member in members.Where(m => hashes[m] is not null))
                tally.Require(sets[member] == sets[members[0]], () => $"{name}: {member} is {PerceptualHash.Distance(hashes[member]!.Hash, hashes[members[0]]!.Hash)} bits from {members[0]} and in another set");
        }
        var joined = groups.SelectMany(g => g.All.Where(sets.ContainsKey).Select(f => (Set: sets[f], g.Name))).GroupBy(p => p.Set).Where(s => s.Select(p => p.Name).Distinct().Count() > 1).ToList();
        tally.Require(joined.Count == 0, () => $"joined: {string.Join("; ", joined.Select(s => string.Join(" with ", s.Select(p => p.Name).Distinct())))}");
    }

    private static IEnumerable<(string Name, JsonElement Value)> Children(JsonElement list) => list.ValueKind switch
    {
        JsonValueKind.Object => list.EnumerateObject().Select(p => (p.Name, p.Value)),
        JsonValueKind.Array => list.EnumerateArray().Select((e, i) => ($"group {i}", e)),
        _ => [],
    };

    // A group names its files under their roles, or the role beside each file, or as each file's value; "original" and "near" are its members.
    private static void Collect(JsonElement element, string role, bool member, SortedDictionary<string, MeasuredPicture?> hashes, List<string> members, HashSet<string> all)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                var beside = element.EnumerateObject().Any(p => IsRole(p.Value.ValueKind == JsonValueKind.String ? p.Value.GetString()! : p.Value.ValueKind == JsonValueKind.True ? p.Name : ""));
                foreach (var property in element.EnumerateObject())
                {
                    if (hashes.ContainsKey(property.Name))
                    {
                        Take(property.Name, property.Value.ValueKind == JsonValueKind.String && IsRole(property.Value.GetString()!));
                        continue;
                    }
                    Collect(property.Value, property.Name, IsRole(property.Name) || (beside && property.Value.ValueKind == JsonValueKind.String), hashes, members, all);
                }
                break;
            case JsonValueKind.Array:
                foreach (var item in element.EnumerateArray()) Collect(item, role, member || IsRole(role), hashes, members, all);
                break;
            case JsonValueKind.String when hashes.ContainsKey(Path.GetFileName(element.GetString()!)):
                Take(Path.GetFileName(element.GetString()!), member);
                break;
        }

        void Take(string file, bool belongs)
        {
            all.Add(file);
            if (belongs && !members.Contains(file)) members.Add(file);
        }
    }

    private static bool IsRole(string name) => name is "original" or "near";

    // Each picture's group: the number of the one that clean keeps for it.
    private static Dictionary<string, int> Sets(SortedDictionary<string, MeasuredPicture?> hashes)
    {
        Candidate[] candidates = [.. hashes.Where(h => h.Value is not null).Select((h, i) => new Candidate { PageId = "", PageUrl = "", PictureUrl = h.Key, BlobHash = h.Key, Depth = 0, Index = i, Measured = h.Value })];
        var set = candidates.ToDictionary(c => c.PictureUrl, c => c.Index, StringComparer.Ordinal);
        foreach (var copy in NearDuplicates.Copies(candidates, Near)) set[copy.Dropped.PictureUrl] = copy.Kept.Index;
        return set;
    }
}
