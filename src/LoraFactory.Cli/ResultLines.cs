using System.CommandLine;
using System.Text.Json;
using LoraFactory.Flow;

namespace LoraFactory.Cli;

/// <summary>A command's results on the standard output: words for people, or with <c>--json</c> one JSON object a line for programs.</summary>
/// <param name="Output">The standard output.</param>
/// <param name="Json">Whether programs read it.</param>
internal sealed record ResultLines(TextWriter Output, bool Json)
{
    private const string Name = "--json";

    /// <summary>The option; <paramref name="lines"/> says what a line is, such as "One JSON line per stage".</summary>
    public static Option<bool> Option(string lines) => new(Name) { Description = lines };

    /// <summary>As this call of a command, which has the option, wants them.</summary>
    public static ResultLines Of(CommandWorld world, ParseResult parsed) => new(world.Out, parsed.GetValue<bool>(Name));

    /// <summary>One result, in the one form or the other.</summary>
    public void Write(object item, string words) => Output.WriteLine(Json ? JsonSerializer.Serialize(item, item.GetType(), RunDirectory.Json) : words);

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
}
