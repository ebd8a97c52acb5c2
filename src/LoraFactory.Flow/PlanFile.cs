using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LoraFactory.Flow;

/// <summary>plan.yaml: a <see cref="TrainPlan"/> as YAML that people read, each value with its why; where the base lies as <see cref="KeptPath"/> has it.</summary>
public static class PlanFile
{
    private const int Limit = 64 << 20, MaxValues = 3_000_000; // a plan names each of its pictures

    /// <summary>Writes the plan, atomically.</summary>
    public static void Write(string path, TrainPlan plan)
    {
        var text = new StringBuilder("# What training will do, and why. Made by configure; edit the recipe, not this file.\n");
        var folder = FolderOf(path);
        var kept = plan with { BasePath = KeptPath.Of(plan.BasePath, folder, Path.GetDirectoryName(folder) ?? folder) };
        Emit(text, JsonSerializer.SerializeToNode(kept, RunDirectory.Json)!.AsObject(), 0);
        AtomicFile.WriteText(path, text.ToString());
    }

    /// <summary>What of a run's plan later stages depend on, for their hash (<see cref="IStage.Extracts"/>).</summary>
    public static IEnumerable<KeyValuePair<string, string>> Extract(RunDirectory run) =>
        [new("4-configure/plan.yaml, what the adapter depends on", Read(run.File(StageName.Configure, "plan.yaml")).Essence)];

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    public static TrainPlan Read(string path)
    {
        if (!File.Exists(path)) throw new LoraException($"{path} does not exist; run the configure stage first (lora run RECIPE --to configure).");
        if (new FileInfo(path).Length > Limit) throw new LoraException($"{path} is larger than {Limit >> 20} MiB, too large for a plan; run configure again.");
        try
        {
            var plan = Node(YamlTree.Read(File.ReadAllBytes(path), Limit, MaxValues)).Deserialize<TrainPlan>(RunDirectory.Json) ?? throw new JsonException("it is empty.");
            return plan with { BasePath = KeptPath.Read(plan.BasePath, FolderOf(path)) };
        }
        catch (Exception e) when (e is YamlFault or JsonException or ArgumentException or InvalidOperationException)
        {
            throw new LoraException($"{path} is not a plan: {e.Message.TrimEnd('.')}. Run the configure stage again.", inner: e);
        }
    }

    private static string FolderOf(string path) => Path.GetDirectoryName(Path.GetFullPath(path))!;

    private static void Emit(StringBuilder text, JsonObject item, int indent, bool first = false)
    {
        foreach (var (key, value) in item)
        {
            text.Append(' ', first ? 0 : indent).Append(key).Append(':');
            first = false;
            Emit(text, value, indent + 2);
        }
    }

    private static void Emit(StringBuilder text, JsonNode? value, int indent)
    {
        switch (value)
        {
            case JsonObject child:
                text.Append('\n');
                Emit(text, child, indent);
                break;
            case JsonArray { Count: 0 }:
                text.Append(" []\n");
                break;
            case JsonArray list:
                text.Append('\n');
                foreach (var item in list)
                {
                    text.Append(' ', indent).Append("- ");
                    if (item is JsonObject child) Emit(text, child, indent + 2, first: true);
                    else text.Append(item?.ToJsonString(RunDirectory.Json) ?? "null").Append('\n');
                }
                break;
            default:
                // JSON scalars are YAML scalars
                text.Append(' ').Append(value?.ToJsonString(RunDirectory.Json) ?? "null").Append('\n');
                break;
        }
    }

    private static JsonNode? Node(YamlPart? part) => part switch
    {
        YamlMap map => new JsonObject(map.Entries.Select(e => KeyValuePair.Create(e.Key.Text, Node(e.Value)))),
        YamlList list => new JsonArray([.. list.Items.Select(Node)]),
        YamlText { IsPlain: true } plain => Plain(plain.Text),
        YamlText text => JsonValue.Create(text.Text),
        _ => null,
    };

    private static JsonNode? Plain(string text) => text switch
    {
        "" or "null" or "~" => null,
        "true" => JsonValue.Create(true),
        "false" => JsonValue.Create(false),
        _ when long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) => JsonValue.Create(whole),
        _ when double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) => JsonValue.Create(number),
        _ => JsonValue.Create(text),
    };
}
