using System.Collections;

namespace LoraFactory.Flow;

/// <summary>
/// Reads a recipe completely before anything starts and reports every problem at once.
/// Layers, later wins: defaults, the file, the environment (<c>LORA_TRAIN__RANK=8</c>), <c>--set train.rank=8</c>.
/// </summary>
public static class RecipeReader
{
    private const string Prefix = "LORA_";

    /// <summary>Reads a file; a missing or unreadable one is a problem like any other.</summary>
    /// <param name="path">Path of the recipe.</param>
    /// <param name="sets">Overrides as key=value, from <c>--set</c>.</param>
    /// <param name="environment">Environment variables; null takes those of the process.</param>
    public static RecipeReading Read(string path, IEnumerable<string>? sets = null, IReadOnlyDictionary<string, string>? environment = null)
    {
        var name = Path.GetFileName(path);
        try
        {
            var file = new FileInfo(path);
            if (Directory.Exists(path)) return Unread(name, path, "is a directory", "Name the recipe's file");
            if (!file.Exists) return Unread(name, path, "does not exist", $"{NearestPath.Hint(path)} lora init FILE writes a commented one".TrimStart());
            if (file.Length > YamlTree.MaxBytes) return Unread(name, path, $"has {file.Length} bytes; a recipe has at most {YamlTree.MaxBytes}", null);
            return ReadBytes(File.ReadAllBytes(path), name, sets, environment);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Unread(name, path, "cannot be read: " + e.Message, "Check its permissions");
        }
    }

    /// <summary>Reads the bytes of a recipe; <paramref name="name"/> stands for the file in messages.</summary>
    public static RecipeReading ReadBytes(ReadOnlySpan<byte> bytes, string name, IEnumerable<string>? sets = null, IReadOnlyDictionary<string, string>? environment = null)
    {
        var reading = new Layers(name);
        try
        {
            reading.AddFile(YamlTree.Read(bytes));
        }
        catch (YamlFault fault)
        {
            reading.Problems.Add(new RecipeProblem { Id = fault.Id, Key = "", Message = fault.Message, Fix = fault.Fix, Source = name, Line = fault.Line });
        }
        reading.AddEnvironment(environment ?? Environment());
        foreach (var set in sets ?? []) reading.AddSet(set);
        return reading.Finish();
    }

    private static RecipeReading Unread(string name, string path, string what, string? fix) =>
        new(new Recipe(), [new RecipeProblem { Id = "LR001", Key = "", Message = $"the recipe {path} {what}", Fix = fix, Source = name }], new Dictionary<string, string>());

    private static Dictionary<string, string> Environment() =>
        System.Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .ToDictionary(e => (string)e.Key, e => (string?)e.Value ?? "", StringComparer.Ordinal);

    /// <summary>The values gathered so far, with their places.</summary>
    private sealed class Layers(string file)
    {
        private readonly Dictionary<string, object> values = new(StringComparer.Ordinal);
        private readonly Dictionary<string, (string Source, int Line)> places = new(StringComparer.Ordinal);

        public List<RecipeProblem> Problems { get; } = [];

        public void AddFile(YamlPart? root)
        {
            if (root is null) return;
            if (root is not YamlMap map)
            {
                Report("LR007", "", "a recipe is a mapping of keys to values", null, "lora init FILE writes one", file, root.Line);
                return;
            }
            AddMap("", map);
        }

        private void AddMap(string section, YamlMap map)
        {
            var seen = new Dictionary<string, int>(StringComparer.Ordinal);
            foreach (var (keyText, part) in map.Entries)
            {
                var full = section.Length == 0 ? keyText.Text : $"{section}.{keyText.Text}";
                if (!seen.TryAdd(keyText.Text, keyText.Line))
                    Report("LR014", full, $"the key stands twice, first in line {seen[keyText.Text]}", null, "Delete one", file, keyText.Line);
                else if (section.Length == 0 && OptionCatalog.Sections.Contains(keyText.Text)) AddSection(keyText, part);
                else if (OptionCatalog.Find(full) is { } option) AddYaml(option, keyText.Line, part);
                else Unknown(section, keyText.Text, file, keyText.Line);
            }
        }

        private void AddSection(YamlText key, YamlPart part)
        {
            places[key.Text] = (file, key.Line);
            if (part is YamlMap map) AddMap(key.Text, map);
            else if (part is not YamlText { IsPlain: true, Text: "" })
                Report("LR007", key.Text, "a section holds keys, not a value", null, "Write its keys indented below it", file, key.Line);
        }

        private void AddYaml(OptionEntry option, int line, YamlPart part)
        {
            var faults = new List<ValueFault>();
            Keep(option, OptionParser.FromYaml(option, part, faults), faults, file, line);
        }

        public void AddEnvironment(IReadOnlyDictionary<string, string> environment)
        {
            foreach (var (variable, raw) in environment.Where(e => e.Key.StartsWith(Prefix, StringComparison.Ordinal)).OrderBy(e => e.Key, StringComparer.Ordinal))
            {
                var key = variable[Prefix.Length..].ToLowerInvariant().Replace("__", ".");
                var option = OptionCatalog.Find(key);
                if (option is not null)
                {
                    var faults = new List<ValueFault>();
                    Keep(option, OptionParser.FromRaw(option, raw, faults), faults, variable, 0);
                }
                else if (key.Contains('.')) Unknown(key[..key.IndexOf('.')], key[(key.IndexOf('.') + 1)..], variable, 0); // others, such as LORA_LIBTORCH, are not options
            }
        }

        public void AddSet(string set)
        {
            var equals = set.IndexOf('=');
            var key = (equals < 0 ? set : set[..equals]).Trim();
            if (equals < 1)
            {
                Report("LR008", key, $"--set {set} has no value", null, "Write --set KEY=VALUE, e.g. --set train.rank=8", "--set", 0);
                return;
            }
            if (OptionCatalog.Find(key) is { } option)
            {
                var faults = new List<ValueFault>();
                Keep(option, OptionParser.FromRaw(option, set[(equals + 1)..].Trim(), faults), faults, "--set", 0);
                return;
            }
            var dot = key.IndexOf('.');
            Unknown(dot < 0 ? "" : key[..dot], dot < 0 ? key : key[(dot + 1)..], "--set", 0);
        }

        private void Keep(OptionEntry option, object? value, List<ValueFault> faults, string source, int line)
        {
            foreach (var fault in faults) Report(fault.Id, option.Key, fault.Message, option.Valid, fault.Fix, source, line);
            if (value is null) return;
            values[option.Key] = value;
            places[option.Key] = (source, line);
        }

        private void Unknown(string section, string name, string source, int line)
        {
            var known = section.Length == 0 || OptionCatalog.Sections.Contains(section);
            var full = section.Length == 0 ? name : $"{section}.{name}";
            var near = known ? NearestKey.Of(section, name) : NearestKey.Among(section, OptionCatalog.Sections) is { } meant && OptionCatalog.Find($"{meant}.{name}") is { } there ? there.Key : NearestKey.Of("", section);
            Report("LR010", Clip(full), "there is no such key", null, near is null ? $"lora recipe schema lists the keys{(known && section.Length > 0 ? " of " + section : "")}" : $"Did you mean {near}?", source, line);
        }

        private static string Clip(string text) => text.Length <= 80 ? text : text[..77] + "...";

        private void Report(string id, string key, string message, string? valid, string? fix, string source, int line) =>
            Problems.Add(new RecipeProblem { Id = id, Key = key, Message = message, Valid = valid, Fix = fix, Source = source, Line = line });

        public RecipeReading Finish()
        {
            var recipe = OptionCatalog.Compose(values);
            if (!Problems.Any(p => p.Key.Length == 0)) // of a file that could not be read nothing more can be said
            {
                var faulty = Problems.Select(p => p.Key).ToHashSet(StringComparer.Ordinal);
                foreach (var rule in RecipeRules.All.Where(r => !r.Keys.Any(faulty.Contains)))
                {
                    if (rule.Broken(recipe) is not { } message) continue;
                    var (source, line) = PlaceOf(rule.Keys);
                    Problems.Add(new RecipeProblem { Id = rule.Id, Severity = rule.Severity, Key = rule.Keys[0], Message = message, Valid = rule.Valid, Fix = rule.Fix, Source = source, Line = line });
                }
            }
            var origins = places.Where(p => OptionCatalog.Find(p.Key) is not null)
                .ToDictionary(p => p.Key, p => p.Value.Line > 0 ? $"{p.Value.Source}:{p.Value.Line}" : p.Value.Source, StringComparer.Ordinal);
            return new RecipeReading(recipe, [.. Problems.OrderBy(p => p.Line == 0 ? int.MaxValue : p.Line)], origins);
        }

        private (string Source, int Line) PlaceOf(IReadOnlyList<string> keys)
        {
            foreach (var key in keys)
                if (places.TryGetValue(key, out var place)) return place;
            var section = keys[0].Split('.')[0];
            return places.TryGetValue(section, out var start) ? start : (file, 1);
        }
    }
}
