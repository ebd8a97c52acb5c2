using System.Collections.Frozen;
using System.Globalization;
using System.Reflection;
using System.Text.Json;

namespace LoraFactory.Flow;

/// <summary>What kind of value an option takes.</summary>
public enum OptionKind
{
    /// <summary>true or false.</summary>
    Flag,
    /// <summary>A whole number (int or long).</summary>
    Integer,
    /// <summary>A number (double).</summary>
    Number,
    /// <summary>Text.</summary>
    Text,
}

/// <summary>One option as declared by a property of an option record and its <see cref="OptionAttribute"/>.</summary>
public sealed record OptionEntry
{
    /// <summary>Full key in the recipe, e.g. "train.rank".</summary>
    public required string Key { get; init; }
    /// <summary>Section, e.g. "train"; empty for the keys of the recipe itself.</summary>
    public required string Section { get; init; }
    /// <summary>Key within its section, e.g. "rank".</summary>
    public required string Name { get; init; }
    /// <summary>Kind of the value, or of each item when <see cref="IsList"/>.</summary>
    public required OptionKind Kind { get; init; }
    /// <summary>Whether it takes a list of such values.</summary>
    public required bool IsList { get; init; }
    /// <summary>The declaration.</summary>
    public required OptionAttribute Declared { get; init; }
    /// <summary>The property that holds it.</summary>
    public required PropertyInfo Property { get; init; }
    /// <summary>Default: bool, int, long, double, string or a list of those.</summary>
    public required object Default { get; init; }

    /// <summary>Valid values in words, e.g. "1..64 pixels", "true or false", "one of constant, cosine".</summary>
    public string Valid
    {
        get
        {
            if (Kind == OptionKind.Flag) return "true or false";
            if (Declared.OneOf.Length > 0) return (IsList ? "a list of " : "one of ") + string.Join(", ", Declared.OneOf);
            var what = (IsList, Kind) switch
            {
                (true, OptionKind.Text) => "a list of texts",
                (true, _) => "a list of numbers",
                (_, OptionKind.Integer) => "a whole number",
                (_, OptionKind.Number) => "a number",
                _ => "text",
            };
            var counted = IsList ? "items" : Kind == OptionKind.Text ? "characters" : "";
            return string.Join(' ', new[] { what, Bounds, counted, counted.Length == 0 ? Declared.Unit : "" }.Where(part => part.Length > 0));
        }
    }

    /// <summary>The bounds in words, e.g. "1..64" or "of at least 1"; empty when there are none.</summary>
    public string Bounds => (double.IsNaN(Declared.Min), double.IsNaN(Declared.Max)) switch
    {
        (false, false) => $"{Plain(Declared.Min)}..{Plain(Declared.Max)}",
        (false, true) => $"of at least {Plain(Declared.Min)}",
        (true, false) => $"of at most {Plain(Declared.Max)}",
        _ => "",
    };

    /// <summary>Its value in this recipe.</summary>
    public object Of(Recipe recipe) => Property.GetValue(OptionCatalog.SectionOf(recipe, Section))!;

    /// <summary>The value in a recipe, as a recipe writes it.</summary>
    public string Written(Recipe recipe) => OptionParser.Show(Of(recipe));

    private static string Plain(double value) => value.ToString("0.############", CultureInfo.InvariantCulture);
}

/// <summary>
/// Every option of a recipe, read once from the option records by reflection. The validator, the JSON Schema,
/// the commented template and the command line are made from this list, so none of them can drift from the code.
/// </summary>
public static class OptionCatalog
{
    private static readonly PropertyInfo[] SectionProperties =
        [.. typeof(Recipe).GetProperties().Where(p => p.PropertyType.IsClass && p.PropertyType != typeof(string))];

    /// <summary>All options in the order of their declaration, the recipe's own keys first.</summary>
    public static IReadOnlyList<OptionEntry> All { get; } = [.. Collect()];

    /// <summary>Names of the sections in order, e.g. "base", "seed", "crawl".</summary>
    public static IReadOnlyList<string> Sections { get; } = [.. SectionProperties.Select(p => Snake(p.Name))];

    private static readonly FrozenDictionary<string, OptionEntry> ByKey = All.ToFrozenDictionary(o => o.Key, StringComparer.Ordinal);

    /// <summary>The option with this full key, or null.</summary>
    public static OptionEntry? Find(string key) => ByKey.GetValueOrDefault(key);

    /// <summary>The options of a section; "" gives the recipe's own keys.</summary>
    public static IEnumerable<OptionEntry> Of(string section) => All.Where(o => o.Section == section);

    /// <summary>A recipe with these values, keyed by full key; all others have their defaults.</summary>
    /// <exception cref="ArgumentException">A key is unknown or a value has the wrong type: a mistake in the calling code.</exception>
    public static Recipe Compose(IReadOnlyDictionary<string, object> values)
    {
        var recipe = new Recipe();
        foreach (var property in SectionProperties)
            property.SetValue(recipe, Activator.CreateInstance(property.PropertyType));
        foreach (var (key, value) in values)
        {
            var option = Find(key) ?? throw new ArgumentException($"no option has the key {key}", nameof(values));
            option.Property.SetValue(SectionOf(recipe, option.Section), value);
        }
        return recipe;
    }

    /// <summary>Every value of a recipe by full key.</summary>
    public static IReadOnlyDictionary<string, object> Values(Recipe recipe) =>
        All.ToDictionary(o => o.Key, o => o.Of(recipe), StringComparer.Ordinal);

    internal static object SectionOf(Recipe recipe, string section) =>
        section.Length == 0 ? recipe : SectionProperties.First(p => Snake(p.Name) == section).GetValue(recipe)!;

    private static IEnumerable<OptionEntry> Collect()
    {
        var defaults = new Recipe();
        foreach (var entry in EntriesOf("", defaults)) yield return entry;
        foreach (var property in SectionProperties)
            foreach (var entry in EntriesOf(Snake(property.Name), property.GetValue(defaults)!))
                yield return entry;
    }

    private static IEnumerable<OptionEntry> EntriesOf(string section, object holder)
    {
        foreach (var property in holder.GetType().GetProperties().Except(SectionProperties))
        {
            if (property.Name == "EqualityContract") continue;
            var declared = property.GetCustomAttribute<OptionAttribute>()
                ?? throw new InvalidOperationException($"{holder.GetType().Name}.{property.Name} has no [Option]");
            var (kind, isList) = KindOf(property);
            var name = Snake(property.Name);
            yield return new OptionEntry
            {
                Key = section.Length == 0 ? name : $"{section}.{name}",
                Section = section,
                Name = name,
                Kind = kind,
                IsList = isList,
                Declared = declared,
                Property = property,
                Default = property.GetValue(holder)!,
            };
        }
    }

    private static (OptionKind Kind, bool IsList) KindOf(PropertyInfo property)
    {
        var type = property.PropertyType;
        var isList = type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyList<>);
        var item = isList ? type.GetGenericArguments()[0] : type;
        OptionKind? kind = item switch
        {
            _ when item == typeof(bool) => OptionKind.Flag,
            _ when item == typeof(int) || item == typeof(long) => OptionKind.Integer,
            _ when item == typeof(double) => OptionKind.Number,
            _ when item == typeof(string) => OptionKind.Text,
            _ => null,
        };
        return (kind ?? throw new InvalidOperationException($"{property.DeclaringType!.Name}.{property.Name} has a type that recipes do not have: {type}"), isList);
    }

    private static string Snake(string name) => KeyNaming.Instance.ConvertName(name);
}
