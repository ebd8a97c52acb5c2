using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using LoraFactory.Flow;

namespace LoraFactory.Stages;

/// <summary>Hashes what a stage depends on. A file that has kept size and time since it was last hashed for this run is not read again.</summary>
internal sealed class StageInputs
{
    private const string Absent = "absent";
    private readonly string memoryPath;
    private readonly string root;
    private readonly Dictionary<string, Known> known;
    private bool changed;

    /// <summary>Size in bytes, time of last change in ticks, SHA-256.</summary>
    private sealed record Known(long Size, long Changed, string Sha256);

    public StageInputs(RunDirectory run)
    {
        root = run.Path;
        memoryPath = Path.Combine(run.Path, ".hashes.json");
        known = [];
        foreach (var (path, hash) in Load(memoryPath)) known[Shown(KeptPath.Read(path, root))] = hash; // also what was kept under absolute paths
    }

    /// <summary>Every input file with its hash; a directory stands for all files in it.</summary>
    public IReadOnlyList<StageInput> Of(IStage stage, StageContext context)
    {
        var inputs = new List<StageInput>();
        foreach (var path in stage.Inputs(context).Select(Path.GetFullPath).Distinct(StringComparer.Ordinal))
        {
            if (!Directory.Exists(path)) inputs.Add(new(Shown(path), HashOf(path)));
            else
            {
                foreach (var file in Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
                    inputs.Add(new(Shown(file), HashOf(file)));
            }
        }
        Save();
        foreach (var (name, text) in stage.Extracts(context)) inputs.Add(new(name, ContentId.OfBytes(System.Text.Encoding.UTF8.GetBytes(text))));
        return inputs;
    }

    /// <summary>The stage's hash: name, project version, options as JSON, and the inputs' names and bytes.</summary>
    public static string Hash(IStage stage, Recipe recipe, string version, IReadOnlyList<StageInput> inputs)
    {
        using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Add(stage.Name.ToString());
        Add(version);
        foreach (var options in stage.Options(recipe)) Add(options.GetType().Name + JsonSerializer.Serialize(options, options.GetType(), RunDirectory.Json));
        foreach (var input in inputs)
        {
            Add(IsInRun(input.Path) ? input.Path : Path.GetFileName(input.Path)); // moving the user's files is no change
            Add(input.Sha256);
        }
        return Convert.ToHexStringLower(sha.GetHashAndReset());

        void Add(string part)
        {
            var bytes = Encoding.UTF8.GetBytes(part);
            sha.AppendData(BitConverter.GetBytes(bytes.LongLength));
            sha.AppendData(bytes);
        }
    }

    private static bool IsInRun(string shown) => !Path.IsPathRooted(shown) && !shown.StartsWith(".." + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    private string Shown(string path) => KeptPath.Of(path, root, root);

    private string HashOf(string path)
    {
        var file = new FileInfo(path);
        if (!file.Exists) return Absent;
        var target = file.ResolveLinkTarget(returnFinalTarget: true) as FileInfo ?? file; // a link's own time says nothing about the bytes
        var shown = Shown(path);
        if (known.TryGetValue(shown, out var before) && before.Size == target.Length && before.Changed == target.LastWriteTimeUtc.Ticks) return before.Sha256;
        try
        {
            var hash = ContentId.OfFile(path);
            known[shown] = new(target.Length, target.LastWriteTimeUtc.Ticks, hash);
            changed = true;
            return hash;
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            throw new LoraException($"{path} cannot be read: {e.Message} Check its permissions.", inner: e);
        }
    }

    private static Dictionary<string, Known> Load(string path)
    {
        try
        {
            return File.Exists(path) ? RunDirectory.ReadJson<Dictionary<string, Known>>(path) : [];
        }
        catch (LoraException)
        {
            return []; // only a memory of hashes: without it they are computed again
        }
    }

    private void Save()
    {
        if (!changed) return;
        RunDirectory.WriteJson(memoryPath, known);
        changed = false;
    }
}
