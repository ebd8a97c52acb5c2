using System.Text.Json.Serialization;
using LoraFactory.Flow;

namespace LoraFactory.Stages.Crawl;

/// <summary>JSON of what the frontier and its log of visits hold, written by generated code, which needs no reflection and little compiling.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(Visit))]
[JsonSerializable(typeof(Page))]
[JsonSerializable(typeof(PictureOutcome))]
internal sealed partial class CrawlJson : JsonSerializerContext;
