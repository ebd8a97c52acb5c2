namespace LoraFactory.Cli.Doctor;

/// <summary>Which BLAS a program started here gets for libblas.so.3: it decides more about speed than any code.</summary>
internal static class BlasLibrary
{
    /// <summary>The file that libblas.so.3 resolves to, links followed; null when there is none.</summary>
    public static string? Resolve(string? searchPath, string libraries)
    {
        foreach (var folder in (searchPath ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries).Append(libraries))
        {
            var file = new FileInfo(Path.Combine(folder, "libblas.so.3"));
            if (file.Exists) return RealPath(file);
        }
        return null;
    }

    /// <summary>The finding about such a file.</summary>
    public static Finding Judge(string? path, string libraries, bool isUsed)
    {
        var triple = Path.GetFileName(libraries);
        var select = $"Start the program with ./lora, which selects it, or run: apt-get install -y libopenblas0-openmp && update-alternatives --set libblas.so.3-{triple} {libraries}/openblas-openmp/libblas.so.3";
        if (!isUsed) return new("blas", Health.Ok, "built into the libtorch at LORA_LIBTORCH");
        return path switch
        {
            null => new("blas", Health.Missing, "no libblas.so.3", "Run: apt-get install -y libopenblas0-openmp"),
            _ when path.Contains("openblas-openmp", StringComparison.Ordinal) || path.Contains("mkl", StringComparison.Ordinal) => new("blas", Health.Ok, path),
            _ when path.Contains("openblas-pthread", StringComparison.Ordinal) => new("blas", Health.Warning, $"{path}: OpenBLAS with its own threads, about 3 times slower beside libtorch's", select),
            _ when path.Contains("openblas", StringComparison.Ordinal) || path.Contains("blis", StringComparison.Ordinal) || path.Contains("atlas", StringComparison.Ordinal) =>
                new("blas", Health.Warning, $"{path}: not the OpenBLAS with OpenMP", select),
            _ => new("blas", Health.Warning, $"{path}: the reference BLAS, about 40 times slower", select),
        };
    }

    // The link may be in any part of the path: /etc/alternatives stands between.
    private static string RealPath(FileInfo file)
    {
        var target = file.ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? file.FullName;
        return target;
    }
}
