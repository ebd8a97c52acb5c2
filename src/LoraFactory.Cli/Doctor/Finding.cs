namespace LoraFactory.Cli.Doctor;

/// <summary>How a finding stands.</summary>
public enum Health
{
    /// <summary>As it should be.</summary>
    Ok,
    /// <summary>Works, but slower or with less.</summary>
    Warning,
    /// <summary>Missing: something will not work.</summary>
    Missing,
}

/// <summary>One thing that doctor looked at.</summary>
/// <param name="Name">What, e.g. "libtorch".</param>
/// <param name="Health">How it stands.</param>
/// <param name="Value">What was found.</param>
/// <param name="Advice">What to do, with the exact command; null when nothing.</param>
public sealed record Finding(string Name, Health Health, string Value, string? Advice = null);
