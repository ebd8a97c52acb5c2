using LoraFactory.Flow;
using LoraFactory.Images;

namespace LoraFactory.Stages;

/// <summary>
/// A run's pictures by the hash of their bytes, decoded in a process of their own. Clean has decoded them before, but what came from the web stays
/// what it is: a later stage holds models and the user's rights, and opens none of it itself.
/// </summary>
public sealed class RunPictures(RunDirectory run, CancellationToken token) : IDisposable
{
    // Clean has judged the size by the recipe; here only what no recipe allows is refused.
    private readonly IsolatedDecoder decoder = new(new PictureLimits { MaxPixels = 1_000_000_000 });

    /// <summary>The picture; throws <see cref="PictureException"/> and <see cref="IOException"/>.</summary>
    public Picture Read(string blobHash) => Read(blobHash, null).Picture;

    /// <summary>The picture shrunk to <paramref name="fit"/> while it is decoded; null shrinks nothing. Throws as the other.</summary>
    public DecodedPicture Read(string blobHash, PictureFit? fit) => Decoded(run.Blob(blobHash), fit);

    /// <summary>The picture that a sample is trained on, a variant's own where it has one; throws as the others.</summary>
    public Picture Read(Sample sample) => Decoded(PathOf(sample), null).Picture;

    /// <summary>A square of the picture, cut where it is decoded; the whole picture where <paramref name="square"/> is null. Throws as the others.</summary>
    public Picture Square(string blobHash, PictureSquare? square) => Cut(run.Blob(blobHash), square);

    /// <summary>The same of a sample's picture.</summary>
    public Picture Square(Sample sample, PictureSquare? square) => Cut(PathOf(sample), square);

    /// <summary>How many processes it has started.</summary>
    public int Started => decoder.Started;

    private string PathOf(Sample sample) => sample.Variant?.File is { } file ? run.PathOf(StageName.Label, file) : run.Blob(sample.BlobHash);

    private Picture Cut(string path, PictureSquare? square) =>
        square is { } cut ? decoder.SquareAsync(File.ReadAllBytes(path), cut, token).GetAwaiter().GetResult() : Decoded(path, null).Picture;

    private DecodedPicture Decoded(string path, PictureFit? fit) => decoder.DecodeAsync(File.ReadAllBytes(path), fit, token).GetAwaiter().GetResult();

    /// <inheritdoc/>
    public void Dispose() => decoder.Dispose();
}
