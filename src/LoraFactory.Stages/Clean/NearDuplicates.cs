using System.Numerics;
using LoraFactory.Flow;
using LoraFactory.Images;

namespace LoraFactory.Stages.Clean;

/// <summary>A picture that is a copy of one that is kept.</summary>
/// <param name="Dropped">The copy.</param>
/// <param name="Kept">The best of its group, which stays.</param>
/// <param name="SameBytes">Whether their files are equal.</param>
/// <param name="Bits">Bits by which their hashes differ: the nearer of the two kinds.</param>
internal sealed record PictureCopy(Candidate Dropped, Candidate Kept, bool SameBytes, int Bits);

/// <summary>
/// Keeps the best of every group of copies. Equal bytes are copies. Pictures whose 64-bit hashes are close, by frequencies (DCT) or by gradients, are copies when
/// their thumbnails agree too: drawings with much empty ground have close hashes without being copies. Each picture is compared with those kept so far, best
/// first, so that no chain of small changes joins what is different, and every copy names the one that stays.
/// </summary>
internal static class NearDuplicates
{
    // Correlation of 24×24 luma: rescaled, recompressed and brightened copies stay above 0.97.
    private const double SameThumbnail = 0.9;

    /// <summary>Splits into kept (in the order given) and drops. <paramref name="confirmed"/>, where given, has the last word about two pictures that hash and thumbnail take for copies.</summary>
    public static (List<Candidate> Kept, List<Drop> Drops) Split(IReadOnlyList<Candidate> candidates, int distance, Func<Candidate, Candidate, bool>? confirmed = null)
    {
        var copies = Copies(candidates, distance, confirmed);
        var dropped = new HashSet<Candidate>(copies.Select(copy => copy.Dropped), ReferenceEqualityComparer.Instance);
        return ([.. candidates.Where(candidate => !dropped.Contains(candidate))], [.. copies.Select(copy => copy.SameBytes
            ? copy.Dropped.Drop("duplicate", $"same bytes as {Place(copy.Kept)}")
            : copy.Dropped.Drop("near-duplicate", $"{copy.Bits} bits from {Place(copy.Kept)}", copy.Bits, distance))]);
    }

    /// <summary>The copies among the candidates, each with the one that is kept for it.</summary>
    public static List<PictureCopy> Copies(IReadOnlyList<Candidate> candidates, int distance, Func<Candidate, Candidate, bool>? confirmed = null)
    {
        var copies = new List<PictureCopy>();
        var byBlob = new Dictionary<string, PictureCopy>(StringComparer.Ordinal);
        var index = new HashIndex(distance, candidates.Count, confirmed);
        foreach (var candidate in candidates.Order(Candidate.BestFirst))
        {
            if (byBlob.TryGetValue(candidate.BlobHash, out var same))
            {
                // Where the first with these bytes was itself a copy, the one that was kept for it is named.
                copies.Add(same with { Dropped = candidate, SameBytes = ReferenceEquals(same.Dropped, same.Kept) });
                continue;
            }
            if (index.Find(candidate) is { } twin)
            {
                var copy = new PictureCopy(candidate, twin, false, Bits(candidate.Measured!, twin.Measured!));
                byBlob.Add(candidate.BlobHash, copy);
                copies.Add(copy);
                continue;
            }
            byBlob.Add(candidate.BlobHash, new(candidate, candidate, true, 0));
            index.Add(candidate);
        }
        return copies;
    }

    private static int Bits(MeasuredPicture one, MeasuredPicture other) =>
        Math.Min(PerceptualHash.Distance(one.Hash, other.Hash), PerceptualHash.Distance(one.Gradient, other.Gradient));

    private static double Correlation(byte[] left, byte[] right)
    {
        double sumL = 0, sumR = 0, squaresL = 0, squaresR = 0, products = 0;
        for (var i = 0; i < left.Length; i++)
        {
            sumL += left[i];
            sumR += right[i];
            squaresL += left[i] * left[i];
            squaresR += right[i] * right[i];
            products += left[i] * right[i];
        }
        var n = (double)left.Length;
        var variances = (squaresL - sumL * sumL / n) * (squaresR - sumR * sumR / n);
        return variances <= 0 ? 0 : (products - sumL * sumR / n) / Math.Sqrt(variances);
    }

    private sealed class HashIndex(int distance, int expected, Func<Candidate, Candidate, bool>? confirmed)
    {
        private readonly List<Candidate> kept = [];
        private readonly HashSearch frequencies = new(distance, expected), gradients = new(distance, expected);

        public void Add(Candidate candidate)
        {
            kept.Add(candidate);
            frequencies.Add(PerceptualHash.Bits(candidate.Measured!.Hash));
            gradients.Add(PerceptualHash.Bits(candidate.Measured.Gradient));
        }

        /// <summary>The best kept picture that this one is a copy of.</summary>
        public Candidate? Find(Candidate candidate)
        {
            var near = new List<int>();
            frequencies.Find(PerceptualHash.Bits(candidate.Measured!.Hash), near);
            gradients.Find(PerceptualHash.Bits(candidate.Measured.Gradient), near);
            near.Sort();
            // They were added best first.
            foreach (var number in near.Distinct())
                if (Correlation(kept[number].Measured!.Thumbnail, candidate.Measured.Thumbnail) >= SameThumbnail && confirmed?.Invoke(kept[number], candidate) != false) return kept[number];
            return null;
        }
    }

    private static string Place(Candidate candidate) => candidate.PageUrl.Length == 0 ? candidate.PictureUrl : $"{candidate.PictureUrl} on {candidate.PageUrl}";
}
