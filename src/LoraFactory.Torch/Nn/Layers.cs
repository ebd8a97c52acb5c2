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

/// <summary>Scaled dot-product attention (Vaswani et al. 2017): one kernel where libtorch has it, products and a softmax where not.</summary>
public static class Attention
{
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
        var b = q.Size(0);
        var h = q.Size(1);
        var s = q.Size(2);
        var t = k.Size(2);
        // scaling q, the smaller operand, instead of the scores; 1.13's baddbmm cannot do it (beta = 0 still reads its first argument)
        var scores = (q * factor).Reshape([b * h, s, d]).Bmm(k.Reshape([b * h, t, d]).Transpose(1, 2));
        if (mask is not null) scores = scores.View([b, h, s, t]).Add(mask).View([b * h, s, t]);
        return scores.Softmax(-1).Bmm(v.Reshape([b * h, t, v.Size(-1)])).View([b, h, s, v.Size(-1)]);
    }

}
