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
        var model = new Option<string>("--base") { Description = "Base model: a folder, a name in the Hugging Face cache, or pocket-sd", HelpName = "MODEL", DefaultValueFactory = _ => new BaseOptions().Model };
        var store = StoreOption();
        var port = new Option<int>("--port") { Description = "Port to listen on; 0 takes a free one", HelpName = "N", DefaultValueFactory = _ => new DeployOptions().Port };
        var address = new Option<string>("--address") { Description = "Address to listen on; there is no login, so think before opening it to a network", HelpName = "IP", DefaultValueFactory = _ => "127.0.0.1" };
        var command = new Command("serve", "Answer /sdapi/v1/txt2img, /v1/models, /feedback, /healthz, /metrics until Ctrl-C") { model, store, port, address };
        command.SetAction(async (parsed, token) =>
        {
            if (!IPAddress.TryParse(parsed.GetValue(address), out var ip)) throw new LoraException($"--address {parsed.GetValue(address)} is not an IP address; give one such as 127.0.0.1 or 0.0.0.0.", ExitCode.BadUsage);
            var request = new ServingRequest(parsed.GetValue(model)!, parsed.GetValue(store)!, ip, parsed.GetValue(port));
            if (!Directory.Exists(request.Store))
                throw new LoraException($"there is no version store at {Path.GetFullPath(request.Store)}; lora run RECIPE makes one, and --store names another.", ExitCode.BadUsage);
            await using var server = await ServingStart.OpenAsync(request, new FeedbackStore(FeedbackStore.PathIn(request.Store)), world.Clock, line => world.Error.WriteLine(line));
            await world.Out.WriteLineAsync($"serving {request.Base} on {server.Url}  (Ctrl-C ends it)");
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

    /// <summary>Where adapters are kept.</summary>
    internal static Option<string> StoreOption() =>
        new("--store") { Description = "Folder of the version store", HelpName = "DIR", DefaultValueFactory = _ => new DeployOptions().Store };
}
