using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using LoraFactory.Stages.Deploy.Serving;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace LoraFactory.Cli.Engine.Bench.Web;

/// <summary>What a generated web saw of its crawler.</summary>
public sealed record WebWitness
{
    /// <summary>Requests, of whatever kind.</summary>
    public long Requests { get; init; }
    /// <summary>Bytes of all bodies sent.</summary>
    public long Bytes { get; init; }
    /// <summary>Requests for what robots.txt denies, and for anything but robots.txt where that cannot be had.</summary>
    public int Denied { get; init; }
    /// <summary>Requests to a host before its robots.txt was read.</summary>
    public int BeforeRobots { get; init; }
    /// <summary>Requests to a host that was still answering another.</summary>
    public int AtOnce { get; init; }
    /// <summary>Requests sooner after the last one's end than was promised or asked for.</summary>
    public int TooSoon { get; init; }
    /// <summary>Requests before the time that a Retry-After of the host named.</summary>
    public int BeforeRetry { get; init; }
    /// <summary>Requests for pictures that only pages show which refuse training.</summary>
    public int OptedOutAsked { get; init; }
    /// <summary>Requests for traps and for what fails.</summary>
    public int Beside { get; init; }
    /// <summary>All of them that a polite crawler never makes.</summary>
    public int Violations => Denied + BeforeRobots + AtOnce + TooSoon + BeforeRetry + OptedOutAsked;
}

/// <summary>Serves a <see cref="GeneratedWeb"/> on loopback, each host at its own address, and watches how its crawler behaves.</summary>
public sealed class WebServer : IAsyncDisposable
{
    // How late the server may notice that the crawler hung up on a page that never answers, in the server's own time.
    private static readonly TimeSpan HangUpIsNoticed = TimeSpan.FromSeconds(0.5), LookedAt = TimeSpan.FromMilliseconds(5);

    private readonly GeneratedWeb web;
    private readonly WebApplication app;
    private readonly Dictionary<string, int> hosts;
    private readonly HostWatch[] watches;
    private readonly TimeProvider clock;
    private readonly ConcurrentDictionary<string, bool> failedOnce = new(StringComparer.Ordinal);

    private WebServer(GeneratedWeb web, WebApplication app)
    {
        (this.web, this.app) = (web, app);
        hosts = Enumerable.Range(0, web.HostCount).ToDictionary(GeneratedWeb.HostName, h => h, StringComparer.OrdinalIgnoreCase);
        clock = web.Shape.Speedup > 1 ? new FastClock(web.Shape.Speedup) : TimeProvider.System;
        watches = [.. Enumerable.Range(0, web.HostCount).Select(host => new HostWatch(clock, web.IsClosed(host)))];
    }

    /// <summary>Its port, on every address of loopback.</summary>
    public int Port { get; private set; }

    /// <summary>Starts serving on a free port.</summary>
    public static async Task<WebServer> StartAsync(WebShape shape)
    {
        var server = new WebServer(new GeneratedWeb(shape), QuietHost.On(IPAddress.Any, 0));
        server.app.Run(server.AnswerAsync);
        await server.app.StartAsync();
        server.Port = QuietHost.PortOf(server.app);
        return server;
    }

    /// <summary>What was seen so far.</summary>
    public WebWitness Witness
    {
        get
        {
            var sum = new WebWitness();
            foreach (var watch in watches)
            {
                lock (watch) sum = watch.AddTo(sum);
            }
            return sum;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await app.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value ?? "/";
        if (!IPAddress.IsLoopback(context.Connection.RemoteIpAddress ?? IPAddress.None) || !hosts.TryGetValue(context.Request.Host.Host, out var host))
        {
            context.Response.StatusCode = StatusCodes.Status421MisdirectedRequest;
            return;
        }
        var watch = watches[host];
        var arrived = clock.GetTimestamp();
        for (var waited = TimeSpan.Zero; watch.Hangs && waited < HangUpIsNoticed; waited += LookedAt) await Task.Delay(LookedAt);
        lock (watch) watch.Begin(path, arrived, Math.Max(web.Shape.Pause, web.Shape.CrawlDelay));
        var answered = false;
        try
        {
            var answer = web.Answer(host, path, web.Shape.FailureRate > 0 && failedOnce.TryAdd(context.Request.Host.Host + path, true));
            if (web.Latency(host) is > 0 and var latency) await Task.Delay(TimeSpan.FromMilliseconds(latency), clock, context.RequestAborted);
            if (answer.Status == -1)
            {
                watch.Hangs = true;
                await Task.Delay(Timeout.Infinite, context.RequestAborted);
            }
            answered = true;
            lock (watch) watch.Answer(answer.Body.Length, answer.RetryAfter);
            if (answer.Status == 0)
            {
                context.Abort();
                return;
            }
            context.Response.StatusCode = answer.Status;
            context.Response.ContentType = answer.Type;
            context.Response.ContentLength = answer.Body.Length;
            foreach (var (name, value) in answer.Headers) context.Response.Headers.Append(name, value);
            if (answer.RetryAfter is { } seconds) context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
            await context.Response.Body.WriteAsync(answer.Body, context.RequestAborted);
        }
        catch (OperationCanceledException)
        {
            if (answered) return;
            lock (watch) watch.HungUp(HangUpIsNoticed * web.Shape.Speedup);
        }
    }

    // Of a request's end the server knows the moment before which the crawler cannot have read the last byte: that in which it begins to send.
    private sealed class HostWatch(TimeProvider clock, bool closed)
    {
        private long requests, bytes;
        private int active, denied, beforeRobots, atOnce, tooSoon, beforeRetry, optedOut, beside;
        private bool robots;
        private long? ended, retryFrom;
        private int retrySeconds;

        public volatile bool Hangs;

        public void Begin(string path, long arrived, double pause)
        {
            requests++;
            if (path == "/robots.txt") robots = true;
            else if (!robots) beforeRobots++;
            if (path.StartsWith("/private/", StringComparison.Ordinal) || (closed && path != "/robots.txt")) denied++;
            if (GeneratedWeb.IsOfOptedOut(path)) optedOut++;
            if (GeneratedWeb.IsBeside(path)) beside++;
            if (active++ > 0) atOnce++;
            else if (ended is { } last && pause > 0 && clock.GetElapsedTime(last, arrived).TotalSeconds < pause) tooSoon++;
            if (retryFrom is { } from && clock.GetElapsedTime(from, arrived).TotalSeconds < retrySeconds) beforeRetry++;
            ended = arrived; // until it is answered
        }

        public void Answer(long sent, int? retry)
        {
            bytes += sent;
            active--;
            ended = clock.GetTimestamp();
            if (retry is { } seconds) (retryFrom, retrySeconds) = (ended, seconds);
        }

        // The crawler hung up at some time before it was noticed.
        public void HungUp(TimeSpan late)
        {
            active--;
            ended = Math.Max(ended ?? 0, clock.GetTimestamp() - (long)(late.TotalSeconds * clock.TimestampFrequency));
            Hangs = false;
        }

        public WebWitness AddTo(WebWitness sum) => sum with
        {
            Requests = sum.Requests + requests,
            Bytes = sum.Bytes + bytes,
            Denied = sum.Denied + denied,
            BeforeRobots = sum.BeforeRobots + beforeRobots,
            AtOnce = sum.AtOnce + atOnce,
            TooSoon = sum.TooSoon + tooSoon,
            BeforeRetry = sum.BeforeRetry + beforeRetry,
            OptedOutAsked = sum.OptedOutAsked + optedOut,
            Beside = sum.Beside + beside,
        };
    }
}
