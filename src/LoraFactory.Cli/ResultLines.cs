using System.CommandLine;
using System.Numerics;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using LoraFactory.Flow;

namespace LoraFactory.Cli;

/// <summary>A command's results on the standard output: words for people, or with <c>--json</c> one JSON object a line for programs, in which a figure that does not exist is null.</summary>
/// <param name="Output">The standard output.</param>
/// <param name="Json">Whether programs read it.</param>
internal sealed record ResultLines(TextWriter Output, bool Json)
{
    private const string Name = "--json";

    private static readonly JsonSerializerOptions Format = new(RunDirectory.Json)
    {
        Converters = { new NullWhereNotFinite<double>(JsonMetadataServices.DoubleConverter), new NullWhereNotFinite<float>(JsonMetadataServices.SingleConverter) },
    };

    /// <summary>The option; <paramref name="lines"/> says what a line is, such as "One JSON line per stage".</summary>
    public static Option<bool> Option(string lines) => new(Name) { Description = lines };

    /// <summary>As this call of a command, which has the option, wants them.</summary>
    public static ResultLines Of(CommandWorld world, ParseResult parsed) => new(world.Out, parsed.GetValue<bool>(Name));

    /// <summary>One result, in the one form or the other.</summary>
    public void Write(object item, string words) => Output.WriteLine(Json ? JsonSerializer.Serialize(item, item.GetType(), Format) : words);

    /// <summary>What only programs get.</summary>
    public void ForPrograms(object item)
    {
        if (Json) Write(item, "");
    }

    /// <summary>What only people get, such as where things lie: programs have that in their objects.</summary>
    public void ForPeople(string words)
    {
        if (!Json) Output.WriteLine(words);
    }

    // JSON has no NaN, and a text in a number's place breaks programs
    private sealed class NullWhereNotFinite<T>(JsonConverter<T> plain) : JsonConverter<T> where T : INumberBase<T>
    {
        public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => plain.Read(ref reader, typeToConvert, options)!;

        public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options)
        {
            if (T.IsFinite(value)) plain.Write(writer, value, options);
            else writer.WriteNullValue();
        }
    }
}
