using System.Numerics;
using LoraFactory.Flow;
using LoraFactory.Images;

namespace LoraFactory.Stages.Clean;

/// <summary>
/// Keeps the best of every group of copies. Equal bytes are copies. Pictures whose 64-bit hashes are close are copies when their thumbnails
/// agree too: drawings with much empty ground have close hashes without being copies. Each picture is compared with those kept so far, best
/// first, so that no chain of small changes joins what is different. The hash is looked up by its bytes: hashes that differ in at most
/// <c>d</c> bits agree in one of eight bytes when d is below eight, else all are compared.
/// </summary>
internal static class NearDuplicates
{
    // Correlation of 24×24 luma: rescaled, recompressed and brightened copies stay above 0.97.
    private const double SameThumbnail = 0.9;

    /// <summary>Splits into kept (in the order given) and drops. <paramref name="confirmed"/>, where given, has the last word about two pictures that hash and thumbnail take for copies.</summary>
    public static (List<Candidate> Kept, List<Drop> Drops) Split(IReadOnlyList<Candidate> candidates, int distance, Func<Candidate, Candidate, bool>? confirmed = null)
    {
        var kept = new HashSet<Candidate>(ReferenceEqualityComparer.Instance);
        var drops = new List<Drop>();
        var byBlob = new Dictionary<string, Candidate>(StringComparer.Ordinal);
        var index = new HashIndex(distance, confirmed);
        foreach (var candidate in candidates.Order(Candidate.BestFirst))
        {
            if (byBlob.TryGetValue(candidate.BlobHash, out var same))
            {
                drops.Add(candidate.Drop("duplicate", $"same bytes as {Place(same)}"));
                continue;
            }
            byBlob.Add(candidate.BlobHash, candidate);
            if (index.Find(candidate) is { } twin)
            {
                var bits = BitOperations.PopCount(Bits(candidate) ^ Bits(twin));
                drops.Add(candidate.Drop("near-duplicate", $"{bits} bits from {Place(twin)}", bits, distance));
                continue;
            }
            index.Add(candidate);
            kept.Add(candidate);
        }
        return ([.. candidates.Where(kept.Contains)], drops);
    }

    private static ulong Bits(Candidate candidate) => PerceptualHash.Bits(candidate.Measured!.Hash);

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

    private sealed class HashIndex(int distance, Func<Candidate, Candidate, bool>? confirmed)
    {
        private readonly List<Candidate> _all = [];
        private readonly Dictionary<(int Part, byte Value), List<Candidate>> _parts = [];

        public void Add(Candidate candidate)
        {
            _all.Add(candidate);
            var bits = Bits(candidate);
            for (var part = 0; part < 8; part++)
            {
                var key = (part, (byte)(bits >> (part * 8)));
                if (!_parts.TryGetValue(key, out var list)) _parts[key] = list = [];
                list.Add(candidate);
            }
        }

        /// <summary>The best kept picture that this one is a copy of.</summary>
        public Candidate? Find(Candidate candidate)
        {
            var bits = Bits(candidate);
            var near = distance >= 8 ? _all
                : Enumerable.Range(0, 8).SelectMany(part => _parts.GetValueOrDefault((part, (byte)(bits >> (part * 8)))) ?? []);
            return near.Where(other => BitOperations.PopCount(Bits(other) ^ bits) <= distance && Correlation(other.Measured!.Thumbnail, candidate.Measured!.Thumbnail) >= SameThumbnail && confirmed?.Invoke(other, candidate) != false)
                .Order(Candidate.BestFirst).FirstOrDefault();
        }
    }

    private static string Place(Candidate candidate) => candidate.PageUrl.Length == 0 ? candidate.PictureUrl : $"{candidate.PictureUrl} on {candidate.PageUrl}";
}
