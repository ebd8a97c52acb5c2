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
    /// <summary>Version whose ratings called for this one; null for a first one.</summary>
    public int? Parent { get; init; }
    /// <summary>Version that was champion when this one became it, which a rollback goes back to; null where there was none, or where it was stored before this was kept.</summary>
    public int? Replaced { get; init; }
    /// <summary>True when a person put it into service in spite of its gates.</summary>
    public bool Forced { get; init; }
    /// <summary>True when a person put another version into its place: then deploying the same bytes again does not make it champion.</summary>
    public bool Withdrawn { get; init; }
    /// <summary>Id of the decision that called for it, null where there was none.</summary>
    public string? Decision { get; init; }
    /// <summary>Run directory that it came from, absolute; in versions.json as <see cref="KeptPath"/> has it.</summary>
    public required string Run { get; init; }
    /// <summary>Why it has its state, one sentence.</summary>
    public required string Why { get; init; }
    /// <summary>When it was stored.</summary>
    public required DateTimeOffset StoredAt { get; init; }
}

/// <summary>
/// Versions of adapters with one champion a name: STORE/NAME/vN/ holds the bundle, STORE/NAME/versions.json the states. Every change is one
/// atomic write, so that a reader sees the store before or after it; what a killed change left behind is swept away by the next.
/// </summary>
public sealed class AdapterStore(string folder)
{
    private const string Outgoing = ".outgoing";
    private const string ByHand = "promoted by hand; as a candidate: ";
    private const string ByPerson = "a person put another version into its place";
    private const string GatesMissed = "gates not held";

    /// <summary>Absolute path.</summary>
    public string Folder { get; } = Path.GetFullPath(folder);

    /// <summary>What a command line needs for this store, " --store FOLDER"; empty for the usual one.</summary>
    public string Option => Folder == Path.GetFullPath(DeployOptions.StoreAmong(RunDirectory.Usual)) ? "" : $" --store {UserPath.Quoted(Folder)}";

    /// <summary>Why nothing can be stored here, null where it can; tried in the nearest folder that is there, with a file that goes at once.</summary>
    public string? WriteFault()
    {
        var near = Folder;
        while (!Path.Exists(near) && Path.GetDirectoryName(near) is { } above) near = above;
        if (!Directory.Exists(near)) return $"{near} is a file, so {Folder} cannot hold a version store. Name another folder.";
        try
        {
            using var probe = new FileStream(Path.Combine(near, $".lora-{Guid.NewGuid():N}.tmp"), FileMode.CreateNew, FileAccess.Write, FileShare.None, 1, FileOptions.DeleteOnClose);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"{near} cannot be written to ({e.Message.TrimEnd('.')}). Name another folder, or change its permissions.";
        }
    }

    /// <summary>Names in the store.</summary>
    public IReadOnlyList<string> Names => !Directory.Exists(Folder) ? []
        : [.. Directory.EnumerateDirectories(Folder).Where(d => File.Exists(Path.Combine(d, "versions.json"))).Select(d => Path.GetFileName(d)).Where(IsName).Order(StringComparer.Ordinal)];

    /// <summary>Versions of a name, oldest first; empty when there is none.</summary>
    public IReadOnlyList<StoredAdapter> Versions(string name)
    {
        var file = FileOf(name);
        return File.Exists(file) ? RunDirectory.ReadJson<List<StoredAdapter>>(file).ConvertAll(v => v with { Run = KeptPath.Read(v.Run, PlaceOf(name)) }) : [];
    }

    /// <summary>The champion of a name, null when there is none.</summary>
    public StoredAdapter? Champion(string name) => Versions(name).LastOrDefault(v => v.State == "champion");

    /// <summary>The store that an endpoint's bundle lies in, as STORE/NAME/vN.</summary>
    public static AdapterStore Of(Endpoint endpoint) => new(Path.Combine(endpoint.Bundle, "..", ".."));

    /// <summary>What became of an endpoint since it was deployed: lora adapters may have changed its state.</summary>
    public string StateOf(Endpoint endpoint) => Versions(endpoint.AdapterName).FirstOrDefault(v => v.Version == endpoint.Version)?.State ?? endpoint.State;

    /// <summary>Folder of a version's bundle.</summary>
    public string Bundle(StoredAdapter version)
    {
        var place = PlaceOf(version);
        // killed between the two renames of Place: the bundle that was there is whole
        return !Directory.Exists(place) && Directory.Exists(place + Outgoing) ? place + Outgoing : place;
    }

    private string PlaceOf(StoredAdapter version) => Path.Combine(PlaceOf(version.Name), $"v{version.Version}");

    /// <summary>
    /// Takes in a copy of a bundle as the next version; the bundle may lie on another disk. The same adapter bytes are not stored twice: the
    /// version that is there gets the bundle and the state, except that what a person decided stands: missed gates make no candidate again of a
    /// forced promotion, and a version that a person went back from does not go live again. A new champion retires the one before.
    /// </summary>
    public StoredAdapter Add(StoredAdapter adapter, string bundle)
    {
        using var held = Lock(adapter.Name);
        var versions = Versions(adapter.Name).ToList();
        var known = versions.FindIndex(v => v.Sha256 == adapter.Sha256);
        var stored = adapter with { Version = known >= 0 ? versions[known].Version : versions.Count == 0 ? 1 : versions.Max(v => v.Version) + 1 };
        Place(bundle, PlaceOf(stored));
        stored = stored with { Replaced = known >= 0 ? versions[known].Replaced : null, Withdrawn = known >= 0 && versions[known].Withdrawn };
        if (known >= 0) stored = Standing(versions[known], stored);
        if (stored.State == "champion") stored = Succeed(versions, stored, back: false, "another version took over");
        else if (known >= 0) versions[known] = stored;
        else versions.Add(stored);
        Write(adapter.Name, versions);
        return stored;
    }

    // What misses its gates is what was promoted in spite of them; without a certificate nothing goes live. Went back from or taken over, it stays so.
    private static StoredAdapter Standing(StoredAdapter before, StoredAdapter again)
    {
        if (before.Withdrawn && again.State == "champion") return again with { Forced = before.Forced, State = "retired", Why = ByPerson + ", and deploying the same bytes again does not undo that" };
        if (!IsForced(before) || again.State == "refused") return again;
        if (again.State != "candidate") return again with { Forced = true };
        return again with { Forced = true, State = before.State, Why = before.State == "champion" ? ByHand + again.Why : before.Why };
    }

    // Promoted before the fact was kept beside the sentence.
    private static bool IsForced(StoredAdapter version) => version.Forced || version.State == "champion" && version.Why.StartsWith(ByHand, StringComparison.Ordinal);

    /// <summary>
    /// Makes a former champion champion again: the one named, or the one that the champion replaced, so that going back twice goes back two. One
    /// that was forced into service and replaced none is a candidate again, and there is no champion: the only change after which what comes back is none.
    /// </summary>
    public StoredAdapter Rollback(string name, int? version, string why) => Crown(name, back: true, versions =>
    {
        var line = Line(versions);
        if (version is null && line is [{ State: "champion" } first] && Missed(first)) return first with { State = "candidate", Forced = false, Why = WhyCandidate(first) };
        var former = version is { } v ? Named(name, versions, v) : line.Find(x => x.State == "retired")
            ?? throw new LoraException($"{name} has no earlier champion to go back to.", ExitCode.BadUsage);
        return former.State switch
        {
            "retired" => former with { Why = Kept(former, why) },
            "candidate" => throw new LoraException($"{name} version {former.Version} is a candidate and was never champion; lora adapters promote {name} --version {former.Version}{Option} --force puts it into service.", ExitCode.BadUsage),
            _ => throw Neither(former),
        };
    });

    /// <summary>Makes a candidate champion. Its gates do not all hold, so that has to be said with <paramref name="force"/>; without a certificate nothing goes live.</summary>
    public StoredAdapter Promote(string name, int version, bool force) => Crown(name, back: false, versions =>
    {
        var candidate = Named(name, versions, version);
        if (candidate.State == "retired") throw new LoraException($"{name} version {version} was champion before; lora adapters rollback {name} --version {version}{Option} brings it back.", ExitCode.BadUsage);
        if (candidate.State != "candidate") throw Neither(candidate);
        Certificate.Require(Bundle(candidate));
        if (!force) throw new LoraException($"{name} version {version} is a candidate because its gates do not all hold ({candidate.Why.TrimEnd('.')}); --force puts it into service all the same.", ExitCode.Refused);
        return candidate with { Forced = true, Why = ByHand + candidate.Why };
    });

    private StoredAdapter Crown(string name, bool back, Func<List<StoredAdapter>, StoredAdapter> choose)
    {
        if (Versions(name).Count == 0) throw new LoraException($"{Folder} has no adapter {name}; it has {(Names.Count == 0 ? "none yet" : string.Join(", ", Names))}.", ExitCode.BadUsage);
        using var held = Lock(name);
        var versions = Versions(name).ToList();
        var chosen = choose(versions);
        if (back && chosen.State == "candidate")
        {
            versions[versions.FindIndex(v => v.Version == chosen.Version)] = chosen;
            Write(name, versions);
            return chosen;
        }
        chosen = chosen with { State = "champion", Withdrawn = false };
        for (var i = 0; i < versions.Count; i++)
            if (versions[i].State == "champion") versions[i] = versions[i] with { Withdrawn = true };
        chosen = Succeed(versions, chosen, back, ByPerson);
        Write(name, versions);
        return chosen;
    }

    private static StoredAdapter Named(string name, List<StoredAdapter> versions, int version) =>
        versions.Find(x => x.Version == version) ?? throw new LoraException($"{name} has no version {version}; it has {string.Join(", ", versions.Select(x => x.Version))}.", ExitCode.BadUsage);

    private static LoraException Neither(StoredAdapter version) => version.State == "refused"
        ? new($"{version.Name} version {version.Version} was refused ({version.Why}) and cannot become champion.", ExitCode.Refused)
        : new($"{version.Name} version {version.Version} is {version.State} already.", ExitCode.BadUsage);

    // The champion, the version that it replaced, and so on; without a champion from the last that was one.
    private static List<StoredAdapter> Line(List<StoredAdapter> versions)
    {
        var line = new List<StoredAdapter>();
        for (var at = versions.FindLast(v => v.State == "champion") ?? versions.FindLast(v => v.State == "retired"); at is not null && !line.Contains(at); at = Before(versions, at)) line.Add(at);
        return line;
    }

    // Stored before Replaced was kept: the last former champion before it, unless that one is known to have come from elsewhere.
    private static StoredAdapter? Before(List<StoredAdapter> versions, StoredAdapter version) => version.Replaced is { } replaced
        ? versions.Find(v => v.Version == replaced)
        : versions.FindLast(v => v.State == "retired" && v.Version < version.Version && v.Replaced is null);

    // Going back along the line leaves it as it is; any other way a version comes to its front, and those beside its old place close up.
    private static StoredAdapter Succeed(List<StoredAdapter> versions, StoredAdapter chosen, bool back, string why)
    {
        var line = Line(versions);
        var at = line.FindIndex(v => v.Version == chosen.Version);
        if (at < 0 || at > 0 && !back) chosen = chosen with { Replaced = line.Count > 0 ? line[0].Version : null };
        if (at > 0 && !back) versions[versions.IndexOf(line[at - 1])] = line[at - 1] with { Replaced = at + 1 < line.Count ? line[at + 1].Version : null };
        Retire(versions, why);
        var place = versions.FindIndex(v => v.Version == chosen.Version);
        if (place >= 0) versions[place] = chosen;
        else versions.Add(chosen);
        return chosen;
    }

    private static void Retire(List<StoredAdapter> versions, string why)
    {
        for (var i = 0; i < versions.Count; i++)
            if (versions[i].State == "champion") versions[i] = versions[i] with { State = "retired", Why = Kept(versions[i], why) };
    }

    // What went live in spite of its gates is known by its sentence, whatever becomes of it later.
    private static bool Missed(StoredAdapter version) => version.Why.StartsWith(ByHand, StringComparison.Ordinal) || version.Why.StartsWith(GatesMissed, StringComparison.Ordinal);

    private static string Kept(StoredAdapter before, string why) => Missed(before) ? $"{GatesMissed}; {why}" : why;

    private static string WhyCandidate(StoredAdapter forced) => forced.Why.StartsWith(ByHand, StringComparison.Ordinal) ? forced.Why[ByHand.Length..] : GatesMissed;

    // Copied aside and renamed; the bundle that was there goes only when the new one stands.
    private static void Place(string bundle, string target)
    {
        var (incoming, outgoing) = (target + ".incoming", target + Outgoing);
        if (!Directory.Exists(target) && Directory.Exists(outgoing)) Directory.Move(outgoing, target); // kept until the new one stands
        foreach (var left in new[] { incoming, outgoing })
            if (Directory.Exists(left)) Directory.Delete(left, recursive: true);
        Directory.CreateDirectory(incoming);
        try
        {
            foreach (var item in Directory.EnumerateFiles(bundle)) File.Copy(item, Path.Combine(incoming, Path.GetFileName(item)));
        }
        catch
        {
            Directory.Delete(incoming, recursive: true); // a full disk is not left fuller
            throw;
        }
        if (Directory.Exists(target)) Directory.Move(target, outgoing);
        Directory.Move(incoming, target);
        if (Directory.Exists(outgoing)) Directory.Delete(outgoing, recursive: true);
    }

    private void Write(string name, List<StoredAdapter> versions) =>
        RunDirectory.WriteJson(FileOf(name), versions.ConvertAll(v => v with { Run = KeptPath.Of(v.Run, PlaceOf(name), v.Run) }));

    private string PlaceOf(string name) => Path.Combine(Folder, Checked(name));

    private string FileOf(string name) => Path.Combine(PlaceOf(name), "versions.json");

    private FileStream Lock(string name)
    {
        var directory = PlaceOf(name);
        try
        {
            Directory.CreateDirectory(directory);
            var held = new FileStream(Path.Combine(directory, ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            foreach (var left in Directory.EnumerateFiles(directory, ".versions.json.*.tmp")) File.Delete(left); // a killed Write's: nobody else writes now
            return held;
        }
        catch (Exception e) when (DiskFault.Of(e) is { } fault)
        {
            throw new LoraException($"{Folder} cannot be written: {fault}. Choose another store with --store or deploy.store.", inner: e);
        }
        catch (IOException e)
        {
            throw new LoraException($"Another process is changing {name} in {Folder}; try again when it is done.", inner: e);
        }
    }

    // A name becomes a folder: nothing that could leave the store.
    private static bool IsName(string name) => name.Length is > 0 and <= 64 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.') && name[0] != '.';

    private static string Checked(string name) => IsName(name) ? name
        : throw new LoraException($"\"{name}\" cannot name an adapter; use 1 to 64 letters, digits, '-', '_' or '.', not beginning with '.'.", ExitCode.BadUsage);
}
