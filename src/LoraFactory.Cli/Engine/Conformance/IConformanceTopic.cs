namespace LoraFactory.Cli.Engine.Conformance;

/// <summary>
/// One topic of a folder of public corpora, such as robots: reads the inputs and expectations that its folder holds, asks the product, and writes
/// down what came of each case. A file that is not there is no case; what a topic's README leaves to a crawler's choice is noted, not required.
/// </summary>
internal interface IConformanceTopic
{
    /// <summary>Name of its folder: "robots", "urls" ….</summary>
    string Name { get; }

    /// <summary>Files, or folders with a final slash, by which the folder is known to be one of this topic; any one is enough.</summary>
    IReadOnlyList<string> Marks { get; }

    /// <summary>Judges what lies in the folder. May throw: the topic's files that were not finished are then one miss.</summary>
    Task JudgeAsync(ConformanceFolder folder, CancellationToken token);
}

/// <summary>The topics that can be judged.</summary>
internal static class ConformanceTopics
{
    /// <summary>Each once, by name.</summary>
    public static IReadOnlyList<IConformanceTopic> All { get; } =
    [
        .. typeof(ConformanceTopics).Assembly.GetTypes()
            .Where(t => t is { IsAbstract: false, IsInterface: false } && typeof(IConformanceTopic).IsAssignableFrom(t))
            .Select(t => (IConformanceTopic)Activator.CreateInstance(t)!)
            .OrderBy(t => t.Name, StringComparer.Ordinal),
    ];

    /// <summary>Folders of topics at or below <paramref name="root"/>, in order of path, with the topic that judges each; null where none does.</summary>
    public static IReadOnlyList<(string Folder, IConformanceTopic? Topic)> Find(string root)
    {
        root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(root));
        var deep = new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true, AttributesToSkip = FileAttributes.ReparsePoint, MaxRecursionDepth = 8 };
        var folders = Directory.EnumerateDirectories(root, "*", deep).Prepend(root).Order(StringComparer.Ordinal).ToList();
        var found = folders.Select(f => (Folder: f, Topic: Of(f))).Where(f => f.Topic is not null).ToList();
        // A described folder beside those of topics is a topic too, one that nothing here judges yet.
        var layouts = found.Select(f => Path.GetDirectoryName(f.Folder)).Where(p => p is not null && Inside(p, root)).ToHashSet(StringComparer.Ordinal);
        var others = folders.Where(f => layouts.Contains(Path.GetDirectoryName(f)) && File.Exists(Path.Combine(f, "README.md")) && Of(f) is null);
        return [.. found.Concat(others.Select(f => (Folder: f, Topic: (IConformanceTopic?)null))).OrderBy(f => f.Folder, StringComparer.Ordinal)];
    }

    private static bool Inside(string folder, string root) => folder == root || folder.StartsWith(root + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    private static IConformanceTopic? Of(string folder) =>
        All.FirstOrDefault(t => t.Name == Path.GetFileName(folder) && t.Marks.Any(m => m.EndsWith('/') ? Directory.Exists(Path.Combine(folder, m)) : File.Exists(Path.Combine(folder, m))));
}
