using LoraFactory.Flow;

namespace LoraFactory.Stages.Deploy;

/// <summary>One check of the certificate.</summary>
/// <param name="Name">What was checked.</param>
/// <param name="Passed">Whether it holds.</param>
/// <param name="Found">What was found, with figures.</param>
public sealed record CertificateCheck(string Name, bool Passed, string Found);

/// <summary>
/// "Learnt something": what was checked before an adapter may be called live. Bound to the file by its hash; a file that changed since has none.
/// </summary>
public sealed record Certificate
{
    /// <summary>Name of the file in a bundle.</summary>
    public const string FileName = "certificate.json";

    /// <summary>SHA-256 of adapter.safetensors.</summary>
    public required string Sha256 { get; init; }
    /// <summary>Base that it was checked on, SHA-256 of the weights.</summary>
    public required string BaseHash { get; init; }
    /// <summary>The checks.</summary>
    public required IReadOnlyList<CertificateCheck> Checks { get; init; }
    /// <summary>"" when granted, else what the adapter is: "empty", "unloadable" or "fried".</summary>
    public required string Fault { get; init; }

    /// <summary>Whether the adapter may go live.</summary>
    public bool Granted => Fault.Length == 0 && Checks.Count > 0 && Checks.All(c => c.Passed);

    /// <summary>One sentence.</summary>
    public string Summary => Granted ? $"certificate granted: {Checks.Count} checks hold"
        : $"refused as {Fault}: {string.Join("; ", Checks.Where(c => !c.Passed).Select(c => $"{c.Name}: {c.Found}"))}";

    /// <summary>The granted certificate for exactly the bytes of the bundle's adapter.safetensors; throws, with the reason, where there is none.</summary>
    public static Certificate Require(string bundle)
    {
        var path = Path.Combine(bundle, FileName);
        if (!File.Exists(Path.Combine(bundle, "adapter.safetensors"))) throw new LoraException($"{bundle} has no adapter.safetensors: the store is damaged. Run the deploy stage again.");
        if (!File.Exists(path)) throw new LoraException($"{bundle} has no {FileName}: an adapter goes live only with one. Run the deploy stage.", ExitCode.Refused);
        var certificate = RunDirectory.ReadJson<Certificate>(path);
        var sha256 = ContentId.OfFile(Path.Combine(bundle, "adapter.safetensors"));
        if (certificate.Sha256 != sha256) throw new LoraException($"{path} belongs to other bytes ({Short(certificate.Sha256)}) than the adapter beside it ({Short(sha256)}). Run the deploy stage again.", ExitCode.Refused);
        if (!certificate.Granted) throw new LoraException($"{path}: {certificate.Summary}.", ExitCode.Refused);
        return certificate;
    }

    private static string Short(string hash) => hash.Length > 12 ? hash[..12] + "…" : hash;
}
