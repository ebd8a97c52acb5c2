using System.Numerics.Tensors;
using LoraFactory.Flow;

namespace LoraFactory.Stages.Clean;

/// <summary>What CLIP says about pictures of a run; each is looked at once, when it is first asked for.</summary>
internal sealed class PictureLikeness(IPictureEncoder encoder, RunDirectory run, double leastOfCopies, CancellationToken token) : IDisposable
{
    private readonly Dictionary<string, float[]> known = new(StringComparer.Ordinal);

    /// <summary>Whether two pictures that look like copies mean the same.</summary>
    public bool AreCopies(Candidate one, Candidate other) => Of([one, other]) is var pair && TensorPrimitives.Dot<float>(pair[0], pair[1]) >= leastOfCopies;

    /// <summary>Unit vectors, one a picture.</summary>
    public float[][] Of(IReadOnlyList<Candidate> pictures)
    {
        string[] wanted = [.. pictures.Select(p => p.BlobHash).Distinct(StringComparer.Ordinal).Where(blob => !known.ContainsKey(blob))];
        var vectors = wanted.Length == 0 ? [] : encoder.Encode(run, wanted, token: token);
        for (var i = 0; i < wanted.Length; i++) known[wanted[i]] = vectors[i];
        return [.. pictures.Select(p => known[p.BlobHash])];
    }

    /// <inheritdoc/>
    public void Dispose() => encoder.Dispose();
}
