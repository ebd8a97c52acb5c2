using Microsoft.Extensions.Hosting;

namespace LoraFactory.Stages.Deploy.Serving;

/// <summary>
/// A web host's lifetime that leaves signals alone: the host's own takes every Ctrl-C for itself, so that a second one could no longer end the
/// program. Whoever starts the host ends it.
/// </summary>
public sealed class SignalFreeLifetime : IHostLifetime
{
    /// <inheritdoc/>
    public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
