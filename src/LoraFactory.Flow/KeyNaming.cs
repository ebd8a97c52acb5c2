using System.Text.Json;

namespace LoraFactory.Flow;

/// <summary>
/// Names as keys in recipes, plans and JSON: snake_case, where the unit MiB is one word ("EstimatedMemoryMiB" is estimated_memory_mib).
/// </summary>
public sealed class KeyNaming : JsonNamingPolicy
{
    /// <summary>The one instance.</summary>
    public static KeyNaming Instance { get; } = new();

    private KeyNaming() { }

    /// <inheritdoc/>
    public override string ConvertName(string name) => SnakeCaseLower.ConvertName(name.Replace("MiB", "Mib", StringComparison.Ordinal));
}
