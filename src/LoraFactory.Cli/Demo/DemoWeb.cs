using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using LoraFactory.Flow;
using LoraFactory.Stages.Deploy.Serving;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.StaticFiles;

namespace LoraFactory.Cli.Demo;

/// <summary>One request that a demo web was asked.</summary>
/// <param name="Host">Host name.</param>
/// <param name="Path">Path and query.</param>
/// <param name="UserAgent">User-Agent header.</param>
/// <param name="Started">When it came, in ticks of the clock.</param>
/// <param name="Ended">When its answer was sent.</param>
/// <param name="Status">HTTP status.</param>
public sealed record DemoRequest(string Host, string Path, string UserAgent, long Started, long Ended, int Status);

/// <summary>
/// Plays a small web on loopback from a folder: <c>HOST/PATH</c> is the file, a path ending in "/" its index.html, and <c>server.json</c> adds
/// headers, redirects, statuses and delays by URL. <c>/calendar/N.html</c> goes on for ever where a host has a first day.
/// </summary>
public sealed partial class DemoWeb : IAsyncDisposable
{
    private static readonly FileExtensionContentTypeProvider Types = new();

    private readonly WebApplication app;
    private readonly Dictionary<string, string> hosts;
    private readonly Script script;
    private readonly TimeProvider clock;
    private readonly ConcurrentQueue<DemoRequest> requests = new();

    private DemoWeb(WebApplication app, Dictionary<string, string> hosts, Script script, TimeProvider clock) =>
        (this.app, this.hosts, this.script, this.clock) = (app, hosts, script, clock);

    /// <summary>The port on 127.0.0.1.</summary>
    public int Port { get; private set; }

    /// <summary>Names of the hosts, in order: what <c>crawl.allow_private_hosts</c> wants.</summary>
    public IReadOnlyList<string> Hosts => [.. hosts.Keys.Order(StringComparer.Ordinal)];

    /// <summary>"host=127.0.0.1:port" for each host: what <c>crawl.resolve</c> wants.</summary>
    public IReadOnlyList<string> Resolve => [.. Hosts.Select(h => $"{h}=127.0.0.1:{Port}")];

    /// <summary>What was asked so far, in the order of the answers.</summary>
    public IReadOnlyList<DemoRequest> Requests => [.. requests];

    /// <summary>Starts serving.</summary>
    /// <param name="folder">The demo web; its sub-folders are the hosts.</param>
    /// <param name="port">Port on 127.0.0.1; 0 takes a free one.</param>
    /// <param name="clock">Clock of delays and of the log.</param>
    public static async Task<DemoWeb> StartAsync(string folder, int port = 0, TimeProvider? clock = null)
    {
        var root = Path.GetFullPath(folder);
        if (!Directory.Exists(root)) throw new LoraException($"There is no demo web at {root}: it has a folder for each host.", ExitCode.BadUsage);
        var hosts = Directory.GetDirectories(root).ToDictionary(d => Path.GetFileName(d).ToLowerInvariant(), d => d, StringComparer.OrdinalIgnoreCase);
        var web = new DemoWeb(QuietHost.On(IPAddress.Loopback, port), hosts, Script.Read(Path.Combine(root, "server.json")), clock ?? TimeProvider.System);
        web.app.Run(web.AnswerAsync);
        try
        {
            await web.app.StartAsync();
        }
        catch (IOException e)
        {
            await web.DisposeAsync();
            throw new LoraException($"The demo web could not listen on 127.0.0.1:{port}: the port is in use. Give another, or 0 for a free one.", inner: e);
        }
        web.Port = QuietHost.PortOf(web.app);
        return web;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await app.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        var started = clock.GetTimestamp();
        var host = context.Request.Host.Host.ToLowerInvariant();
        var path = context.Request.Path.Value ?? "/";
        var url = $"http://{host}{path}";
        try
        {
            if (script.Delay(url) is > 0 and var delay) await Task.Delay(TimeSpan.FromMilliseconds(delay), clock, context.RequestAborted);
            foreach (var (name, value) in script.Headers(url)) context.Response.Headers[name] = value;
            if (script.Redirects.TryGetValue(url, out var target)) context.Response.Redirect(target);
            else if (script.Statuses.TryGetValue(url, out var status)) context.Response.StatusCode = status;
            else await SendAsync(context, host, path);
        }
        finally
        {
            requests.Enqueue(new(host, path + context.Request.QueryString, context.Request.Headers.UserAgent.ToString(), started, clock.GetTimestamp(), context.Response.StatusCode));
        }
    }

    private async Task SendAsync(HttpContext context, string host, string path)
    {
        var file = hosts.TryGetValue(host, out var root) ? FileOf(root, path) : null;
        if (file is not null)
        {
            context.Response.ContentType = Types.TryGetContentType(file, out var type) ? type : "application/octet-stream";
            if (type is "text/html") context.Response.ContentType = "text/html; charset=utf-8";
            await context.Response.SendFileAsync(file, context.RequestAborted);
        }
        else if (root is not null && CalendarDay(root, path) is { } day)
        {
            context.Response.ContentType = "text/html; charset=utf-8";
            await context.Response.WriteAsync(day, context.RequestAborted);
        }
        else context.Response.StatusCode = StatusCodes.Status404NotFound;
    }

    // Only a plain file below the host's folder: no "..", no hidden files, no links out of it.
    private static string? FileOf(string root, string path)
    {
        if (path.EndsWith('/')) path += "index.html";
        var parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (parts.Length == 0 || parts.Any(p => p.StartsWith('.') || p.AsSpan().IndexOfAny("\\:\0") >= 0)) return null;
        var at = root;
        foreach (var part in parts)
        {
            at = Path.Combine(at, part);
            if ((!File.Exists(at) && !Directory.Exists(at)) || File.GetAttributes(at).HasFlag(FileAttributes.ReparsePoint)) return null;
        }
        return File.Exists(at) ? at : null;
    }

    private static string? CalendarDay(string root, string path)
    {
        var match = Day().Match(path);
        if (!match.Success || FileOf(root, "/calendar/1.html") is not { } first) return null;
        var day = long.Parse(match.Groups["day"].Value, CultureInfo.InvariantCulture);
        return File.ReadAllText(first).Replace("/calendar/2.html", $"/calendar/{day + 1}.html", StringComparison.Ordinal).Replace("day 1", $"day {day}", StringComparison.Ordinal);
    }

    [GeneratedRegex(@"^/calendar/(?<day>\d{1,15})\.html$", RegexOptions.NonBacktracking)]
    private static partial Regex Day();

    // server.json: headers and delays by the longest prefix of the URL, redirects and statuses by the whole URL.
    private sealed class Script
    {
        public Dictionary<string, string> Redirects { get; } = new(StringComparer.Ordinal);
        public Dictionary<string, int> Statuses { get; } = new(StringComparer.Ordinal);
        private readonly List<(string Prefix, Dictionary<string, string> Fields)> headers = [];
        private readonly List<(string Prefix, double Milliseconds)> delays = [];

        public static Script Read(string path)
        {
            var script = new Script();
            if (!File.Exists(path)) return script;
            try
            {
                using var document = JsonDocument.Parse(File.ReadAllBytes(path));
                foreach (var (url, value) in Section(document, "headers"))
                    script.headers.Add((url, value.EnumerateObject().ToDictionary(f => f.Name, f => f.Value.ToString())));
                foreach (var (url, value) in Section(document, "redirects")) script.Redirects[url] = value.GetString()!;
                foreach (var (url, value) in Section(document, "status")) script.Statuses[url] = value.GetInt32();
                foreach (var (url, value) in Section(document, "delay_ms")) script.delays.Add((url, value.GetDouble()));
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
            {
                throw new LoraException($"{path} is not a demo web's server.json (headers, redirects, status, delay_ms by URL): {e.Message}", inner: e);
            }
            return script;
        }

        public IEnumerable<KeyValuePair<string, string>> Headers(string url) =>
            headers.Where(h => url.StartsWith(h.Prefix, StringComparison.Ordinal)).OrderBy(h => h.Prefix.Length).SelectMany(h => h.Fields);

        public double Delay(string url) =>
            delays.Where(d => url.StartsWith(d.Prefix, StringComparison.Ordinal)).OrderByDescending(d => d.Prefix.Length).Select(d => d.Milliseconds).FirstOrDefault();

        private static IEnumerable<(string Url, JsonElement Value)> Section(JsonDocument document, string name) =>
            document.RootElement.TryGetProperty(name, out var section) ? section.EnumerateObject().Select(p => (p.Name, p.Value)) : [];
    }
}
