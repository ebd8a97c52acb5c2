namespace LoraFactory.Tests;

/// <summary>Where the tests' data lie.</summary>
public static class TestData
{
    /// <summary>Root of the repository: the folder with LoraFactory.slnx above the test program.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>A file or folder of the golden cases that the repository carries, e.g. Golden("lora/formats/keys").</summary>
    public static string Golden(string path) => Path.Combine(Root, "tests", "data", "golden", path);

    /// <summary>Material that is kept beside the repository (LORA_SHARED, else ../shared), e.g. third-party vocabularies; null where it is not there.</summary>
    public static string? Shared(string path)
    {
        var folder = Environment.GetEnvironmentVariable("LORA_SHARED") is { Length: > 0 } given ? given : Path.Combine(Root, "..", "shared");
        var full = Path.GetFullPath(Path.Combine(folder, path));
        return Path.Exists(full) ? full : null;
    }

    /// <summary>A new empty folder for one test; what is left of it goes when the test program ends.</summary>
    public static string NewFolder() => Directory.CreateDirectory(Path.Combine(Scratch.Value, Guid.NewGuid().ToString("N"))).FullName;

    // One folder for all of a process's tests, so that nothing is left behind that somebody would clear away under a running test.
    private static readonly Lazy<string> Scratch = new(() =>
    {
        var folder = Directory.CreateTempSubdirectory($"lora-test-{Environment.ProcessId}-").FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Clear(folder);
        return folder;
    });

    private static void Clear(string folder)
    {
        try
        {
            Directory.Delete(folder, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"{folder} could not be removed: {e.Message}");
        }
    }

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "LoraFactory.slnx"))) return folder.FullName;
        throw new InvalidOperationException($"No LoraFactory.slnx above {AppContext.BaseDirectory}");
    }
}
