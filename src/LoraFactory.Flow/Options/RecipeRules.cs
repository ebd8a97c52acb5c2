using System.Net;
using System.Text.RegularExpressions;

namespace LoraFactory.Flow;

/// <summary>A rule that no single option can hold: it looks at the whole recipe.</summary>
/// <param name="Id">"LR" and three digits, from LR101.</param>
/// <param name="Keys">Keys it is about, the one to name first.</param>
/// <param name="Broken">What is wrong, or null when the rule holds.</param>
/// <param name="Fix">What to do.</param>
/// <param name="Severity">Error, or warning.</param>
/// <param name="Valid">Valid values in words.</param>
public sealed record RecipeRule(string Id, IReadOnlyList<string> Keys, Func<Recipe, string?> Broken, string Fix, Severity Severity = Severity.Error, string? Valid = null);

/// <summary>The rules between keys. Ranges and choices of single keys are declared with the options themselves.</summary>
public static partial class RecipeRules
{
    /// <summary>All rules; each runs only when every value that it looks at was readable.</summary>
    public static IReadOnlyList<RecipeRule> All { get; } = [.. Naming(), .. Seeds(), .. Crawling(), .. Meaning(), .. Labels(), .. Training(), .. Evaluating()];

    private static IEnumerable<RecipeRule> Naming()
    {
        yield return new("LR101", ["name"], r => RunName().IsMatch(r.Name) ? null : $"{r.Name} cannot name a directory and an adapter",
            "Write for example blueprint-v1", Valid: "letters, digits, - _ and ., beginning with a letter or digit");
        yield return new("LR104", ["base.clip", "base.model"], r => r.Base.Clip == "pocket-clip" && IsOfTheWorld(r.Base.Model) ? $"pocket-clip knows the project's drawn scenes, not what {r.Base.Model} draws: its scores and gates would mean little" : null,
            "Name a full CLIP, such as openai/clip-vit-large-patch14", Severity.Warning);
    }

    // "owner/name" or a single file: a base of the world, where a folder may be one that lora pretrain made.
    private static bool IsOfTheWorld(string model) => !model.StartsWith("pocket-", StringComparison.Ordinal) && !Directory.Exists(UserPath.Expand(model));

    private static IEnumerable<RecipeRule> Seeds()
    {
        yield return new("LR110", ["seed.topic", "label.source"], r => r.Label.Source == "crawl" && string.IsNullOrWhiteSpace(r.Seed.Topic) ? "a crawl needs a topic" : null,
            "Say in a few words what the adapter is about, or use label.source: folder");
        yield return new("LR111", ["seed.urls", "label.source"], r => r.Label.Source == "crawl" && r.Seed.Urls.Count == 0 ? "a crawl needs a place to begin" : null,
            "List at least one http(s) address, or use label.source: folder");
        yield return new("LR112", ["seed.urls"], r => r.Seed.Urls.FirstOrDefault(u => !IsWeb(u)) is { } bad ? $"{bad} is not an absolute http(s) address" : null,
            "Write it as https://host/path");
        yield return new("LR113", ["seed.concept_api"], r => r.Seed.ConceptApi.Length > 0 && !IsWeb(r.Seed.ConceptApi) ? $"{r.Seed.ConceptApi} is not an absolute http(s) address" : null,
            "Write it as https://api.conceptnet.io, or leave it empty");
    }

    private static IEnumerable<RecipeRule> Crawling()
    {
        yield return new("LR120", ["crawl.resolve"], r => r.Crawl.Resolve.FirstOrDefault(e => !IsFixedAddress(e)) is { } bad ? $"{bad} is not host=ip:port" : null,
            "Write for example drawings.test=127.0.0.1:8080");
        yield return new("LR121", ["crawl.max_crawl_delay_seconds", "crawl.delay_seconds"],
            r => r.Crawl.MaxCrawlDelaySeconds < r.Crawl.DelaySeconds ? "it is below crawl.delay_seconds, so every host would be left out" : null, "Raise it or lower crawl.delay_seconds");
        yield return new("LR122", ["crawl.user_agent"], r => r.Crawl.UserAgent.Any(char.IsControl) ? "it holds control characters" : null, "Write one line of plain text");
        yield return new("LR128", ["crawl.user_agent"], r => r.Crawl.UserAgent.Contains("http://", StringComparison.Ordinal) || r.Crawl.UserAgent.Contains("https://", StringComparison.Ordinal) || r.Crawl.UserAgent.Contains('@', StringComparison.Ordinal) ? null : "it does not say how to reach you",
            "Write a name and an address where site owners find you, such as MyCrawler/1.0 (+https://example.org/crawler)");
        yield return new("LR129", ["crawl.allow_ports"], r => r.Crawl.AllowPorts.FirstOrDefault(p => !ushort.TryParse(p, out var port) || port == 0) is { } bad ? $"{bad} is not a port" : null, "Write numbers such as \"8080\"", Valid: "1..65535");
        yield return new("LR123", ["clean.languages"], r => r.Clean.Languages.FirstOrDefault(l => !LanguageTag().IsMatch(l)) is { } bad ? $"{bad} is not a language tag" : null,
            "Write BCP-47 tags such as en or zh-Hans");
    }

    private static IEnumerable<RecipeRule> Meaning()
    {
        yield return new("LR124", ["clean.zero_shot", "clean.text_encoder"], r => r.Clean.ZeroShot.Length > 0 && r.Clean.TextEncoder == "none" ? "it has no effect with clean.text_encoder: none" : null,
            "Set clean.text_encoder: pocket, or delete it", Severity.Warning);
    }

    private static IEnumerable<RecipeRule> Labels()
    {
        yield return new("LR130", ["label.folder", "label.source"], r => r.Label.Source == "folder" && r.Label.Folder.Length == 0 ? "label.source: folder needs a folder" : null,
            "Name the folder that holds your pictures");
        yield return new("LR132", ["label.folder", "label.source"], r => r.Label.Folder.Length > 0 && r.Label.Source == "crawl" ? "it has no effect with label.source: crawl" : null,
            "Set label.source: folder, or delete it", Severity.Warning);
        yield return new("LR133", ["label.trigger_forms"], r => r.Label.TriggerForms.FirstOrDefault(f => !f.Contains("{trigger}", StringComparison.Ordinal) || !f.Contains("{caption}", StringComparison.Ordinal)) is { } bad ? $"\"{bad}\" lacks {{trigger}} or {{caption}}" : null,
            "Write for example \"{trigger}, {caption}\" or \"a {trigger} of {caption}\"");
    }

    private static IEnumerable<RecipeRule> Training()
    {
        yield return new("LR134", ["augment.flip", "train.flip"], r => r.Augment.Flip && r.Train.Flip ? "train.flip mirrors every picture while it trains, also those that augment.flip leaves as they are" : null,
            "Set train.flip: false", Severity.Warning);
        yield return new("LR140", ["train.warmup_steps", "train.steps"], r => r.Train.Steps > 0 && r.Train.WarmupSteps >= r.Train.Steps ? $"the rate would still be rising when training ends after {r.Train.Steps} steps" : null,
            "Set it below train.steps");
        yield return new("LR141", ["train.resolution"], r => r.Train.Resolution % 8 != 0 ? $"{r.Train.Resolution} is not a multiple of 8, which the picture encoder needs" : null,
            "Take the next multiple of 8");
        yield return new("LR143", ["configure.allow_override"], r => r.Configure.AllowOverride.FirstOrDefault(k => OptionCatalog.Find(k) is null) is { } bad ? $"{bad} is not a key" : null,
            "Write full keys such as train.rank");
        yield return new("LR144", ["train.patience", "train.validate_every"], r => r.Train.Patience > 0 && r.Train.ValidateEvery == 0 ? "without validation there is no early stop" : null,
            "Set train.validate_every, or train.patience: 0", Severity.Warning);
        yield return new("LR145", ["train.validate_every", "label.validation_share"], r => r.Train.ValidateEvery > 0 && r.Label.ValidationShare == 0 ? "nothing is held out, so there is no validation" : null,
            "Set label.validation_share above 0, or train.validate_every: 0", Severity.Warning);
    }

    private static IEnumerable<RecipeRule> Evaluating()
    {
        yield return new("LR150", ["evaluate.prompts"], r => r.Evaluate.Prompts.FirstOrDefault(p => Braces().Match(p) is { Success: true, Value: not "{trigger}" }) is { } bad ? $"{bad} holds braces that are not {{trigger}}" : null,
            "Only {trigger} is replaced");
        yield return new("LR151", ["evaluate.prompts", "label.trigger"], r => r.Label.Trigger.Length == 0 && r.Evaluate.Prompts.Any(p => p.Contains("{trigger}", StringComparison.Ordinal)) ? "{trigger} is replaced by nothing, since label.trigger is empty" : null,
            "Set label.trigger", Severity.Warning);
        yield return new("LR152", ["evaluate.prompts"], r => r.Evaluate.Prompts.Any(string.IsNullOrWhiteSpace) ? "a prompt is blank" : null, "Delete it");
        yield return new("LR153", ["evaluate.prompts"], r => r.Evaluate.Prompts.Count > 0 ? EvaluateOptions.TooFew(r.Evaluate.Prompts.Concat(r.Evaluate.Also).Distinct(StringComparer.Ordinal).Count()) : null,
            $"Name at least {EvaluateOptions.EnoughPrompts}, on things that the pictures do not show", Severity.Warning);
    }

    private static bool IsWeb(string url) => Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && uri.Host.Length > 0;

    private static bool IsFixedAddress(string entry)
    {
        var equals = entry.IndexOf('=');
        return equals > 0 && Uri.CheckHostName(entry[..equals]) != UriHostNameType.Unknown && IPEndPoint.TryParse(entry[(equals + 1)..], out var end) && end.Port > 0;
    }

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._-]*\z", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex RunName();

    [GeneratedRegex(@"\A[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex LanguageTag();

    [GeneratedRegex(@"\{(?!trigger\})[^}]*\}?", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Braces();
}

/// <summary>Paths as people write them.</summary>
public static class UserPath
{
    /// <summary>The path with a leading ~ replaced by the home directory.</summary>
    public static string Expand(string path) =>
        path == "~" || path.StartsWith("~/", StringComparison.Ordinal)
            ? Environment.GetFolderPath(Environment.SpecialFolder.UserProfile) + path[1..]
            : path;

    /// <summary>The path as it is typed after an option: in quotes where it holds a blank.</summary>
    public static string Quoted(string path) => path.Contains(' ', StringComparison.Ordinal) ? $"'{path}'" : path;
}
