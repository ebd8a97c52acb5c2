using System.CommandLine;
using System.Globalization;
using System.Reflection;
using LoraFactory.Flow;
using LoraFactory.Stages.Train.Pretraining;

namespace LoraFactory.Cli.Commands;

/// <summary><c>lora pretrain KIND --output DIR</c>: trains a pocket model on drawn scenes, from scratch or on from another.</summary>
public sealed class PretrainCommand : ICommandFile
{
    /// <inheritdoc/>
    public CommandGroup Group => CommandGroup.Engine;

    /// <inheritdoc/>
    public int Order => 40;

    /// <inheritdoc/>
    public Command Build(CommandWorld world)
    {
        var kind = new Argument<string>("KIND") { Description = "clip, captioner, sd, vae or text" };
        kind.AcceptOnlyFromAmong("clip", "captioner", "sd", "vae", "text");
        var json = ResultLines.Option("One JSON object: folder, steps, loss, seconds, metrics");
        var command = new Command("pretrain", "Train a pocket model on drawn scenes, or a text encoder on WordNet's definitions") { kind, json };
        var options = new List<(PropertyInfo Property, Option<string> Option)>();
        foreach (var property in typeof(PretrainOptions).GetProperties())
        {
            if (property.Name == nameof(PretrainOptions.Kind) || property.GetCustomAttribute<OptionAttribute>() is not { } declared) continue;
            var name = string.Concat(property.Name.Select((c, i) => char.IsUpper(c) ? (i > 0 ? "-" : "") + char.ToLowerInvariant(c) : c.ToString()));
            var option = new Option<string>($"--{name}")
            {
                Description = declared.Effect,
                Required = property.Name == nameof(PretrainOptions.Output),
                HelpName = property.PropertyType == typeof(string) ? "PATH" : "N",
            };
            command.Options.Add(option);
            options.Add((property, option));
        }
        command.SetAction((parsed, token) => Task.Run(() =>
        {
            var given = new PretrainOptions { Kind = parsed.GetValue(kind)!, Output = "" };
            foreach (var (property, option) in options)
            {
                if (parsed.GetValue(option) is { } raw) property.SetValue(given, Value(property, option.Name, raw));
            }
            using (var board = world.NewBoard()) Print(ResultLines.Of(world, parsed), PretrainingRun.Run(given, board, world.Clock, token), given.Output);
            return (int)ExitCode.Done;
        }, token));
        return command;
    }

    private static object Value(PropertyInfo property, string name, string raw)
    {
        var declared = property.GetCustomAttribute<OptionAttribute>()!;
        if (property.PropertyType == typeof(string)) return raw;
        var whole = property.PropertyType != typeof(double);
        if (!double.TryParse(raw, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) || number < declared.Min || number > declared.Max || (whole && number != Math.Floor(number)))
            throw new LoraException($"{name} {raw}: it takes {(whole ? "a whole number" : "a number")} of at least {declared.Min}{(double.IsNaN(declared.Max) ? "" : $" and at most {declared.Max}")}.", ExitCode.BadUsage);
        return Convert.ChangeType(number, property.PropertyType, CultureInfo.InvariantCulture);
    }

    private static void Print(ResultLines results, PretrainingResult result, string folder)
    {
        foreach (var m in result.Metrics)
            results.ForPeople(string.Create(CultureInfo.InvariantCulture, $"{m.Name,-20} {m.Value:0.000}  ({m.Low:0.000} to {m.High:0.000}, n {m.N})  {m.Meaning}"));
        results.Write(new { Folder = Path.GetFullPath(folder), result.Steps, result.Loss, result.Seconds, result.Metrics }, string.Create(CultureInfo.InvariantCulture, $"{result.Steps} steps, loss {result.Loss:0.0000}, {result.Seconds:0} s; the model is in {folder}"));
    }
}
