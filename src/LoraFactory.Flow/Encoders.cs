namespace LoraFactory.Flow;

/// <summary>Texts as unit vectors: the nearer two texts lie, the more alike they are. Thread-safe.</summary>
public interface ITextEncoder : IDisposable
{
    /// <summary>What a run says that it used, e.g. "all-MiniLM-L6-v2".</summary>
    string Name { get; }

    /// <summary>Numbers of a vector.</summary>
    int Dimension { get; }

    /// <summary>Cosine from which two texts count as copies of each other, 0..1; each encoder has its own.</summary>
    double DuplicateCosine { get; }

    /// <summary>
    /// Vectors [texts][<see cref="Dimension"/>] of length 1, all zero for a text in which the encoder finds nothing; <paramref name="each"/> is
    /// called with the number done.
    /// </summary>
    float[][] Encode(IReadOnlyList<string> texts, Action<int>? each = null, CancellationToken token = default);
}

/// <summary>Says how well labels that it was never trained on fit texts.</summary>
public interface ITextClassifier : IDisposable
{
    /// <summary>What a run says that it used.</summary>
    string Name { get; }

    /// <summary>Scores 0..1 [texts][labels], each label judged by itself.</summary>
    double[][] Score(IReadOnlyList<string> texts, IReadOnlyList<string> labels, CancellationToken token = default);
}

/// <summary>Pictures as unit vectors in the recipe's CLIP. Thread-safe.</summary>
public interface IPictureEncoder : IDisposable
{
    /// <summary>What a run says that it used, e.g. "pocket-clip".</summary>
    string Name { get; }

    /// <summary>Vectors of length 1 of a run's pictures, by the hashes of their bytes; <paramref name="each"/> is called with the number done.</summary>
    float[][] Encode(RunDirectory run, IReadOnlyList<string> blobs, Action<int>? each = null, CancellationToken token = default);
}

/// <summary>Opens what clean judges texts and pictures with. Implemented where tensors are; clean only asks, and nothing is loaded before it does.</summary>
public interface IEncoders
{
    /// <summary>The encoder that clean.text_encoder names; null where it is "none".</summary>
    /// <exception cref="LoraException">It is not there, or is none.</exception>
    ITextEncoder? OpenText(Recipe recipe);

    /// <summary>The classifier that clean.zero_shot names; null where it is empty.</summary>
    /// <exception cref="LoraException">It is not there, or is none.</exception>
    ITextClassifier? OpenClassifier(Recipe recipe);

    /// <summary>The recipe's CLIP, base.clip.</summary>
    /// <exception cref="LoraException">It is not there, or is none.</exception>
    IPictureEncoder OpenPictures(Recipe recipe);

    /// <summary>Files that the result of those depends on which the recipe asks for.</summary>
    IReadOnlyList<string> Files(Recipe recipe);

    /// <summary>Looks, without loading weights, whether those can be opened that the recipe asks for.</summary>
    IEnumerable<MachineFinding> Look(Recipe recipe);
}
