using System.CommandLine;
using System.Globalization;
using System.Numerics;

namespace LoraFactory.Cli.Commands;

/// <summary>Options that take a number within a range.</summary>
internal static class NumberOption
{
    /// <summary>An option that takes a number; another one, or what is none, is refused with the range.</summary>
    /// <param name="name">Its name, with dashes.</param>
    /// <param name="description">What it is for.</param>
    /// <param name="otherwise">The value without it.</param>
    /// <param name="least">Least value.</param>
    /// <param name="most">Greatest value.</param>
    /// <param name="multipleOf">Takes multiples of this alone; 0 takes all.</param>
    /// <param name="helpName">What stands for the value in help.</param>
    public static Option<T> Of<T>(string name, string description, T otherwise, T least, T most, T? multipleOf = null, string helpName = "N")
        where T : struct, INumber<T>
    {
        var option = new Option<T>(name) { Description = description, HelpName = helpName, DefaultValueFactory = _ => otherwise };
        var multiple = multipleOf is { } step && step != T.Zero;
        option.CustomParser = result =>
        {
            if (result.Tokens is [var token] && T.TryParse(token.Value, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && value >= least && value <= most && (!multiple || value % multipleOf!.Value == T.Zero)) return value;
            var kind = multiple ? string.Create(CultureInfo.InvariantCulture, $"a multiple of {multipleOf}") : typeof(T) == typeof(double) ? "a number" : "a whole number";
            result.AddError(string.Create(CultureInfo.InvariantCulture, $"{name} {string.Join(' ', result.Tokens.Select(t => t.Value))}: it takes {kind} from {least} to {most}."));
            return otherwise;
        };
        return option;
    }
}
