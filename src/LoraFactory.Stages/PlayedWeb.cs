using LoraFactory.Flow;

namespace LoraFactory.Stages;

/// <summary>The demo's web: its hosts lie under .test, which no name server knows (RFC 6761), so it is there only while lora demo plays it.</summary>
public static class PlayedWeb
{
    /// <summary>A host of the web where it is all that a recipe's crawl begins with and nothing says where it lies; null where a run can begin.</summary>
    public static string? HostOf(Recipe recipe)
    {
        if (recipe.Label.Source == "folder") return null;
        var hosts = recipe.Seed.Urls.Select(u => Uri.TryCreate(u, UriKind.Absolute, out var url) ? url.Host : "").ToList();
        bool Played(string host) => host.EndsWith(".test", StringComparison.OrdinalIgnoreCase) && !recipe.Crawl.Resolve.Any(r => r.StartsWith(host + "=", StringComparison.OrdinalIgnoreCase));
        return hosts.Count > 0 && hosts.TrueForAll(Played) ? hosts[0] : null;
    }

    /// <summary>What to say of it, with the command to use; null where a run can begin.</summary>
    public static string? Fault(Recipe recipe, string command) => HostOf(recipe) is { } host
        ? $"a web that is there only while the demo plays it ({host} is a name that no server knows): use {command}, or say in crawl.resolve where it is."
        : null;
}
