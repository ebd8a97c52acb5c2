using System.CommandLine;
using System.Text.Json.Nodes;
using LoraFactory.Cli.Commands;
using LoraFactory.Cli.Engine.Bench;
using LoraFactory.Flow;

namespace LoraFactory.Cli.Engine;

/// <summary><c>lora bench train|draw|embed|ops|load|clean|crawl|web|frontier|extract|pictures</c>: speed and memory on this machine, one JSON line each; bench/README.md says how to compare.</summary>
public sealed class BenchCommand : ICommandFile
{
    /// <inheritdoc/>
    public CommandGroup Group => CommandGroup.Engine;

    /// <inheritdoc/>
    public int Order => 30;

    /// <inheritdoc/>
    public Command Build(CommandWorld world) => new("bench", "Measure speed and memory on this machine: one JSON line each")
    {
        Train(world), Draw(world), Embed(world), Operators(world), Load(world), Clean(world), CrawlBench.CrawlCommand(world), CrawlBench.WebCommand(world), FrontierBench.Command(world), ExtractBench.Command(world), PictureBench.Command(world),
    };

    private static Command Train(CommandWorld world)
    {
        var dims = OneOf("--dims", "tiny (9 M weights), sd15 (860 M) or pocket", BenchModels.Names);
        var batch = NumberOption.Of("--batch", "Pictures a step; 0: 4 for tiny, 1 for sd15, 8 for pocket", 0, 0, 1024);
        var latent = NumberOption.Of("--latent", "Side of the latents, a multiple of 8; 0: 32 for tiny, 16 for sd15, the model's own for pocket", 0, 0, 256, 8);
        var rank = NumberOption.Of("--rank", "Rank of the adapter", 8, 1, 1024);
        var targets = OneOf("--targets", "Layers that carry it, as train.targets", ["attention", "attention-ff", "all"]);
        var steps = NumberOption.Of("--steps", "Steps of one timed run", 1, 1, 100_000);
        var checkpointing = NumberOption.Of("--ckpt", "1 recomputes activations in the backward pass", 0, 0, 1);
        return Bench(world, "train", "Steps a second of LoRA training on random weights", [dims, batch, latent, rank, targets, steps, checkpointing], (parsed, settings) =>
            TrainBench.Run(new(parsed.GetValue(dims)!, parsed.GetValue(batch), parsed.GetValue(latent), parsed.GetValue(rank), parsed.GetValue(steps), parsed.GetValue(checkpointing) == 1, parsed.GetValue(targets)!), settings));
    }

    private static Command Draw(CommandWorld world)
    {
        var part = OneOf("--part", "pocket: pictures of the pocket model; unet, vae: one pass at Stable Diffusion 1.5's dimensions", ["pocket", "unet", "vae"]);
        var dims = OneOf("--dims", "Dimensions of --part unet", ["sd15", "tiny"]);
        var batch = NumberOption.Of("--batch", "Pictures at a time", 1, 1, 64);
        var latent = NumberOption.Of("--latent", "Side of the latents, for unet and vae", 32, 4, 256);
        var steps = NumberOption.Of("--steps", "Sampling steps, for pocket", 20, 1, 1000);
        return Bench(world, "draw", "Pictures a second", [part, dims, batch, latent, steps], (parsed, settings) =>
            DrawBench.Run(new(parsed.GetValue(part)!, parsed.GetValue(dims)!, parsed.GetValue(batch), parsed.GetValue(latent), parsed.GetValue(steps)), settings));
    }

    private static Command Embed(CommandWorld world)
    {
        var batch = NumberOption.Of("--batch", "Texts at a time", 64, 1, 1024);
        var length = NumberOption.Of("--length", "Tokens of a text", 64, 2, 512);
        var part = OneOf("--part", "minilm: an encoder of MiniLM's dimensions, random weights; pocket: the project's own, --length in words", ["minilm", "pocket"]);
        return Bench(world, "embed", "Texts a second through a text encoder", [part, batch, length], (parsed, settings) => parsed.GetValue(part) == "pocket"
            ? EmbedBench.Pocket(parsed.GetValue(batch), parsed.GetValue(length), settings) : EmbedBench.Run(parsed.GetValue(batch), parsed.GetValue(length), settings));
    }

    private static Command Operators(CommandWorld world)
    {
        var rounds = NumberOption.Of("--rounds", "Rounds; the fastest counts", 15, 1, 1000);
        var calls = NumberOption.Of("--calls", "Calls a round", 20_000, 1, 10_000_000);
        return Bench(world, "ops", "Nanoseconds of single operators through the door", [rounds, calls], (parsed, settings) =>
            OperatorBench.Run(parsed.GetValue(rounds), parsed.GetValue(calls), settings));
    }

    private static Command Load(CommandWorld world)
    {
        var size = NumberOption.Of("--mb", "Size of the file in MiB, a multiple of 16", 1024, 16, 65_536, 16);
        var path = new Option<string?>("--path") { Description = "Keep the file here and use it again; without it, a temporary file", HelpName = "FILE" };
        return Bench(world, "load", "GB a second of a safetensors file", [size, path], (parsed, settings) => LoadBench.Run(parsed.GetValue(size), parsed.GetValue(path), settings));
    }

    private static Command Clean(CommandWorld world)
    {
        var documents = NumberOption.Of("--documents", "Generated pages of text, about 5 kB each", 5_000, 1, 1_000_000);
        var signatures = NumberOption.Of("--signatures", "MinHash signatures searched for near duplicates, one in ten of them planted; 0: none", 1_000_000, 0, 50_000_000);
        return Bench(world, "clean", "Documents a CPU second of the text stages on one thread, and the search for near duplicates with its memory", [documents, signatures], (parsed, settings) =>
            CleanBench.Run(parsed.GetValue(documents), parsed.GetValue(signatures), settings));
    }

    private static Command Bench(CommandWorld world, string name, string description, Option[] options, Func<ParseResult, BenchSettings, JsonObject> run)
    {
        var threads = NumberOption.Of("--threads", "Threads of one operator", 2, 1, 1024);
        var repetitions = NumberOption.Of("--reps", "Timed runs; the fastest counts", 3, 1, 10_000);
        var warm = NumberOption.Of("--warm", "Untimed runs before them", 1, 0, 1000);
        var command = new Command(name, description);
        foreach (var option in (Option[])[.. options, threads, repetitions, warm]) command.Options.Add(option);
        command.SetAction((parsed, token) => Task.Run(() =>
        {
            var line = run(parsed, new(parsed.GetValue(threads), parsed.GetValue(repetitions), parsed.GetValue(warm), token));
            world.Out.WriteLine(line.ToJsonString(RunDirectory.Json));
            return (int)ExitCode.Done;
        }, token));
        return command;
    }

    private static Option<string> OneOf(string name, string description, string[] values)
    {
        var option = new Option<string>(name) { Description = description, DefaultValueFactory = _ => values[0] };
        option.AcceptOnlyFromAmong(values);
        return option;
    }
}
