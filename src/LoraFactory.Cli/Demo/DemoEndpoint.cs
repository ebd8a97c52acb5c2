using System.Diagnostics;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;
using LoraFactory.Flow;

namespace LoraFactory.Cli.Demo;

/// <summary>The endpoint as the demo uses it: <c>lora serve</c> in a process of its own, asked over HTTP.</summary>
internal sealed class DemoEndpoint : IDisposable
{
    private readonly Process process;
    private readonly HttpClient http;
    private readonly string logPath;

    private DemoEndpoint(Process process, Uri address, string logPath)
    {
        this.process = process;
        this.logPath = logPath;
        Address = address;
        http = new HttpClient { BaseAddress = address, Timeout = TimeSpan.FromMinutes(5) };
    }

    /// <summary>Where it answers.</summary>
    public Uri Address { get; }

    /// <summary>Starts the program again as a server and waits until /healthz answers.</summary>
    /// <param name="arguments">Arguments of lora, "serve" first.</param>
    /// <param name="port">The port that they name.</param>
    /// <param name="logPath">Where its output goes.</param>
    /// <param name="token">Ends the wait and the server.</param>
    public static async Task<DemoEndpoint> StartAsync(IReadOnlyList<string> arguments, int port, string logPath, CancellationToken token)
    {
        var program = Path.Combine(AppContext.BaseDirectory, "lora.dll");
        var start = new ProcessStartInfo(Environment.ProcessPath!) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet") start.ArgumentList.Add(program);
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        var log = TextWriter.Synchronized(new StreamWriter(logPath) { AutoFlush = true });
        var process = new Process { StartInfo = start };
        process.OutputDataReceived += (_, e) => log.WriteLine(e.Data);
        process.ErrorDataReceived += (_, e) => log.WriteLine(e.Data);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        var endpoint = new DemoEndpoint(process, new Uri($"http://127.0.0.1:{port}/"), logPath);
        try
        {
            await endpoint.WaitAsync(token);
            return endpoint;
        }
        catch
        {
            endpoint.Dispose();
            throw;
        }
    }

    /// <summary>Loads a version of an adapter; null when it is live, else the endpoint's reason why not.</summary>
    public async Task<string?> LoadAsync(string name, int version, CancellationToken token)
    {
        using var answer = await http.PostAsJsonAsync("v1/adapters", new { name, version }, token);
        if (answer.IsSuccessStatusCode) return null;
        using var body = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(token));
        return body.RootElement.TryGetProperty("error", out var error) ? error.GetString() : $"status {(int)answer.StatusCode}";
    }

    /// <summary>Draws one picture; the answer's first picture as bytes.</summary>
    public async Task<byte[]> DrawAsync(string prompt, long seed, int steps, double guidance, CancellationToken token)
    {
        using var answer = await http.PostAsJsonAsync("sdapi/v1/txt2img", new { prompt, seed, steps, cfg_scale = guidance }, token);
        var text = await answer.Content.ReadAsStringAsync(token);
        if (!answer.IsSuccessStatusCode) throw new LoraException($"The endpoint answered {(int)answer.StatusCode} to \"{prompt}\": {text.ReplaceLineEndings(" ")} {logPath} may say more.");
        using var body = JsonDocument.Parse(text);
        return body.RootElement.GetProperty("images")[0].GetBytesFromBase64();
    }

    /// <summary>Waits until the server ends or the token is cancelled.</summary>
    public Task WaitForEndAsync(CancellationToken token) => process.WaitForExitAsync(token);

    /// <summary>A port on loopback that is free now; <paramref name="wanted"/> when it is.</summary>
    public static int FreePort(int wanted)
    {
        foreach (var port in new[] { wanted, 0 })
        {
            try
            {
                using var listener = new TcpListener(System.Net.IPAddress.Loopback, port);
                listener.Start();
                return ((System.Net.IPEndPoint)listener.LocalEndpoint).Port;
            }
            catch (SocketException) when (port != 0)
            {
                continue; // taken: any free one will do
            }
        }
        return wanted;
    }

    /// <summary>Ends the server.</summary>
    public void Dispose()
    {
        http.Dispose();
        if (!process.HasExited) process.Kill(entireProcessTree: true);
        process.WaitForExit(5000);
        process.Dispose();
    }

    private async Task WaitAsync(CancellationToken token)
    {
        var deadline = Stopwatch.GetTimestamp() + 180 * Stopwatch.Frequency;
        while (Stopwatch.GetTimestamp() < deadline)
        {
            if (process.HasExited) throw new LoraException($"lora serve ended with status {process.ExitCode} before it answered; {logPath} says why.");
            try
            {
                using var answer = await http.GetAsync("healthz", token);
                if (answer.IsSuccessStatusCode) return;
            }
            catch (HttpRequestException)
            {
                await Task.Delay(100, token); // not listening yet
                continue;
            }
            await Task.Delay(200, token);
        }
        throw new LoraException($"lora serve did not answer on {Address} within 3 minutes; {logPath} may say why.");
    }
}
