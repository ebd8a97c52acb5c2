using System.Text.Json.Serialization;
using LoraFactory.Flow;

namespace LoraFactory.Stages.Crawl;

/// <summary>JSON of what the frontier and its log of visits hold, written by generated code: reflection costs a short crawl a tenth of its time.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(Visit))]
[JsonSerializable(typeof(Page))]
[JsonSerializable(typeof(PictureOutcome))]
internal sealed partial class CrawlJson : JsonSerializerContext;
