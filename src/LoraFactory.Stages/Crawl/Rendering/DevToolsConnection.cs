using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Threading.Channels;

namespace LoraFactory.Stages.Crawl.Rendering;

/// <summary>
/// The DevTools protocol over a pair of pipes: JSON objects, each ended by a zero octet. Commands get their answers by number, events go to whoever
/// listens to their session. What comes is a page's to shape, so a message has a cap; one that is larger ends the connection.
/// </summary>
internal sealed class DevToolsConnection
{
    private static readonly JsonSerializerOptions Json = new() { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    private readonly Stream input;
    private readonly Stream output;
    private readonly int mostBytes;
    private readonly Channel<byte[]> commands = Channel.CreateUnbounded<byte[]>(new() { SingleReader = true });
    private readonly ConcurrentDictionary<int, TaskCompletionSource<JsonElement>> waiting = new();
    private readonly ConcurrentDictionary<string, Action<string, JsonElement>> listeners = new(StringComparer.Ordinal);
    private readonly TaskCompletionSource closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int last;

    /// <summary>Begins to read.</summary>
    /// <param name="input">Where commands are written.</param>
    /// <param name="output">Where answers and events are read.</param>
    /// <param name="mostBytes">Longest message that is taken.</param>
    public DevToolsConnection(Stream input, Stream output, int mostBytes)
    {
        (this.input, this.output, this.mostBytes) = (input, output, mostBytes);
        _ = Task.Run(ReadAsync);
        _ = Task.Run(WriteAsync);
    }

    /// <summary>Ends when nothing more can be read or written.</summary>
    public Task Closed => closed.Task;

    /// <summary>Why it ended, in words.</summary>
    public string Why { get; private set; } = "it ended";

    /// <summary>Gives it up.</summary>
    public void Close()
    {
        commands.Writer.TryComplete();
        closed.TrySetResult();
        foreach (var (_, answer) in waiting) answer.TrySetException(new BrowserGoneException($"the browser is gone: {Why}"));
    }

    /// <summary>Sends a command and waits for its result. Throws <see cref="DevToolsException"/> and <see cref="BrowserGoneException"/>.</summary>
    /// <param name="method">e.g. "Page.navigate".</param>
    /// <param name="parameters">Its parameters, an object of any type with their names.</param>
    /// <param name="session">The session that it is for; null for the browser itself.</param>
    /// <param name="token">Ends the waiting.</param>
    public async Task<JsonElement> CallAsync(string method, object? parameters, string? session, CancellationToken token)
    {
        var id = Interlocked.Increment(ref last);
        var answer = new TaskCompletionSource<JsonElement>(TaskCreationOptions.RunContinuationsAsynchronously);
        waiting[id] = answer;
        try
        {
            var command = JsonSerializer.SerializeToUtf8Bytes(new Command(id, method, parameters, session), Json);
            if (closed.Task.IsCompleted || !commands.Writer.TryWrite([.. command, 0])) throw new BrowserGoneException($"the browser is gone: {Why}");
            var reply = await answer.Task.WaitAsync(token);
            if (reply.TryGetProperty("result", out var result)) return result;
            throw new DevToolsException(method, reply.TryGetProperty("error", out var error) && error.TryGetProperty("message", out var text) ? text.ToString() : "no result");
        }
        finally
        {
            waiting.TryRemove(id, out _);
        }
    }

    /// <summary>Hands a session's events to a listener, which must not wait; it gets method and parameters.</summary>
    public void Listen(string session, Action<string, JsonElement> listener) => listeners[session] = listener;

    /// <summary>Ends <see cref="Listen"/>.</summary>
    public void Forget(string session) => listeners.TryRemove(session, out _);

    private sealed record Command(
        [property: JsonPropertyName("id")] int Id,
        [property: JsonPropertyName("method")] string Method,
        [property: JsonPropertyName("params")] object? Parameters,
        [property: JsonPropertyName("sessionId")] string? Session);

    // One after the other: half a command would spoil the next one.
    private async Task WriteAsync()
    {
        try
        {
            await foreach (var command in commands.Reader.ReadAllAsync())
            {
                await input.WriteAsync(command);
                await input.FlushAsync();
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            Close();
        }
    }

    private async Task ReadAsync()
    {
        using var message = new MemoryStream();
        var buffer = new byte[64 * 1024];
        var why = "it ended";
        try
        {
            for (int n; (n = await output.ReadAsync(buffer)) > 0;)
            {
                if (Take(buffer.AsSpan(0, n), message)) continue;
                why = $"it sent a message of more than {mostBytes} bytes";
                break;
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or JsonException or InvalidOperationException)
        {
            why = e.Message;
        }
        Why = why;
        Close();
    }

    // Cuts what was read into messages; false where one is too long.
    private bool Take(ReadOnlySpan<byte> bytes, MemoryStream message)
    {
        while (bytes.IndexOf((byte)0) is >= 0 and var end)
        {
            message.Write(bytes[..end]);
            if (message.Length > mostBytes) return false;
            Dispatch(message.GetBuffer().AsMemory(0, (int)message.Length));
            message.SetLength(0);
            if (message.Capacity > 1 << 20) message.Capacity = 0; // a large page is not kept for the small events that follow
            bytes = bytes[(end + 1)..];
        }
        message.Write(bytes);
        return message.Length <= mostBytes;
    }

    private void Dispatch(ReadOnlyMemory<byte> message)
    {
        using var document = JsonDocument.Parse(message);
        var root = document.RootElement;
        if (root.TryGetProperty("id", out var id))
        {
            if (waiting.TryRemove(id.GetInt32(), out var answer)) answer.TrySetResult(root.Clone());
        }
        else if (root.TryGetProperty("sessionId", out var session) && listeners.TryGetValue(session.GetString()!, out var listener))
        {
            listener(root.GetProperty("method").GetString()!, root.TryGetProperty("params", out var parameters) ? parameters.Clone() : default);
        }
    }
}
