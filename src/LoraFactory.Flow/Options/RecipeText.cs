using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LoraFactory.Flow;

/// <summary>Recipes and their schema as text, made from <see cref="OptionCatalog"/>.</summary>
public static class RecipeText
{
    /// <summary>A commented recipe with every key at its default: what <c>lora init</c> writes.</summary>
    public static string Template(Recipe? values = null) => Write(values ?? new Recipe(), option => Comment(option, "default " + OptionParser.Show(option.Default)),
        "# A recipe for lora run. Every key is shown with its default; delete what you do not change.\n# lora check FILE tells what is wrong before anything starts.\n");

    /// <summary>The recipe that a run works by, each value with its origin; reading it gives the same recipe.</summary>
    public static string Effective(Recipe recipe, IReadOnlyDictionary<string, string> origins) =>
        Write(recipe, option => origins.TryGetValue(option.Key, out var origin) ? origin : "default", "# The effective recipe of this run; lora run with this file repeats it.\n");

    /// <summary>JSON Schema (draft-07), so that editors complete and check recipes.</summary>
    public static string Schema()
    {
        var properties = new JsonObject();
        foreach (var option in OptionCatalog.Of("")) properties[option.Name] = SchemaOf(option);
        foreach (var section in OptionCatalog.Sections)
        {
            var inner = new JsonObject();
            foreach (var option in OptionCatalog.Of(section)) inner[option.Name] = SchemaOf(option);
            properties[section] = new JsonObject { ["type"] = new JsonArray("object", "null"), ["additionalProperties"] = false, ["properties"] = inner };
        }
        var schema = new JsonObject
        {
            ["$schema"] = "http://json-schema.org/draft-07/schema#",
            ["title"] = "LoraFactory recipe",
            ["type"] = "object",
            ["additionalProperties"] = false,
            ["properties"] = properties,
        };
        return schema.ToJsonString(new JsonSerializerOptions(RunDirectory.Json) { WriteIndented = true }) + "\n";
    }

    private static JsonObject SchemaOf(OptionEntry option)
    {
        var declared = option.Declared;
        var item = new JsonObject
        {
            ["type"] = option.Kind switch { OptionKind.Flag => "boolean", OptionKind.Integer => "integer", OptionKind.Number => "number", _ => "string" },
        };
        if (declared.OneOf.Length > 0) item["enum"] = new JsonArray([.. declared.OneOf.Select(word => (JsonNode)word)]);
        var schema = option.IsList ? new JsonObject { ["type"] = "array", ["items"] = item } : item;
        var (min, max) = option switch
        {
            { IsList: true } => ("minItems", "maxItems"),
            { Kind: OptionKind.Text } => ("minLength", "maxLength"),
            _ => ("minimum", "maximum"),
        };
        if (!double.IsNaN(declared.Min)) schema[min] = Bound(declared.Min);
        if (!double.IsNaN(declared.Max)) schema[max] = Bound(declared.Max);
        schema["default"] = JsonSerializer.SerializeToNode(option.Default, RunDirectory.Json);
        schema["description"] = declared.Effect + (declared.Unit.Length > 0 ? $" In {declared.Unit}." : "") + $" Since {declared.Since}.";
        return schema;
    }

    private static JsonNode Bound(double value) => value == Math.Floor(value) && Math.Abs(value) < 1e15 ? JsonValue.Create((long)value) : JsonValue.Create(value);

    private static string Comment(OptionEntry option, string last) => $"{option.Declared.Effect} ({option.Valid}; {last})";

    private static string Write(Recipe recipe, Func<OptionEntry, string> comment, string head)
    {
        var text = new StringBuilder(head);
        foreach (var option in OptionCatalog.Of("")) Line(option, "");
        foreach (var section in OptionCatalog.Sections)
        {
            text.Append('\n').Append(section).Append(":\n");
            foreach (var option in OptionCatalog.Of(section)) Line(option, "  ");
        }
        return text.ToString();

        void Line(OptionEntry option, string indent)
        {
            var value = option.Of(recipe);
            var shown = OptionParser.Show(value);
            // a long list is easier to change with an item a line
            if (shown.Length > 100 && value is IEnumerable<string> items) shown = string.Concat(items.Select(i => $"\n{indent}  - {OptionParser.Show(i)}"));
            var note = comment(option).ReplaceLineEndings(" ");
            if (note.Length > 40) text.Append(indent).Append("# ").Append(note).Append('\n');
            text.Append(indent).Append(option.Name).Append(shown.StartsWith('\n') ? ":" : ": ");
            text.Append(note.Length > 40 ? $"{shown}\n" : shown.StartsWith('\n') ? $"  # {note}{shown}\n" : $"{shown}  # {note}\n");
        }
    }
}
