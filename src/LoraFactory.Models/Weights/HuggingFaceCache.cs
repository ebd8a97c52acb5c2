namespace LoraFactory.Models.Weights;

/// <summary>Models that other tools have downloaded: hub/models--org--name/snapshots/(revision). Nothing is downloaded here.</summary>
/// <param name="Folders">Cache folders in the order in which they are searched.</param>
public sealed record HuggingFaceCache(IReadOnlyList<string> Folders)
{
    /// <summary>The folders that the environment names: HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME/hub, XDG_CACHE_HOME or ~/.cache, then huggingface/hub.</summary>
    public static HuggingFaceCache FromEnvironment()
    {
        static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
        var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        var general = Variable("XDG_CACHE_HOME") ?? Path.Combine(home, ".cache");
        var huggingFace = Variable("HF_HOME");
        return new([.. new[] { Variable("HF_HUB_CACHE"), Variable("HUGGINGFACE_HUB_CACHE"), huggingFace is null ? null : Path.Combine(huggingFace, "hub"), Path.Combine(general, "huggingface", "hub") }
            .OfType<string>().Distinct(StringComparer.Ordinal)]);
    }

    /// <summary>Whether a text can be a model's name on the hub: "name" or "organisation/name" of letters, digits, '.', '_' and '-'.</summary>
    public static bool IsModelName(string text)
    {
        var parts = text.Split('/');
        return parts.Length <= 2 && parts.All(part => part.Length is > 0 and <= 96 && part is not "." and not ".." && !part.Contains("--", StringComparison.Ordinal)
            && part.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-'));
    }

    /// <summary>
    /// Folder of a model's snapshot; null when no cache folder has it. A revision is a branch or tag that refs knows, or a commit.
    /// </summary>
    public string? Find(string name, string revision = "main")
    {
        if (!IsModelName(name) || revision.Split('/').Any(part => part is "" or "." or "..")) return null;
        foreach (var folder in Folders)
        {
            var model = Path.Combine(folder, "models--" + name.Replace("/", "--", StringComparison.Ordinal));
            var reference = Path.Combine(model, "refs", revision);
            var commit = File.Exists(reference) && new FileInfo(reference).Length <= 128 ? File.ReadAllText(reference).Trim() : revision;
            if (commit.Length == 0 || commit.Contains('/', StringComparison.Ordinal) || commit is "." or "..") continue;
            var snapshot = Path.Combine(model, "snapshots", commit);
            if (Directory.Exists(snapshot)) return snapshot;
        }
        return null;
    }
}
