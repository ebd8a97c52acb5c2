using System.Collections.Concurrent;
using LoraFactory.Flow;
using LoraFactory.Images;

namespace LoraFactory.Stages.Clean;

/// <summary>Decodes each picture once, in a process of its own, and drops what is damaged, too small, too large, too long or blank.</summary>
internal sealed class PictureChecks(RunDirectory run, CleanOptions options, int processes)
{
    // Standard deviation of luma below 3 of 255 levels, or all but one pixel in 500 alike.
    private const double BlankContrast = 3 / 255.0;
    private const double BlankUniform = 0.998;

    private sealed record Judged(MeasuredPicture? Measured, string? Reason, string? Detail);

    /// <summary>Measures the candidates; the order is kept.</summary>
    public async Task<(List<Candidate> Kept, List<Drop> Drops)> CheckAsync(IReadOnlyList<Candidate> candidates, IProgressTask progress, CancellationToken token)
    {
        var limits = new PictureLimits { MaxPixels = (long)(options.MaxMegapixels * 1_000_000) };
        using var decoder = new IsolatedDecoder(limits, processes);
        var judged = new ConcurrentDictionary<string, Judged>(StringComparer.Ordinal);
        var blobs = candidates.Select(candidate => candidate.BlobHash).Distinct(StringComparer.Ordinal).ToList();
        await Parallel.ForEachAsync(blobs, new ParallelOptions { MaxDegreeOfParallelism = processes, CancellationToken = token }, async (blob, cancelled) =>
        {
            judged[blob] = await JudgeAsync(decoder, run.Blob(blob), cancelled);
            progress.Advance();
        });
        var kept = new List<Candidate>();
        var drops = new List<Drop>();
        foreach (var candidate in candidates)
        {
            var (measured, reason, detail) = judged[candidate.BlobHash];
            if (reason is not null) drops.Add(candidate.Drop(reason, detail));
            else kept.Add(candidate with { Measured = measured });
        }
        return (kept, drops);
    }

    private async Task<Judged> JudgeAsync(IsolatedDecoder decoder, string path, CancellationToken token)
    {
        byte[] bytes;
        try
        {
            bytes = await File.ReadAllBytesAsync(path, token);
        }
        catch (IOException e)
        {
            return new(null, "unreadable", e.Message);
        }
        if (PictureHeader.Read(bytes) is not { } header) return new(null, "damaged", "no readable PNG, JPEG, WebP, GIF, TIFF or BMP");
        // The header alone rules out most; nothing of these is decoded.
        if (BySize(options, header.Width, header.Height) is { } early) return new(null, early.Reason, early.Detail);
        try
        {
            var picture = await decoder.DecodeAsync(bytes, token);
            if (BySize(options, picture.Width, picture.Height) is { } late) return new(null, late.Reason, late.Detail);
            var measured = MeasuredPicture.Of(picture, header.Frames);
            if (measured.Signals["picture_contrast"] < BlankContrast || measured.Signals["picture_uniform"] > BlankUniform)
                return new(null, "blank", $"contrast {measured.Signals["picture_contrast"]:0.####}, {measured.Signals["picture_uniform"]:P1} of one grey level");
            return new(measured, null, null);
        }
        catch (PictureException e) when (e.Fault != PictureFault.LibraryMissing)
        {
            var reason = e.Fault switch
            {
                PictureFault.TooLarge => "too-large",
                PictureFault.TimedOut => "decode-timeout",
                PictureFault.Crashed => "decode-crash",
                _ => "damaged",
            };
            return new(null, reason, e.Message);
        }
    }

    /// <summary>Why a picture of this size is dropped, null where it is not.</summary>
    public static (string Reason, string Detail)? BySize(CleanOptions options, int width, int height)
    {
        var size = $"{width}×{height}";
        if ((long)width * height > options.MaxMegapixels * 1_000_000) return ("too-large", size);
        if (Math.Min(width, height) < options.MinSide) return ("too-small", size);
        if (Math.Max(width, height) > options.MaxAspect * Math.Min(width, height)) return ("odd-aspect", size);
        return null;
    }
}
