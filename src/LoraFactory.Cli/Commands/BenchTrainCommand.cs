using System.CommandLine;
using System.Text.Json;
using LoraFactory.Flow;
using LoraFactory.Stages.Train;

namespace LoraFactory.Cli.Commands;

/// <summary><c>lora bench-train</c>: a training step's time and memory, one JSON line.</summary>
public sealed class BenchTrainCommand : ICommandFile
{
    /// <inheritdoc/>
    public CommandGroup Group => CommandGroup.Engine;

    /// <inheritdoc/>
    public int Order => 60;

    /// <inheritdoc/>
    public Command Build(CommandWorld world)
    {
        var dims = new Option<string>("--dims") { Description = "tiny (9 M weights) or sd15 (860 M)", DefaultValueFactory = _ => "tiny" };
        dims.AcceptOnlyFromAmong("tiny", "sd15");
        var batch = new Option<int>("--batch") { Description = "Pictures; 0 takes the dimension's own" };
        var latent = new Option<int>("--latent") { Description = "Side of the latents; 0 takes the dimension's own" };
        var rank = new Option<int>("--rank") { Description = "Rank on the attention projections", DefaultValueFactory = _ => 8 };
        var checkpointing = new Option<bool>("--ckpt") { Description = "Recompute activations" };
        var repetitions = new Option<int>("--reps") { Description = "Measured steps", DefaultValueFactory = _ => 3 };
        var command = new Command("bench-train", "Measure a training step on random weights; one JSON line") { dims, batch, latent, rank, checkpointing, repetitions };
        command.SetAction(parsed =>
        {
            var line = TrainingBench.Run(new()
            {
                Dims = parsed.GetValue(dims)!, Batch = parsed.GetValue(batch), Latent = parsed.GetValue(latent), Rank = parsed.GetValue(rank),
                Checkpointing = parsed.GetValue(checkpointing), Repetitions = Math.Max(1, parsed.GetValue(repetitions)),
            });
            world.Out.WriteLine(JsonSerializer.Serialize(line, RunDirectory.Json));
            return (int)ExitCode.Done;
        });
        return command;
    }
}
