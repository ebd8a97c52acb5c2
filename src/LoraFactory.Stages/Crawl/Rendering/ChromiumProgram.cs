namespace LoraFactory.Stages.Crawl.Rendering;

/// <summary>Where Chromium lies.</summary>
public static class ChromiumProgram
{
    /// <summary>Environment variable that names it; else it is looked for in PATH.</summary>
    public const string Variable = "LORA_CHROMIUM";

    private static readonly string[] Names = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

    /// <summary>Its path, null where there is none.</summary>
    public static string? Find() => Find(Environment.GetEnvironmentVariable(Variable), Environment.GetEnvironmentVariable("PATH"));

    /// <summary>Its path; null where there is none.</summary>
    /// <param name="named">What the user names; where that is no file, there is none.</param>
    /// <param name="searched">Folders, with colons between them.</param>
    public static string? Find(string? named, string? searched)
    {
        if (!string.IsNullOrEmpty(named)) return File.Exists(named) ? named : null;
        var folders = (searched ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries);
        return Names.SelectMany(name => folders.Select(folder => Path.Combine(folder, name))).FirstOrDefault(File.Exists);
    }

    /// <summary>What to do where there is none.</summary>
    public static string Missing =>
        Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } named
            ? $"pages are to be rendered, and {Variable} names {named}, which is no file: name Chromium's program, or unset it to look in PATH."
            : $"pages are to be rendered, and there is no Chromium in PATH: apt-get install -y chromium, or name it in {Variable}, or set crawl.render to off.";
}
