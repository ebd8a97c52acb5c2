using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace LoraFactory.Tests.Stages.Crawl;

/// <summary>A server on loopback that answers with any bytes, good or bad.</summary>
public sealed class LoopbackServer : IAsyncDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource stop = new();
    private readonly Task accepting;
    private readonly Func<string, Stream, CancellationToken, Task> answer;

    public LoopbackServer(Func<string, Stream, CancellationToken, Task> answer)
    {
        this.answer = answer;
        listener.Start();
        accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

    /// <summary>Heads of the requests, in order.</summary>
    public ConcurrentQueue<string> Heads { get; } = new();

    public static LoopbackServer Saying(Func<string, string> head, byte[]? body = null) => new(async (request, stream, token) =>
    {
        await stream.WriteAsync(Encoding.Latin1.GetBytes("HTTP/1.1 " + head(request.Split(' ')[1]).ReplaceLineEndings("\r\n") + "\r\nConnection: close\r\n\r\n"), token);
        if (body is not null) await stream.WriteAsync(body, token);
    });

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        listener.Stop();
        await accepting;
        stop.Dispose();
    }

    /// <summary>The next request's head, with the empty line at its end.</summary>
    public static async Task<string> HeadAsync(Stream stream, CancellationToken token)
    {
        var head = new StringBuilder();
        var buffer = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal) && await stream.ReadAsync(buffer, token) > 0) head.Append((char)buffer[0]);
        return head.ToString();
    }

    private async Task AcceptAsync()
    {
        var open = new List<Task>();
        try
        {
            while (!stop.IsCancellationRequested) open.Add(ServeAsync(await listener.AcceptTcpClientAsync(stop.Token)));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(open);
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                var stream = client.GetStream();
                var head = await HeadAsync(stream, stop.Token);
                Heads.Enqueue(head);
                await answer(head, stream, stop.Token);
                client.Client.Shutdown(SocketShutdown.Send);
            }
            catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
            {
                // the crawl hung up, which is what some tests want
            }
        }
    }
}
