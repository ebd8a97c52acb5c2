using System.Collections.Concurrent;

namespace LoraFactory.Images;

/// <summary>
/// Decodes untrusted pictures in processes of their own: a decoder that crashes, hangs or eats memory costs that picture and nothing else.
/// Each process decodes many pictures and is replaced when it dies or is killed. Thread-safe.
/// </summary>
public sealed class IsolatedDecoder : IDisposable
{
    private readonly PictureLimits _limits;
    private readonly DecodeCommand _command;
    private readonly SemaphoreSlim _free;
    private readonly ConcurrentBag<DecodeProcess> _idle = [];
    private volatile bool _disposed;

    /// <summary>Starts nothing yet. <paramref name="processes"/> (1..64) decode at the same time at most.</summary>
    public IsolatedDecoder(PictureLimits? limits = null, int processes = 1, DecodeCommand? command = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(processes, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(processes, 64);
        _limits = limits ?? new PictureLimits();
        _command = command ?? DecodeCommand.Find();
        _free = new SemaphoreSlim(processes);
    }

    /// <summary>How many processes were started so far; one more for every one that died.</summary>
    public int Started => _started;

    private int _started;

    /// <summary>Decodes as <see cref="PictureDecoder"/> does. Throws <see cref="PictureException"/>; afterwards the next picture can be decoded.</summary>
    public async Task<Picture> DecodeAsync(ReadOnlyMemory<byte> bytes, CancellationToken token) => (await DecodeAsync(bytes, null, token)).Picture;

    /// <summary>Decodes likewise, shrunk to <paramref name="fit"/>; null shrinks nothing.</summary>
    public async Task<DecodedPicture> DecodeAsync(ReadOnlyMemory<byte> bytes, PictureFit? fit, CancellationToken token)
    {
        var reply = await AskAsync(bytes, DecodeRequest.Pixels(fit), token);
        return new(new Picture(reply.Width, reply.Height, reply.Bytes), reply.FullWidth, reply.FullHeight);
    }

    /// <summary>Decodes and cuts <paramref name="square"/> in the process; only its pixels come back.</summary>
    public async Task<Picture> SquareAsync(ReadOnlyMemory<byte> bytes, PictureSquare square, CancellationToken token)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(square.Side, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(square.Side, 8192);
        return new(square.Side, square.Side, (await AskAsync(bytes, new(DecodeAnswer.Square, square.Side, Filter: square.Filter), token)).Bytes);
    }

    /// <summary>Measures in the process; only the numbers come back. Throws as <see cref="DecodeAsync(ReadOnlyMemory{byte}, CancellationToken)"/>.</summary>
    public async Task<PictureMeasures> MeasureAsync(ReadOnlyMemory<byte> bytes, CancellationToken token) =>
        (await AskAsync(bytes, new(DecodeAnswer.Measures), token)).Measures!;

    /// <summary>Decodes, cuts the middle square of <paramref name="side"/> pixels (1..8192) and encodes it as JPEG of <paramref name="quality"/> (1..100) in the process; only the file comes back, unread.</summary>
    public async Task<byte[]> SquareJpegAsync(ReadOnlyMemory<byte> bytes, int side, int quality, CancellationToken token)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(side, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(side, 8192);
        ArgumentOutOfRangeException.ThrowIfLessThan(quality, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(quality, 100);
        return (await AskAsync(bytes, new(DecodeAnswer.SquareJpeg, side, Quality: quality), token)).Bytes;
    }

    private async Task<DecodeReply> AskAsync(ReadOnlyMemory<byte> bytes, DecodeRequest request, CancellationToken token)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        // What the header already rules out need not cross the pipe.
        var header = PictureHeader.Read(bytes.Span)
            ?? throw new PictureException(PictureFault.Unsupported, "The bytes are no readable PNG, JPEG, WebP, GIF, TIFF or BMP.");
        if (header.PixelCount > _limits.MaxPixels)
            throw new PictureException(PictureFault.TooLarge, $"The picture has {header.Width}×{header.Height} pixels; at most {_limits.MaxPixels} are decoded.");
        await _free.WaitAsync(token);
        try
        {
            return await Task.Run(() => AskOnce(bytes, request, token), token);
        }
        finally
        {
            _free.Release();
        }
    }

    private DecodeReply AskOnce(ReadOnlyMemory<byte> bytes, DecodeRequest request, CancellationToken token)
    {
        if (!_idle.TryTake(out var process))
        {
            Interlocked.Increment(ref _started);
            process = DecodeProcess.Start(_command, _limits);
        }
        try
        {
            return process.Ask(bytes, request, token);
        }
        finally
        {
            if (process.Alive && !_disposed) _idle.Add(process);
            else process.Dispose();
        }
    }

    /// <summary>Ends the processes.</summary>
    public void Dispose()
    {
        _disposed = true;
        while (_idle.TryTake(out var process)) process.Dispose();
        _free.Dispose();
    }
}

/// <summary>How a decoding process is started: a program and its arguments.</summary>
public sealed record DecodeCommand(string Program, IReadOnlyList<string> Arguments)
{
    /// <summary>The program "lora" beside this assembly, or lora.dll by the running dotnet. Throws <see cref="PictureException"/> when neither is there.</summary>
    public static DecodeCommand Find()
    {
        var folder = AppContext.BaseDirectory;
        var program = Path.Combine(folder, "lora");
        if (File.Exists(program)) return new DecodeCommand(program, [DecodeWorker.Verb]);
        var assembly = Path.Combine(folder, "lora.dll");
        if (File.Exists(assembly)) return new DecodeCommand(DotnetHost(), [assembly, DecodeWorker.Verb]);
        throw new PictureException(PictureFault.LibraryMissing, $"The program lora was not found in {folder}; it decodes untrusted pictures in a process of its own: build the solution again.");
    }

    private static string DotnetHost() =>
        Environment.ProcessPath is { } own && Path.GetFileNameWithoutExtension(own) == "dotnet" ? own : Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
}
