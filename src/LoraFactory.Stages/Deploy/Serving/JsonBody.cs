using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using LoraFactory.Flow;
using LoraFactory.Models;
using Microsoft.AspNetCore.Http;

namespace LoraFactory.Stages.Deploy.Serving;

/// <summary>Reads a request's body strictly: what is wrong with it is one sentence that ends with the keys that there are.</summary>
internal static class JsonBody
{
    private const int LongestShown = 80;

    private static readonly JsonSerializerOptions Strict = new(RunDirectory.Json)
    {
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectNullableAnnotations = true,
    };

    /// <summary>The body as a <typeparamref name="T"/>. <paramref name="keys"/>: those that the sentence names, where they are not the type's own.</summary>
    public static async Task<T> ReadAsync<T>(HttpContext context, IEnumerable<string>? keys = null) where T : class
    {
        // also keeps web pages out: a browser asks before it sends JSON to another site, and is not answered
        if (!context.Request.HasJsonContentType()) throw new BadHttpRequestException($"the body's Content-Type is {context.Request.ContentType ?? "missing"}; send application/json", 415);
        JsonException? wrong = null;
        try
        {
            if (await JsonSerializer.DeserializeAsync<T>(context.Request.Body, Strict, context.RequestAborted) is { } read) return read;
        }
        catch (JsonException e)
        {
            wrong = e;
        }
        var known = (keys ?? KeysOf<T>()).ToList();
        var at = Short(wrong?.Path ?? "$");
        if (!at.StartsWith("$.", StringComparison.Ordinal)) throw Wrong($"the body is not the JSON object that is needed: the fault is at {at}, line {(wrong?.LineNumber ?? 0) + 1}", known);
        throw known.Contains(at[2..], StringComparer.OrdinalIgnoreCase) ? Wrong($"{at[2..]} has a value of the wrong kind, or the JSON ends there", known) : Unknown(at[2..], known);
    }

    /// <summary>The error for a key that there is not.</summary>
    public static ModelException Unknown(string key, IEnumerable<string> keys) => Wrong($"there is no key {Short(key)} here", keys);

    /// <summary>The keys of a type, as they stand in JSON.</summary>
    public static IEnumerable<string> KeysOf<T>() =>
        typeof(T).GetProperties().Where(p => p.GetCustomAttribute<JsonExtensionDataAttribute>() is null).Select(p => KeyNaming.Instance.ConvertName(p.Name));

    /// <summary>A key or a value as a message may show it.</summary>
    public static string Short(string text) => text.ReplaceLineEndings(" ") is var line && line.Length > LongestShown ? line[..LongestShown] + "…" : line;

    private static ModelException Wrong(string fault, IEnumerable<string> keys) => new($"{fault}; the keys are {string.Join(", ", keys)}.");
}
