using System.Text.Json;

namespace LoraFactory.Pages.Html;

/// <summary>What a page's linked data (JSON-LD, schema.org) say of its article.</summary>
internal sealed class JsonLd
{
    /// <summary>Type of the scripts that hold it.</summary>
    public const string MediaType = "application/ld+json";

    private const int MaxScript = 500_000, MaxObjects = 2000, MaxNames = 20;

    private static readonly string[] Articles = ["Article", "NewsArticle", "BlogPosting", "Report", "TechArticle", "ScholarlyArticle", "ReportageNewsArticle", "AnalysisNewsArticle", "LiveBlogPosting", "Posting", "WebPage", "VideoObject", "Recipe"];

    /// <summary>headline or name of the article.</summary>
    public string? Headline { get; private set; }
    /// <summary>Names of its authors.</summary>
    public List<string> Authors { get; } = [];
    /// <summary>datePublished.</summary>
    public string? Published { get; private set; }
    /// <summary>dateModified.</summary>
    public string? Modified { get; private set; }
    /// <summary>Name of its publisher.</summary>
    public string? Publisher { get; private set; }
    /// <summary>Licence as a URL.</summary>
    public string? Licence { get; private set; }
    /// <summary>Addresses of its pictures.</summary>
    public List<string> Images { get; } = [];

    /// <summary>Reads one script; what is no JSON says nothing.</summary>
    public void Read(string script)
    {
        if (script.Length > MaxScript) return;
        try
        {
            using var document = JsonDocument.Parse(script, new JsonDocumentOptions { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip });
            var open = new Stack<JsonElement>();
            open.Push(document.RootElement);
            for (var count = 0; open.Count > 0 && count < MaxObjects; count++)
            {
                var element = open.Pop();
                if (element.ValueKind == JsonValueKind.Array)
                    foreach (var item in element.EnumerateArray().Reverse()) open.Push(item);
                if (element.ValueKind != JsonValueKind.Object) continue;
                if (element.TryGetProperty("@graph", out var graph)) open.Push(graph);
                if (IsArticle(element)) Take(element);
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or ArgumentException)
        {
            // linked data that is broken, or has lone surrogates in a text, is as good as none
        }
    }

    private static bool IsArticle(JsonElement element)
    {
        if (!element.TryGetProperty("@type", out var type)) return false;
        return type.ValueKind == JsonValueKind.Array ? type.EnumerateArray().Any(Is) : Is(type);

        static bool Is(JsonElement type) => type.ValueKind == JsonValueKind.String && Articles.Contains(type.GetString());
    }

    private void Take(JsonElement article)
    {
        Headline ??= Text(article, "headline") ?? Text(article, "name");
        Published ??= Text(article, "datePublished");
        Modified ??= Text(article, "dateModified");
        Licence ??= Text(article, "license");
        if (Publisher is null && article.TryGetProperty("publisher", out var publisher)) Publisher = Names(publisher).FirstOrDefault();
        if (Authors.Count == 0 && article.TryGetProperty("author", out var author)) Authors.AddRange(Names(author).Distinct(StringComparer.Ordinal).Take(MaxNames));
        if (article.TryGetProperty("image", out var image)) Images.AddRange(Addresses(image).Take(MaxNames - Math.Min(MaxNames, Images.Count)));
    }

    private static IEnumerable<string> Names(JsonElement who)
    {
        if (who.ValueKind == JsonValueKind.Array) return who.EnumerateArray().Where(one => one.ValueKind != JsonValueKind.Array).SelectMany(Names);
        var name = who.ValueKind == JsonValueKind.String ? who.GetString() : who.ValueKind == JsonValueKind.Object ? Text(who, "name") : null;
        return name is { Length: > 0 and < 200 } ? [PageText.Line(name, 200)] : [];
    }

    private static IEnumerable<string> Addresses(JsonElement image)
    {
        if (image.ValueKind == JsonValueKind.Array) return image.EnumerateArray().Where(one => one.ValueKind != JsonValueKind.Array).SelectMany(Addresses);
        var url = image.ValueKind == JsonValueKind.String ? image.GetString() : image.ValueKind == JsonValueKind.Object ? Text(image, "url") ?? Text(image, "contentUrl") : null;
        return url is { Length: > 0 } ? [url] : [];
    }

    private static string? Text(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String && value.GetString() is { Length: > 0 } text ? text : null;
}
