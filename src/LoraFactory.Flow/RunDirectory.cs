using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace LoraFactory.Flow;

/// <summary>The directory of one run: a folder per stage, and blobs by hash that all stages share.</summary>
public sealed class RunDirectory
{
    /// <summary>Folder of all runs, relative to the working directory, where no other is named.</summary>
    public const string Usual = "runs";

    /// <summary>JSON as this project writes it: snake_case, UTF-8 unescaped, NaN as a string.</summary>
    public static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = KeyNaming.Instance,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new JsonStringEnumConverter(KeyNaming.Instance) },
    };

    private static readonly JsonSerializerOptions Indented = new(Json) { WriteIndented = true };

    /// <summary>Opens or creates the directory.</summary>
    public RunDirectory(string path)
    {
        Path = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(path));
        Make(Path);
    }

    /// <summary>Absolute path.</summary>
    public string Path { get; }

    /// <summary>Whether a directory is that of a run: it has the recipe that a run keeps, or a folder of a stage. Nothing is created.</summary>
    public static bool IsAt(string path) => System.IO.File.Exists(System.IO.Path.Combine(path, "recipe.yaml"))
        || Enum.GetValues<StageName>().Any(stage => Directory.Exists(System.IO.Path.Combine(path, FolderOf(stage))));

    /// <summary>Directory of a stage, e.g. "1-crawl"; created when missing.</summary>
    public string Of(StageName stage)
    {
        var path = PathOf(stage);
        Make(path);
        return path;
    }

    /// <summary>Where a stage's directory, or a file in it, lies or would lie; nothing is created.</summary>
    public string PathOf(StageName stage, string name = "") => System.IO.Path.Combine(Path, FolderOf(stage), name);

    private static string FolderOf(StageName stage) => $"{(int)stage}-{stage.ToString().ToLowerInvariant()}";

    private static void Make(string path)
    {
        try
        {
            Directory.CreateDirectory(path);
        }
        catch (Exception e) when (DiskFault.Of(e) is { } fault)
        {
            throw new LoraException($"{path} cannot be made: {fault}. Make room or make it writable, or choose another place with --runs-dir.", inner: e);
        }
    }

    /// <summary>File in a stage's directory.</summary>
    public string File(StageName stage, string name) => System.IO.Path.Combine(Of(stage), name);

    /// <summary>Where the bytes with this SHA-256 lie: blobs/ab/abcdef….</summary>
    public string Blob(string sha256) => System.IO.Path.Combine(Path, "blobs", sha256[..2], sha256);

    /// <summary>Stores bytes under their hash and returns it; a blob that is there is not written again.</summary>
    /// <param name="bytes">The bytes.</param>
    /// <param name="durable">Whether it is on the disk when this returns; else it survives the process, but not a power cut.</param>
    public string PutBlob(ReadOnlySpan<byte> bytes, bool durable = true)
    {
        var hash = ContentId.OfBytes(bytes);
        var path = Blob(hash);
        if (System.IO.File.Exists(path)) return hash;
        AtomicFile.WriteBytes(path, bytes, durable);
        return hash;
    }

    /// <summary>Writes records one JSON object a line, atomically.</summary>
    public static void WriteLines<T>(string path, IEnumerable<T> items) => AtomicFile.Write(path, stream =>
    {
        using var writer = new StreamWriter(stream, new UTF8Encoding(false), leaveOpen: true);
        foreach (var item in items)
        {
            writer.Write(JsonSerializer.Serialize(item, Json));
            writer.Write('\n');
        }
    });

    /// <summary>Reads what <see cref="WriteLines{T}"/> wrote; an unreadable line is an error that names file and line.</summary>
    public static IEnumerable<T> ReadLines<T>(string path)
    {
        var number = 0;
        foreach (var line in System.IO.File.ReadLines(path))
        {
            number++;
            if (line.Length == 0) continue;
            T item;
            try
            {
                item = JsonSerializer.Deserialize<T>(line, Json)!;
            }
            catch (JsonException e)
            {
                throw new LoraException($"{path}:{number} is not a {typeof(T).Name}: {e.Message} Delete the stage's directory to make it again.", inner: e);
            }
            yield return item;
        }
    }

    /// <summary>Writes one object as indented JSON, atomically.</summary>
    public static void WriteJson<T>(string path, T item) =>
        AtomicFile.Write(path, stream => JsonSerializer.Serialize(stream, item, Indented));

    /// <summary>Reads one object.</summary>
    public static T ReadJson<T>(string path)
    {
        try
        {
            using var stream = System.IO.File.OpenRead(path);
            return JsonSerializer.Deserialize<T>(stream, Json) ?? throw new JsonException("it says null.");
        }
        catch (JsonException e)
        {
            throw new LoraException($"{path} is not a {typeof(T).Name}: {e.Message}", inner: e);
        }
    }
}

/// <summary>Writes files aside, flushes them to disk, and renames: a reader sees the old file or the whole new one.</summary>
public static class AtomicFile
{
    /// <summary>Calls <paramref name="write"/> on a temporary file beside <paramref name="path"/>, then renames it.</summary>
    public static void Write(string path, Action<Stream> write, bool durable = true)
    {
        var aside = Aside(path);
        try
        {
            using (var stream = new FileStream(aside, FileMode.CreateNew, FileAccess.Write, FileShare.None))
            {
                write(stream);
                stream.Flush(flushToDisk: durable);
            }
            File.Move(aside, path, overwrite: true);
        }
        catch (Exception e)
        {
            GiveUp(path, aside, e);
            throw;
        }
    }

    /// <summary>The same for bytes that are there already.</summary>
    public static void WriteBytes(string path, ReadOnlySpan<byte> bytes, bool durable = true)
    {
        var aside = Aside(path);
        try
        {
            using (var file = File.OpenHandle(aside, FileMode.CreateNew, FileAccess.Write, FileShare.None))
            {
                RandomAccess.Write(file, bytes, 0);
                if (durable) RandomAccess.FlushToDisk(file);
            }
            File.Move(aside, path, overwrite: true);
        }
        catch (Exception e)
        {
            GiveUp(path, aside, e);
            throw;
        }
    }

    /// <summary>Text in UTF-8 without a mark.</summary>
    public static void WriteText(string path, string text) => Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(text)));

    private static string Aside(string path)
    {
        var directory = Path.GetDirectoryName(Path.GetFullPath(path))!;
        Directory.CreateDirectory(directory);
        return Path.Combine(directory, $".{Path.GetFileName(path)}.{Environment.ProcessId}.{Random.Shared.NextInt64():x16}.tmp");
    }

    private static void GiveUp(string path, string aside, Exception why)
    {
        File.Delete(aside);
        if (DiskFault.IsDiskFull(why)) throw new LoraException($"{path} could not be written: the disk is full. Free some space and run the same command again; nothing was lost.", inner: why);
    }
}
