using System.Collections.Concurrent;
using System.Globalization;
using LoraFactory.Flow;
using LoraFactory.Images;
using LoraFactory.Stages.Clean.Text;

namespace LoraFactory.Stages.Clean;

/// <summary>Decodes each picture once, in a process of its own, and drops what is damaged, too small, too large, too long, or breaks a <see cref="PictureRule"/>.</summary>
internal sealed class PictureChecks(RunDirectory run, CleanOptions options, EarlierScores earlier, int processes)
{
    private const string Unreadable = "unreadable", DecodeTimeout = "decode-timeout", DecodeCrash = "decode-crash";

    private sealed record Judged(string? Reason, string? Detail = null, double Value = double.NaN, double Threshold = double.NaN);

    /// <summary>What was seen of every picture, by hash; filled by <see cref="CheckAsync"/>.</summary>
    public IReadOnlyList<PictureScore> Scores { get; private set; } = [];

    /// <summary>Pictures that had to be decoded because they were not among the earlier scores.</summary>
    public int DecodedAnew => decoded;

    private int decoded;

    /// <summary>Measures the candidates; the order is kept.</summary>
    public async Task<(List<Candidate> Kept, List<Drop> Drops)> CheckAsync(IReadOnlyList<Candidate> candidates, IProgressTask progress, CancellationToken token)
    {
        var limits = new PictureLimits { MaxPixels = (long)(options.MaxMegapixels * 1_000_000) };
        using var decoder = new IsolatedDecoder(limits, processes);
        var scores = new ConcurrentDictionary<string, PictureScore>(StringComparer.Ordinal);
        var blobs = candidates.Select(candidate => candidate.BlobHash).Distinct(StringComparer.Ordinal).ToList();
        await Parallel.ForEachAsync(blobs, new ParallelOptions { MaxDegreeOfParallelism = processes, CancellationToken = token }, async (blob, cancelled) =>
        {
            scores[blob] = await ScoreAsync(decoder, blob, cancelled);
            progress.Advance();
        });
        Scores = [.. scores.Values.Concat(earlier.Pictures.Where(picture => !scores.ContainsKey(picture.Blob))).OrderBy(score => score.Blob, StringComparer.Ordinal)];
        var kept = new List<Candidate>();
        var drops = new List<Drop>();
        foreach (var candidate in candidates)
        {
            var score = scores[candidate.BlobHash];
            if (Judge(score) is { Reason: { } reason } judged) drops.Add(candidate.Drop(reason, judged.Detail, judged.Value, judged.Threshold));
            else kept.Add(candidate with { Measured = score.Measured });
        }
        return (kept, drops);
    }

    private async Task<PictureScore> ScoreAsync(IsolatedDecoder decoder, string blob, CancellationToken token)
    {
        var known = earlier.Picture(blob);
        // What fell by its header was never decoded; with other thresholds it may have to be.
        if (known is not null && !MayPass(known) && (known.Measured is { MeasuredBy: MeasuredPicture.Way } || known.Fault is not null || BySize(options, known.Width, known.Height) is not null)) return known;
        byte[] bytes;
        try
        {
            bytes = await File.ReadAllBytesAsync(run.Blob(blob), token);
        }
        catch (IOException e)
        {
            return new(blob, 0, 0, Fault: Unreadable, Detail: e.Message);
        }
        if (PictureHeader.Read(bytes) is not { } header) return new(blob, 0, 0, Fault: "damaged", Detail: "no readable PNG, JPEG, WebP, GIF, TIFF or BMP");
        // The header alone rules out most; nothing of these is decoded.
        var score = new PictureScore(blob, header.Width, header.Height);
        if (BySize(options, header.Width, header.Height) is not null) return score;
        try
        {
            var measures = await decoder.MeasureAsync(bytes, token);
            Interlocked.Increment(ref decoded);
            return score with { Measured = MeasuredPicture.Of(measures, header.Frames) };
        }
        catch (PictureException e) when (e.Fault != PictureFault.LibraryMissing)
        {
            var reason = e.Fault switch
            {
                PictureFault.TooLarge => "too-large",
                PictureFault.TimedOut => DecodeTimeout,
                PictureFault.Crashed => DecodeCrash,
                _ => "damaged",
            };
            return score with { Fault = reason, Detail = e.Message };
        }
    }

    // A disk or a decoder that failed then may not fail now.
    private static bool MayPass(PictureScore known) => known.Fault is Unreadable or DecodeTimeout or DecodeCrash;

    private Judged? Judge(PictureScore score)
    {
        if (score.Fault is not null) return new(score.Fault, score.Detail);
        if (BySize(options, score.Width, score.Height) is { } early) return new(early.Reason, early.Detail, early.Value, early.Threshold);
        var measured = score.Measured!;
        if (BySize(options, measured.Width, measured.Height) is { } late) return new(late.Reason, late.Detail, late.Value, late.Threshold);
        if (PictureRule.All.FirstOrDefault(rule => rule.IsBrokenBy(measured.Signals, options)) is not { } broken) return null;
        var value = measured.Signals[broken.Signal];
        return new(broken.Reason, string.Create(CultureInfo.InvariantCulture, $"{broken.Signal} {value:0.####}"), value, broken.Threshold(options));
    }

    /// <summary>Why a picture of this size is dropped, with value and threshold; null where it is not.</summary>
    public static (string Reason, string Detail, double Value, double Threshold)? BySize(CleanOptions options, int width, int height)
    {
        var size = $"{width}×{height}";
        double pixels = (double)width * height / 1_000_000, least = Math.Min(width, height), aspect = Math.Max(width, height) / Math.Max(1.0, least);
        if (pixels > options.MaxMegapixels) return ("too-large", size, pixels, options.MaxMegapixels);
        if (least < options.MinSide) return ("too-small", size, least, options.MinSide);
        if (aspect > options.MaxAspect) return ("odd-aspect", size, aspect, options.MaxAspect);
        return null;
    }
}
