namespace LoraFactory.Torch.Nn;

/// <summary>Layer normalisation over the last dimension (Ba et al. 2016). x: [..., d] → [..., d].</summary>
public sealed class LayerNorm(Place at, long size, double eps = 1e-5)
{
    private readonly long[] shape = [size];
    private readonly Parameter weight = at.Parameter("weight", Init.One, size);
    private readonly Parameter bias = at.Parameter("bias", Init.Zero, size);

    /// <summary>Applies the layer.</summary>
    public Tensor Forward(Tensor x)
    {
        var w = weight.Value;
        return Ops.LayerNorm(x.DType == w.DType ? x : x.To(w.DType), shape, w, bias.Value, eps);
    }
}

/// <summary>
/// Root-mean-square normalisation over the last dimension (Zhang and Sennrich 2019). x: [..., d] → [..., d]. Computed in float32, rounded to the
/// input's dtype, then scaled.
/// </summary>
public sealed class RmsNorm(Place at, long size, double eps)
{
    private readonly Parameter weight = at.Parameter("weight", Init.One, size);

    /// <summary>Applies the layer.</summary>
    public Tensor Forward(Tensor x)
    {
        using var scope = new Scope();
        var y = x.To(DType.Float32);
        y *= (y.Square().Mean([-1], true) + eps).Rsqrt();
        return scope.Keep(y.To(x.DType) * weight.Value);
    }
}

/// <summary>Group normalisation over channels (Wu and He 2018). x: [b, c, H, W] → same.</summary>
public sealed class GroupNorm(Place at, long groups, long channels, double eps)
{
    private readonly Parameter weight = at.Parameter("weight", Init.One, channels);
    private readonly Parameter bias = at.Parameter("bias", Init.Zero, channels);

    /// <summary>Applies the layer.</summary>
    public Tensor Forward(Tensor x)
    {
        var w = weight.Value;
        // under autocast x may come in half precision; 1.13 takes no mixture, and a norm is better in the weight's own
        if (x.DType != w.DType) x = x.To(w.DType);
        return Ops.GroupNorm(x, groups, w, bias.Value, eps);
    }
}

/// <summary>A table of vectors. ids: int64 [...] → [..., d].</summary>
public sealed class Embedding(Place at, long rows, long size)
{
    /// <summary>The table [rows, d].</summary>
    public Parameter Weight { get; } = at.Parameter("weight", Init.Normal, rows, size);

    /// <summary>Looks up.</summary>
    public Tensor Forward(Tensor ids) => Ops.Embedding(Weight.Value, ids);
}

/// <summary>
/// Activation functions, computed in float32 and rounded once where the input is in half precision on the CPU: libtorch 1.13's kernels round
/// after every operation there, which is off by several units in the last place.
/// </summary>
public static class Activation
{
    /// <summary>x · sigmoid(x) (Elfwing et al. 2018).</summary>
    public static Tensor Silu(Tensor x) => Precisely(x, t => t.Silu());

    /// <summary>x · Φ(x), exact (Hendrycks and Gimpel 2016).</summary>
    public static Tensor Gelu(Tensor x) => Precisely(x, t => t.Gelu());

    private static Tensor Precisely(Tensor x, Func<Tensor, Tensor> function)
    {
        if (x.DType is not (DType.BFloat16 or DType.Float16) || x.Device.Type != DeviceType.Cpu) return function(x);
        using var scope = new Scope();
        return scope.Keep(function(x.To(DType.Float32)).To(x.DType));
    }
}

/// <summary>Scaled dot-product attention (Vaswani et al. 2017): one kernel where libtorch or the door has it, products and a softmax where not.</summary>
public static class Attention
{
    /// <summary>Scores that are calculated at once, 4 MB of float32.</summary>
    private const long CachedScores = 1 << 20;
    /// <summary>So few scores are not worth the calls.</summary>
    private const long FewScores = 1 << 22;
    /// <summary>Widest heads that the door's kernel takes.</summary>
    private const long WidestHead = 256;

    private static readonly Lazy<bool> Fused = new(() => TorchLibrary.Has("aten::scaled_dot_product_attention"));

    /// <summary>
    /// softmax(q kᵀ / √d + mask) v. q: [b, h, s, d], k and v: [b, h, t, d], mask: additive, broadcast to [b, h, s, t], or null;
    /// gives [b, h, s, d]. The scale is d^-½ unless given.
    /// </summary>
    public static Tensor Scaled(Tensor q, Tensor k, Tensor v, Tensor? mask = null, double? scale = null)
    {
        var d = q.Size(-1);
        var factor = scale ?? 1 / Math.Sqrt(d);
        if (Fused.Value) return Ops.ScaledDotProductAttention(q, k, v, mask, 0, false, factor);
        if (mask is null && q.DType == DType.Float32 && q.Device.Type == DeviceType.Cpu && Math.Max(d, v.Size(-1)) <= WidestHead && TorchLibrary.Lanes > 0)
            return Ops.Attention(q, k, v, factor);
        var (b, h, s, t) = (q.Size(0), q.Size(1), q.Size(2), k.Size(2));
        using var scope = new Scope();
        // scaling q, the smaller operand, instead of the scores; 1.13's baddbmm cannot do it (beta = 0 still reads its first argument)
        Tensor[] inputs = [(q * factor).Reshape([b * h, s, d]), k.Reshape([b * h, t, d]), v.Reshape([b * h, t, v.Size(-1)])];
        var rows = Math.Max(1, CachedScores / (s * t));
        var y = mask is null && b * h > rows && b * h * s * t > FewScores ? ByRows(inputs, rows) : Whole(inputs, mask, b, h);
        return scope.Keep(y.View([b, h, s, v.Size(-1)]));
    }

    // q [n, s, d], k [n, t, d], v [n, t, e] → [n, s, e]
    private static Tensor Whole(Tensor[] i, Tensor? mask = null, long b = 0, long h = 0)
    {
        using var scope = new Scope();
        var scores = i[0].Bmm(i[1].Transpose(1, 2));
        if (mask is not null) scores = scores.View([b, h, scores.Size(1), scores.Size(2)]).Add(mask).View(scores.Shape);
        return scope.Keep(scores.Softmax(-1).Bmm(i[2]));
    }

    // A few heads at a time, so that scores never leave the cache and need no fresh pages; the backward pass calculates them again, which
    // costs less than to write and read them all, and keeps s·t numbers less per head.
    private static Tensor ByRows(Tensor[] inputs, long rows)
    {
        using var scope = new Scope();
        var recompute = Autograd.Enabled && Array.Exists(inputs, i => i.RequiresGrad);
        var parts = Array.ConvertAll(inputs, i => i.Split(rows));
        var outputs = new Tensor[parts[0].Length];
        for (var n = 0; n < outputs.Length; n++)
        {
            Tensor[] part = [parts[0][n], parts[1][n], parts[2][n]];
            outputs[n] = recompute ? Autograd.Checkpoint(i => Whole(i), part, []) : Whole(part);
        }
        return scope.Keep(Ops.Cat(outputs));
    }
}
