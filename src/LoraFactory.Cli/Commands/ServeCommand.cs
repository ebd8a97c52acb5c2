using System.CommandLine;
using System.Net;
using LoraFactory.Flow;
using LoraFactory.Stages.Deploy.Serving;
using LoraFactory.Stages.Feedback;

namespace LoraFactory.Cli.Commands;

/// <summary><c>lora serve</c>: the endpoint, until Ctrl-C.</summary>
public sealed class ServeCommand : ICommandFile
{
    /// <inheritdoc/>
    public CommandGroup Group => CommandGroup.Service;

    /// <inheritdoc/>
    public int Order => 10;

    /// <inheritdoc/>
    public Command Build(CommandWorld world)
    {
        var recipe = new Argument<string?>("RECIPE") { Description = "A recipe whose base, store, port and resources are taken where no option says otherwise", Arity = ArgumentArity.ZeroOrOne };
        var model = new Option<string?>("--base") { Description = "Base model: a folder, a name in the Hugging Face cache, or pocket-sd [default: the recipe's, or pocket-sd]", HelpName = "MODEL" };
        var prediction = new Option<string?>("--prediction") { Description = "What the base predicts [default: the recipe's, or auto]", HelpName = "WORD" }.AcceptOnlyFromAmong("auto", "epsilon", "v_prediction");
        var store = new Option<string?>("--store") { Description = $"Folder of the version store [default: the recipe's, or {UsualStore}]", HelpName = "DIR" };
        var port = new Option<int?>("--port") { Description = $"Port to listen on; 0 takes a free one [default: the recipe's, or {new DeployOptions().Port}]", HelpName = "N" };
        var device = new Option<string?>("--device") { Description = "Where to compute [default: the recipe's, or auto]", HelpName = "WORD" }.AcceptOnlyFromAmong("auto", "cpu", "cuda");
        var threads = new Option<int?>("--threads") { Description = "Threads of tensor work; 0 takes all processors, at most 16 [default: the recipe's, or 0]", HelpName = "N" };
        var sets = RunCommand.SetOption();
        var address = new Option<string>("--address") { Description = "Address to listen on; there is no login, so think before opening it to a network", HelpName = "IP", DefaultValueFactory = _ => "127.0.0.1" };
        var json = ResultLines.Option("One JSON line when it listens: base, url, adapters");
        var command = new Command("serve", "Answer /sdapi/v1/txt2img, /v1/models, /feedback, /healthz, /metrics until Ctrl-C") { recipe, model, prediction, store, port, address, device, threads, sets, json };
        command.SetAction(async (parsed, token) =>
        {
            if (!IPAddress.TryParse(parsed.GetValue(address), out var ip)) throw new LoraException($"--address {parsed.GetValue(address)} is not an IP address; give one such as 127.0.0.1 or 0.0.0.0.", ExitCode.BadUsage);
            if (parsed.GetValue(recipe) is null && parsed.GetValue(sets) is { Length: > 0 }) throw new LoraException("--set overrides a recipe's key; name the RECIPE too, or use --base, --store, --port, --device and --threads.", ExitCode.BadUsage);
            var chosen = (parsed.GetValue(recipe) is { } file ? RecipeReader.Read(file, parsed.GetValue(sets)) : RecipeReading.Empty).Among(RunDirectory.Usual).OrThrow();
            var request = new ServingRequest(parsed.GetValue(model) ?? chosen.Base.Model, parsed.GetValue(store) ?? chosen.Deploy.Store, ip, parsed.GetValue(port) ?? chosen.Deploy.Port)
            {
                // another base than the recipe's is not what the recipe speaks of
                Prediction = parsed.GetValue(prediction) ?? (parsed.GetValue(model) is null ? chosen.Base.Prediction : "auto"),
                Resources = chosen.Resources with { Device = parsed.GetValue(device) ?? chosen.Resources.Device, Threads = parsed.GetValue(threads) ?? chosen.Resources.Threads },
            };
            if (request.Resources.Threads is < 0 or > 1024) throw new LoraException($"--threads {request.Resources.Threads}; valid: 0 to 1024.", ExitCode.BadUsage);
            if (!Directory.Exists(request.Store))
                throw new LoraException($"there is no version store at {Path.GetFullPath(request.Store)}; lora run RECIPE makes one, and --store names another.", ExitCode.BadUsage);
            await using var server = await ServingStart.OpenAsync(request, new FeedbackStore(FeedbackStore.PathIn(request.Store)), world.Clock, line => world.Error.WriteLine(line));
            ResultLines.Of(world, parsed).Write(new { request.Base, server.Url, Adapters = server.Live.Select(a => new { a.Name, a.Version }) }, $"serving {request.Base} on {server.Url}  (Ctrl-C ends it)");
            await world.Out.FlushAsync(token);
            try
            {
                await Task.Delay(Timeout.Infinite, token);
            }
            catch (OperationCanceledException)
            {
                await world.Error.WriteLineAsync("ended");
            }
            return (int)ExitCode.Done;
        });
        return command;
    }

    private static readonly string UsualStore = DeployOptions.StoreAmong(RunDirectory.Usual);

    /// <summary>Where adapters are kept.</summary>
    internal static Option<string> StoreOption() =>
        new("--store") { Description = "Folder of the version store", HelpName = "DIR", DefaultValueFactory = _ => UsualStore };
}
