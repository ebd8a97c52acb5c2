using LoraFactory.Flow;

namespace LoraFactory.Stages.Deploy;

/// <summary>One version of an adapter in the store.</summary>
public sealed record StoredAdapter
{
    /// <summary>Name used in prompts.</summary>
    public required string Name { get; init; }
    /// <summary>From 1, never reused.</summary>
    public required int Version { get; init; }
    /// <summary>"champion", "candidate", "retired" or "refused".</summary>
    public required string State { get; init; }
    /// <summary>SHA-256 of adapter.safetensors.</summary>
    public required string Sha256 { get; init; }
    /// <summary>Id of the <see cref="Adapter"/>.</summary>
    public required string AdapterId { get; init; }
    /// <summary>Id of the <see cref="Report"/>.</summary>
    public required string ReportId { get; init; }
    /// <summary>Base model as the recipe calls it.</summary>
    public required string Base { get; init; }
    /// <summary>Run directory that it came from.</summary>
    public required string Run { get; init; }
    /// <summary>Why it has its state, one sentence.</summary>
    public required string Why { get; init; }
    /// <summary>When it was stored.</summary>
    public required DateTimeOffset StoredAt { get; init; }
}

/// <summary>
/// Versions of adapters with one champion a name: STORE/NAME/vN/ holds the bundle, STORE/NAME/versions.json the states. Every change is one
/// atomic write, so that a reader sees the store before or after it.
/// </summary>
public sealed class AdapterStore(string folder)
{
    /// <summary>Absolute path.</summary>
    public string Folder { get; } = Path.GetFullPath(folder);

    /// <summary>Names in the store.</summary>
    public IReadOnlyList<string> Names => !Directory.Exists(Folder) ? []
        : [.. Directory.EnumerateDirectories(Folder).Where(d => File.Exists(Path.Combine(d, "versions.json"))).Select(d => Path.GetFileName(d)).Order(StringComparer.Ordinal)];

    /// <summary>Versions of a name, oldest first; empty when there is none.</summary>
    public IReadOnlyList<StoredAdapter> Versions(string name)
    {
        var file = Path.Combine(Folder, Checked(name), "versions.json");
        return File.Exists(file) ? RunDirectory.ReadJson<List<StoredAdapter>>(file) : [];
    }

    /// <summary>The champion of a name, null when there is none.</summary>
    public StoredAdapter? Champion(string name) => Versions(name).LastOrDefault(v => v.State == "champion");

    /// <summary>Folder of a version's bundle.</summary>
    public string Bundle(StoredAdapter version) => Path.Combine(Folder, Checked(version.Name), $"v{version.Version}");

    /// <summary>
    /// Takes in a bundle that was made aside, as the next version. The same adapter bytes are not stored twice: the version that is there
    /// is returned with its new state. A new champion retires the one before.
    /// </summary>
    public StoredAdapter Add(StoredAdapter adapter, string bundle)
    {
        using var held = Lock(adapter.Name);
        var versions = Versions(adapter.Name).ToList();
        var known = versions.FindIndex(v => v.Sha256 == adapter.Sha256);
        var stored = adapter with { Version = known >= 0 ? versions[known].Version : versions.Count == 0 ? 1 : versions.Max(v => v.Version) + 1 };
        var target = Bundle(stored);
        if (Directory.Exists(target)) Directory.Delete(target, recursive: true);
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        Directory.Move(bundle, target);
        if (stored.State == "champion") Retire(versions);
        if (known >= 0) versions[known] = stored;
        else versions.Add(stored);
        Write(adapter.Name, versions);
        return stored;
    }

    /// <summary>Makes an earlier version champion again: the one named, or the last retired one.</summary>
    public StoredAdapter Rollback(string name, int? version, string why)
    {
        using var held = Lock(name);
        var versions = Versions(name).ToList();
        var at = version is { } v ? versions.FindIndex(x => x.Version == v) : versions.FindLastIndex(x => x.State == "retired");
        if (at < 0) throw new LoraException(version is null ? $"{name} has no earlier champion to go back to." : $"{name} has no version {version}; it has {string.Join(", ", versions.Select(x => x.Version))}.", ExitCode.BadUsage);
        if (versions[at].State == "refused") throw new LoraException($"{name} version {versions[at].Version} was refused ({versions[at].Why}) and cannot become champion.", ExitCode.Refused);
        Retire(versions);
        versions[at] = versions[at] with { State = "champion", Why = why };
        Write(name, versions);
        return versions[at];
    }

    private static void Retire(List<StoredAdapter> versions)
    {
        for (var i = 0; i < versions.Count; i++)
            if (versions[i].State == "champion") versions[i] = versions[i] with { State = "retired", Why = "a later version took over" };
    }

    private void Write(string name, List<StoredAdapter> versions) => RunDirectory.WriteJson(Path.Combine(Folder, Checked(name), "versions.json"), versions);

    private FileStream Lock(string name)
    {
        var directory = Path.Combine(Folder, Checked(name));
        Directory.CreateDirectory(directory);
        try
        {
            return new FileStream(Path.Combine(directory, ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e)
        {
            throw new LoraException($"Another process is changing {name} in {Folder}; try again when it is done.", inner: e);
        }
    }

    // A name becomes a folder: nothing that could leave the store.
    private static string Checked(string name) =>
        name.Length is > 0 and <= 64 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.') && name[0] != '.' ? name
        : throw new LoraException($"\"{name}\" cannot name an adapter; use 1 to 64 letters, digits, '-', '_' or '.', not beginning with '.'.", ExitCode.BadUsage);
}
