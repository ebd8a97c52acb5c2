using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace LoraFactory.Models.Lora;

/// <summary>
/// The part of PEFT's adapter_config.json that decides what an adapter's matrices mean. What would change the result and is not done here
/// (DoRA, another adapter type, initialisations that replace the base) is refused by name.
/// </summary>
public sealed record PeftConfig
{
    /// <summary>r.</summary>
    public int Rank { get; init; } = 8;
    /// <summary>lora_alpha.</summary>
    public double Alpha { get; init; } = 8;
    /// <summary>lora_dropout.</summary>
    public double Dropout { get; init; }
    /// <summary>use_rslora: scale alpha / √rank.</summary>
    public bool RankStabilized { get; init; }
    /// <summary>target_modules; null where the configuration leaves them out.</summary>
    public LoraTargets? Targets { get; init; }
    /// <summary>exclude_modules.</summary>
    public LoraTargets? Exclude { get; init; }
    /// <summary>rank_pattern.</summary>
    public IReadOnlyList<KeyValuePair<string, int>> RankPattern { get; init; } = [];
    /// <summary>alpha_pattern.</summary>
    public IReadOnlyList<KeyValuePair<string, double>> AlphaPattern { get; init; } = [];

    /// <summary>Reads a configuration; keys may carry <paramref name="prefix"/>, as "unet." in diffusers' header. <paramref name="where"/> names it in errors.</summary>
    public static PeftConfig Read(JsonElement json, string where, string prefix = "")
    {
        JsonElement? Value(string key) => json.ValueKind == JsonValueKind.Object && json.TryGetProperty(prefix + key, out var v) && v.ValueKind != JsonValueKind.Null ? v : null;
        void Refuse(string key, string why)
        {
            if (Value(key) is { } v && v.ValueKind is not (JsonValueKind.False or JsonValueKind.Null))
                throw new ModelException($"{where}: {key} is {Shortened(v)}, which is not supported: {why}.");
        }
        if (Value("peft_type") is { } type && type.ToString() != "LORA") throw new ModelException($"{where}: peft_type is {Shortened(type)}; only LORA adapters are read.");
        Refuse("use_dora", "save it as a plain LoRA, or merge it into the base");
        Refuse("fan_in_fan_out", "its base stores weights transposed");
        Refuse("lora_bias", "convert it without biases");
        if (Value("init_lora_weights") is { ValueKind: JsonValueKind.String } init && init.GetString() is { } how && (how.StartsWith("pissa", StringComparison.Ordinal) || how is "olora" or "corda" or "loftq"))
            throw new ModelException($"{where}: init_lora_weights is {how}, which changes the base's weights too: convert the adapter to a plain LoRA.");
        return new()
        {
            Rank = (int)Number(Value("r"), 8, where, "r"),
            Alpha = Number(Value("lora_alpha"), 8, where, "lora_alpha"),
            Dropout = Number(Value("lora_dropout"), 0, where, "lora_dropout"),
            RankStabilized = Value("use_rslora") is { ValueKind: JsonValueKind.True },
            Targets = Chosen(Value("target_modules"), where),
            Exclude = Chosen(Value("exclude_modules"), where),
            RankPattern = [.. Pattern(Value("rank_pattern"), where).Select(p => KeyValuePair.Create(p.Key, (int)p.Value))],
            AlphaPattern = [.. Pattern(Value("alpha_pattern"), where)],
        };
    }

    /// <summary>What the configuration asks for, to make a new adapter after it.</summary>
    public LoraSpec ToSpec() => new()
    {
        Targets = Targets ?? LoraTargets.Attention,
        Exclude = Exclude,
        Rank = Rank,
        Alpha = Alpha,
        Dropout = Dropout,
        RankStabilized = RankStabilized,
        RankPattern = RankPattern,
        AlphaPattern = AlphaPattern,
    };

    /// <summary>The alpha of a module, such that alpha / rank is its scale.</summary>
    public double AlphaOf(string path, int rank)
    {
        var alpha = Alpha;
        foreach (var (key, value) in AlphaPattern)
        {
            if (!LoraTargets.EndsWith(path, key)) continue;
            alpha = value;
            break;
        }
        return RankStabilized ? alpha * Math.Sqrt(rank) : alpha;
    }

    /// <summary>
    /// The configuration that says what a component's modules are: commonest rank and alpha, the others as patterns of whole paths, which for
    /// text encoders begin below "text_model.", since libraries differ in whether their modules carry it.
    /// </summary>
    public static PeftConfig Of(IReadOnlyList<LoraModule> modules)
    {
        var rank = modules.GroupBy(m => m.Rank).MaxBy(g => g.Count())!.Key;
        var alpha = modules.GroupBy(m => m.Alpha).MaxBy(g => g.Count())!.Key;
        return new()
        {
            Rank = rank,
            Alpha = alpha,
            Dropout = modules[0].Dropout,
            Targets = LoraTargets.OfNames(modules.Select(m => Short(m.Path)).Order(StringComparer.Ordinal)),
            RankPattern = [.. modules.Where(m => m.Rank != rank).Select(m => KeyValuePair.Create(Regex.Escape(Short(m.Path)), m.Rank))],
            AlphaPattern = [.. modules.Where(m => !m.Alpha.Equals(alpha)).Select(m => KeyValuePair.Create(Regex.Escape(Short(m.Path)), m.Alpha))],
        };
    }

    /// <summary>As JSON with PEFT's keys in order, each with <paramref name="prefix"/>.</summary>
    public JsonObject ToJson(string prefix = "", string? baseModel = null)
    {
        var json = new JsonObject();
        void Add(string key, JsonNode? value) => json[prefix + key] = value;
        JsonNode? Chosen(LoraTargets? t) => t is null ? null : t.Names is { } names ? new JsonArray([.. names.Select(n => JsonValue.Create(n))]) : JsonValue.Create(t.Text);
        Add("alpha_pattern", new JsonObject(AlphaPattern.Select(p => KeyValuePair.Create<string, JsonNode?>(p.Key, Plain(p.Value)))));
        Add("base_model_name_or_path", baseModel);
        Add("bias", "none");
        Add("exclude_modules", Chosen(Exclude));
        Add("fan_in_fan_out", false);
        Add("inference_mode", true);
        Add("init_lora_weights", true);
        Add("lora_alpha", Plain(Alpha));
        Add("lora_dropout", Dropout);
        Add("modules_to_save", null);
        Add("peft_type", "LORA");
        Add("r", Rank);
        Add("rank_pattern", new JsonObject(RankPattern.Select(p => KeyValuePair.Create<string, JsonNode?>(p.Key, p.Value))));
        Add("target_modules", Chosen(Targets));
        Add("task_type", null);
        Add("use_dora", false);
        Add("use_rslora", RankStabilized);
        return json;
    }

    // 2 rather than 2.0: an integer alpha is written as one
    private static JsonNode Plain(double value) => value == Math.Floor(value) && Math.Abs(value) < 1e15 ? JsonValue.Create((long)value) : JsonValue.Create(value);

    private static string Short(string path) => path.StartsWith("text_model.", StringComparison.Ordinal) ? path["text_model.".Length..] : path;

    private static LoraTargets? Chosen(JsonElement? value, string where) => value switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } text => text.GetString() is var t && t == "all-linear"
            ? throw new ModelException($"{where}: target_modules is 'all-linear'; name the modules.") : LoraTargets.OfPattern(t!),
        { ValueKind: JsonValueKind.Array } list => LoraTargets.OfNames(list.EnumerateArray().Select(e => e.ToString())),
        { } other => throw new ModelException($"{where}: {Shortened(other)} is neither a pattern nor a list of module names."),
    };

    private static IEnumerable<KeyValuePair<string, double>> Pattern(JsonElement? value, string where)
    {
        if (value is null) yield break;
        if (value.Value.ValueKind != JsonValueKind.Object) throw new ModelException($"{where}: a rank or alpha pattern is {Shortened(value.Value)}, not an object.");
        foreach (var entry in value.Value.EnumerateObject()) yield return KeyValuePair.Create(entry.Name, Number(entry.Value, 0, where, entry.Name));
    }

    private static double Number(JsonElement? value, double otherwise, string where, string key)
    {
        if (value is null) return otherwise;
        return value.Value.ValueKind == JsonValueKind.Number && value.Value.TryGetDouble(out var d) && Math.Abs(d) < 1e9
            ? d : throw new ModelException($"{where}: {key} is {Shortened(value.Value)}, not a usable number.");
    }

    private static string Shortened(JsonElement value) => value.ToString() is { Length: > 80 } text ? text[..80] + "…" : value.ToString();
}
