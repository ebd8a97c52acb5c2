using LoraFactory.Flow;
using LoraFactory.Models;
using LoraFactory.Models.Scoring;
using LoraFactory.Models.Weights;
using LoraFactory.Torch;

namespace LoraFactory.Stages.Label;

/// <summary>
/// The encoders that a recipe names: a sentence-transformers folder or name, the project's own pocket encoder, or "auto" for all-MiniLM-L6-v2
/// where the Hugging Face cache has it and the pocket encoder where not.
/// </summary>
public sealed class Encoders : IEncoders
{
    /// <summary>Name of the encoder that "auto" looks for.</summary>
    public const string Usual = "sentence-transformers/all-MiniLM-L6-v2";

    private const string Pocket = "pocket-text";

    /// <inheritdoc/>
    public ITextEncoder? OpenText(Recipe recipe) => Mended(() =>
    {
        if (TextFolder(recipe) is not { } folder) return null;
        if (IsPocket(folder)) return (ITextEncoder)new Ngrams(NgramEncoder.Load(folder), Asked(recipe));
        var device = Compute.Use(recipe.Resources.Device, recipe.Resources.Threads);
        return new Sentences(SentenceEncoder.Load(folder, device), NameOf(folder), Asked(recipe));
    });

    /// <inheritdoc/>
    public ITextClassifier? OpenClassifier(Recipe recipe) => Mended(() => recipe.Clean.ZeroShot.Length == 0 ? null
        : new Classifier(ZeroShot.Load(ModelLocator.Find(recipe.Clean.ZeroShot), Compute.Use(recipe.Resources.Device, recipe.Resources.Threads)), NameOf(recipe.Clean.ZeroShot)));

    /// <inheritdoc/>
    public IPictureEncoder OpenPictures(Recipe recipe) =>
        Mended(() => new Pictures(ClipScorer.Load(ModelLocator.Find(recipe.Base.Clip), Compute.Use(recipe.Resources.Device, recipe.Resources.Threads)), NameOf(recipe.Base.Clip)));

    /// <inheritdoc/>
    public IReadOnlyList<string> Files(Recipe recipe) => Mended<IReadOnlyList<string>>(() =>
        [.. TextFolder(recipe) is { } folder ? ModelLocator.Files(folder) : [], .. recipe.Clean.ZeroShot.Length > 0 ? ModelLocator.Files(recipe.Clean.ZeroShot) : [],
            .. recipe.Clean.AsksForClip() ? ModelLocator.Files(recipe.Base.Clip) : []]);

    /// <inheritdoc/>
    public IEnumerable<MachineFinding> Look(Recipe recipe)
    {
        if (Fault(() => ExamineText(recipe)) is { } text) yield return MachineFinding.Of("LR221", "clean.text_encoder", text, recipe.Clean.TextEncoder);
        if (recipe.Clean.ZeroShot.Length > 0 && Fault(() => ZeroShot.Examine(ModelLocator.Find(recipe.Clean.ZeroShot))) is { } labels) yield return MachineFinding.Of("LR222", "clean.zero_shot", labels, recipe.Clean.ZeroShot);
    }

    // Of a folder of the user's own no text is compared.
    private static void ExamineText(Recipe recipe)
    {
        if (recipe.Label.Source == "folder" || TextFolder(recipe) is not { } folder) return;
        if (IsPocket(folder)) NgramConfig.Read(ModelConfig.Read(Path.Combine(folder, "config.json")));
        else SentenceEncoder.Examine(folder);
    }

    private static string? TextFolder(Recipe recipe) => recipe.Clean.TextEncoder switch
    {
        "none" => null,
        "pocket" => ModelLocator.Find(Pocket),
        "auto" => HuggingFaceCache.FromEnvironment().Find(Usual) ?? ModelLocator.Find(Pocket),
        var named => ModelLocator.Find(named),
    };

    private static bool IsPocket(string folder) => File.Exists(Path.Combine(folder, "config.json")) && ModelConfig.Read(Path.Combine(folder, "config.json")) is var config
        && config.Has("model_type") && config.Text("model_type") == NgramConfig.ModelType;

    private static double? Asked(Recipe recipe) => recipe.Clean.DuplicateCosine > 0 ? recipe.Clean.DuplicateCosine : null;

    // A snapshot of the cache is called by its commit: the model's name stands two folders above.
    private static string NameOf(string folder)
    {
        var full = Path.TrimEndingDirectorySeparator(folder);
        var model = Path.GetFileName(Path.GetDirectoryName(Path.GetDirectoryName(full)) ?? "");
        return model.StartsWith("models--", StringComparison.Ordinal) ? model.Split("--")[^1] : Path.GetFileName(full);
    }

    private static Exception? Fault(Action action)
    {
        try
        {
            action();
            return null;
        }
        catch (Exception e) when (e is ModelException or IOException or UnauthorizedAccessException)
        {
            return e;
        }
    }

    private static T Mended<T>(Func<T> open)
    {
        try
        {
            return open();
        }
        catch (Exception e) when (e is ModelException or TorchException)
        {
            throw new LoraException(e.Message, inner: e);
        }
    }

    private sealed class Sentences(SentenceEncoder encoder, string name, double? asked) : ITextEncoder
    {
        // all-MiniLM-L6-v2 and its kin put copies above it; see docs/decisions/text-encoder.md.
        private const double UsualCosine = 0.85;

        public string Name => name;

        public int Dimension => encoder.Width;

        public double DuplicateCosine => asked ?? UsualCosine;

        public float[][] Encode(IReadOnlyList<string> texts, Action<int>? each = null, CancellationToken token = default) => encoder.Embed(texts, each, token);

        public void Dispose() => encoder.Dispose();
    }

    private sealed class Ngrams(NgramEncoder encoder, double? asked) : ITextEncoder
    {
        private const int Often = 256;

        public string Name => Pocket;

        public int Dimension => encoder.Config.Width;

        public double DuplicateCosine => asked ?? encoder.Config.DuplicateCosine;

        public float[][] Encode(IReadOnlyList<string> texts, Action<int>? each = null, CancellationToken token = default)
        {
            var rows = new float[texts.Count][];
            for (var i = 0; i < rows.Length; i++)
            {
                token.ThrowIfCancellationRequested();
                rows[i] = encoder.Embed(texts[i]);
                if ((i + 1) % Often == 0 || i + 1 == rows.Length) each?.Invoke(i + 1);
            }
            return rows;
        }

        public void Dispose() { }
    }

    private sealed class Pictures(ClipScorer clip, string name) : IPictureEncoder
    {
        public string Name => name;

        public float[][] Encode(RunDirectory run, IReadOnlyList<string> blobs, Action<int>? each = null, CancellationToken token = default)
        {
            using var pictures = new RunPictures(run, token);
            return clip.Embed(blobs.Select(blob => pictures.Square(blob, clip.Square)), each, token);
        }

        public void Dispose() => clip.Dispose();
    }

    private sealed class Classifier(ZeroShot judge, string name) : ITextClassifier
    {
        private const string Template = "This text is about {}.";

        public string Name => name;

        public double[][] Score(IReadOnlyList<string> texts, IReadOnlyList<string> labels, CancellationToken token = default) => judge.Score(texts, labels, several: true, Template, token);

        public void Dispose() => judge.Dispose();
    }
}
