namespace LoraFactory.Torch.Optim;

/// <summary>Bounds on gradients. The caller looks at the returned norm: when it is not finite, neither is the step.</summary>
public static class GradientClip
{
    /// <summary>Norm of the vector of the tensors' norms (order 1, 2, … or infinity), in the tensors' own dtype; NaN or infinite when a gradient is.</summary>
    public static double Norm(ReadOnlySpan<Tensor> gradients, double order = 2)
    {
        if (gradients.Length == 0) return 0;
        using var off = Autograd.NoGrad();
        using var scope = new Scope();
        var norms = order is 1 or 2
            ? Ops.ForeachNorm(gradients, order)
            : Array.ConvertAll(gradients.ToArray(), g => g.LinalgVectorNorm(order));
        return Ops.Stack(norms).LinalgVectorNorm(order).Item();
    }

    /// <summary>Multiplies all gradients by min(1, maxNorm / (norm + 1e-6)) and returns the norm before that.</summary>
    public static double ToNorm(ReadOnlySpan<Tensor> gradients, double maxNorm, double order = 2)
    {
        var norm = Norm(gradients, order);
        var factor = Math.Min(1, maxNorm / (norm + 1e-6));
        using var off = Autograd.NoGrad();
        if (factor != 1 && gradients.Length > 0) Ops.ForeachMul_(gradients, factor);
        return norm;
    }

    /// <summary>Limits every element to ±<paramref name="limit"/>.</summary>
    public static void ToValue(ReadOnlySpan<Tensor> gradients, double limit)
    {
        using var off = Autograd.NoGrad();
        foreach (var g in gradients) g.Clamp_(-limit, limit);
    }
}
