using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LoraFactory.Stages.Deploy.Serving;

/// <summary>A web host that prints nothing and leaves signals alone, as every server of the program is: endpoint, demo web, generated web.</summary>
public static class QuietHost
{
    /// <summary>A host that listens on an address, not begun yet.</summary>
    /// <param name="address">Address.</param>
    /// <param name="port">Port, 0 for a free one.</param>
    /// <param name="more">Further settings of Kestrel.</param>
    public static WebApplication On(IPAddress address, int port, Action<KestrelServerOptions>? more = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<IHostLifetime, SignalFreeLifetime>();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(address, port);
            kestrel.AddServerHeader = false;
            more?.Invoke(kestrel);
        });
        return builder.Build();
    }

    /// <summary>The port that a host listens on, once it has begun.</summary>
    public static int PortOf(WebApplication app) => new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()).Port;

    // The host's own lifetime takes every Ctrl-C for itself, so that a second one could no longer end the program. Whoever starts the host ends it.
    private sealed class SignalFreeLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
