using System.Text.Json;
using System.Text.RegularExpressions;
using LoraFactory.Flow;

namespace LoraFactory.Cli.Demo;

/// <summary>What the demo changes in its recipe for the web that it plays: the hosts, and for another topic its trigger and prompts.</summary>
internal static partial class DemoPlan
{
    private const int MaxPrompts = 12;

    /// <summary>Overrides as key=value.</summary>
    /// <param name="web">The web that is played.</param>
    /// <param name="site">Its folder.</param>
    /// <param name="ownSite">Whether it is not the demo's own web.</param>
    /// <param name="topic">Another topic, or null.</param>
    public static IReadOnlyList<string> Overrides(DemoWeb web, string site, bool ownSite, string? topic)
    {
        var sets = new List<string> { List("crawl.resolve", web.Resolve), List("crawl.allow_private_hosts", web.Hosts) };
        if (ownSite) sets.Add(List("seed.urls", web.Hosts.Where(h => File.Exists(Path.Combine(site, h, "index.html"))).Select(h => $"http://{h}/")));
        if (!ownSite && topic is null) return sets;
        var prompts = Prompts(Path.Combine(site, "world.json"));
        if (ownSite && prompts.Count > 0) sets.Add(List("evaluate.prompts", prompts.Take(MaxPrompts)));
        if (topic is null) return sets;
        sets.Add($"name={RunName(topic)}");
        sets.Add($"seed.topic={topic}");
        sets.Add($"label.trigger={Trigger(topic, prompts)}");
        return sets;
    }

    /// <summary>A directory's name made of the topic's words.</summary>
    public static string RunName(string topic)
    {
        var slug = NotPlain().Replace(topic.ToLowerInvariant(), "-").Trim('-');
        return slug.Length == 0 ? $"demo-{ContentId.Of(topic)[..8]}" : $"demo-{slug[..Math.Min(slug.Length, 50)].TrimEnd('-')}";
    }

    /// <summary>The phrase that calls the style: the longest run of the topic's words that most prompts hold, else the topic in the singular.</summary>
    public static string Trigger(string topic, IReadOnlyList<string> prompts)
    {
        var words = topic.ToLowerInvariant().Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var singular = words.Select(w => w.Length > 3 && w.EndsWith('s') && !w.EndsWith("ss", StringComparison.Ordinal) ? w[..^1] : w).ToArray();
        for (var length = words.Length; length > 0; length--)
        {
            for (var start = 0; start + length <= words.Length; start++)
            {
                foreach (var from in new[] { singular, words })
                {
                    var phrase = string.Join(' ', from[start..(start + length)]);
                    if (prompts.Count > 0 && 2 * prompts.Count(p => p.Contains(phrase, StringComparison.OrdinalIgnoreCase)) > prompts.Count) return phrase;
                }
            }
        }
        return string.Join(' ', singular);
    }

    private static IReadOnlyList<string> Prompts(string path)
    {
        if (!File.Exists(path)) return [];
        try
        {
            using var world = JsonDocument.Parse(File.ReadAllBytes(path));
            return world.RootElement.TryGetProperty("prompts", out var prompts) ? [.. prompts.EnumerateArray().Select(p => p.GetString()!)] : [];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new LoraException($"{path} is not a demo web's world.json: {e.Message}", inner: e);
        }
    }

    private static string List(string key, IEnumerable<string> items) => $"{key}=[{string.Join(", ", items.Select(i => JsonSerializer.Serialize(i, RunDirectory.Json)))}]";

    [GeneratedRegex("[^a-z0-9]+", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex NotPlain();
}
