using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Models.Lora;

/// <summary>
/// The low-rank matrices of one layer. Linear: down [rank, in], up [out, rank]; convolution: down [rank, in, kh, kw], up [out, rank, 1, 1].
/// Owns its tensors.
/// </summary>
public sealed class LoraModule : IDisposable
{
    /// <summary>Takes over both tensors. Shapes that do not make a pair are refused.</summary>
    public LoraModule(string component, string path, Tensor down, Tensor up, double alpha)
    {
        Component = component;
        Path = path;
        CheckPair(path, down.Shape, up.Shape);
        if (!double.IsFinite(alpha)) throw new ModelException($"The alpha of the adapter's '{path}' is {alpha}, not a finite number; the file is damaged.");
        Down = down.Own();
        Up = up.Own();
        Alpha = alpha;
        Rank = (int)down.Size(0);
    }

    /// <summary>Part of the pipeline: "unet", "text_encoder", "text_encoder_2"; "model" for an adapter of a single model.</summary>
    public string Component { get; }
    /// <summary>Path of the layer within the component, as diffusers and transformers name it.</summary>
    public string Path { get; }
    /// <summary>A.</summary>
    public Tensor Down { get; private set; }
    /// <summary>B.</summary>
    public Tensor Up { get; private set; }
    /// <summary>Alpha; scaled by alpha / rank.</summary>
    public double Alpha { get; }
    /// <summary>Rank.</summary>
    public int Rank { get; }
    /// <summary>Share of inputs zeroed before down while training.</summary>
    public double Dropout { get; init; }
    /// <summary>alpha / rank.</summary>
    public double Scale => Alpha / Rank;
    /// <summary>Whether it is of a convolution.</summary>
    public bool IsConvolution => Down.Dim == 4;

    /// <summary>Shape of the base weight that it fits.</summary>
    public long[] BaseShape
    {
        get
        {
            var shape = Down.Shape;
            shape[0] = Up.Size(0);
            return shape;
        }
    }

    /// <summary>strength · alpha / rank · up·down as float32 [out, in] or [out, in, kh, kw], in the current scope; what is added to the base weight.</summary>
    public Tensor Delta(double strength = 1)
    {
        using var off = Autograd.NoGrad();
        using var scope = new Scope();
        return scope.Keep(Product(Down.To(DType.Float32), Up.To(DType.Float32)).Mul(strength * Scale));
    }

    /// <summary>up·down in the shape of the base weight, unscaled.</summary>
    internal static Tensor Product(Tensor down, Tensor up)
    {
        var shape = down.Shape;
        shape[0] = up.Size(0);
        return up.Flatten(1).Mm(down.Flatten(1)).View(shape);
    }

    /// <summary>A copy with its own tensors.</summary>
    public LoraModule Clone()
    {
        using var off = Autograd.NoGrad();
        return new(Component, Path, Down.Clone(), Up.Clone(), Alpha) { Dropout = Dropout };
    }

    /// <summary>Moves and converts both tensors.</summary>
    public void To(DType dtype, Device device)
    {
        using var off = Autograd.NoGrad();
        var (down, up) = (Down.To(dtype: dtype, device: device).Own(), Up.To(dtype: dtype, device: device).Own());
        Dispose();
        (Down, Up) = (down, up);
    }

    /// <summary>
    /// Fits a 1×1 convolution's matrices to a Linear layer or the other way round (tools differ in which proj_in is); then refuses what does not fit
    /// the base, naming module, shape found and shape needed.
    /// </summary>
    public void FitTo(AdaptableLayer layer)
    {
        long[] needed = [.. layer.Weight.Shape];
        var found = BaseShape;
        if (found.Length != needed.Length && Flat(found) is { } a && Flat(needed) is { } b && a == b) Reshape(needed.Length);
        found = BaseShape;
        if (!found.AsSpan().SequenceEqual(needed))
            throw new ModelException($"The adapter's {Component} module '{Path}' is made for a weight of shape [{string.Join(", ", found)}] where the base has [{string.Join(", ", needed)}]: it was trained on another base model.");
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Component}:{Path} rank {Rank} alpha {Alpha}";

    /// <summary>Releases both tensors.</summary>
    public void Dispose()
    {
        Down.Dispose();
        Up.Dispose();
    }

    internal static void CheckPair(string path, ReadOnlySpan<long> down, ReadOnlySpan<long> up)
    {
        var fits = down.Length == up.Length && down.Length is 2 or 4 && down[0] == up[1] && (down.Length == 2 || (up[2] == 1 && up[3] == 1));
        if (!fits)
            throw new ModelException($"The adapter's '{path}' has down [{string.Join(", ", down.ToArray())}] and up [{string.Join(", ", up.ToArray())}], which are no pair: needed are [rank, in] and [out, rank], or [rank, in, kh, kw] and [out, rank, 1, 1].");
        if (down[0] is < 1 or > LoraSpec.MaximumRank) throw new ModelException($"The adapter's '{path}' has rank {down[0]}; ranks from 1 to {LoraSpec.MaximumRank} are read.");
    }

    private void Reshape(int dimensions)
    {
        using var off = Autograd.NoGrad();
        var (rank, inputs, outputs) = ((long)Rank, Down.Size(1), Up.Size(0));
        var (down, up) = dimensions == 4
            ? (Down.View([rank, inputs, 1, 1]).Clone(), Up.View([outputs, rank, 1, 1]).Clone())
            : (Down.View([rank, inputs]).Clone(), Up.View([outputs, rank]).Clone());
        Dispose();
        (Down, Up) = (down.Own(), up.Own());
    }

    // [out, in] of a Linear or 1×1 convolution.
    private static (long, long)? Flat(long[] shape) => shape.Length == 2 || (shape[2] == 1 && shape[3] == 1) ? (shape[0], shape[1]) : null;
}
