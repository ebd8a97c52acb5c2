namespace LoraFactory.Flow;

/// <summary>
/// Declares an option once: validator, <c>--help</c>, JSON Schema, template, form and docs are made from this.
/// The default is the property's initial value; the key is the property's name in snake_case.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class OptionAttribute(string effect) : Attribute
{
    /// <summary>What it does, one sentence.</summary>
    public string Effect { get; } = effect;
    /// <summary>Smallest valid value (numbers), or fewest items or characters (lists, text). NaN: no bound.</summary>
    public double Min { get; init; } = double.NaN;
    /// <summary>Largest valid value, likewise.</summary>
    public double Max { get; init; } = double.NaN;
    /// <summary>Unit, e.g. "seconds", "MiB", "pixels"; empty when it has none.</summary>
    public string Unit { get; init; } = "";
    /// <summary>The only valid words; empty when any text will do.</summary>
    public string[] OneOf { get; init; } = [];
    /// <summary>Whether it is a path, or may be one: a leading ~ then stands for the home directory.</summary>
    public bool IsPath { get; init; }
    /// <summary>Version that brought it.</summary>
    public string Since { get; init; } = "0.1";
}
