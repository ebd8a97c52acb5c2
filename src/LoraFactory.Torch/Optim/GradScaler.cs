namespace LoraFactory.Torch.Optim;

/// <summary>
/// Loss scaling for half precision (Micikevicius et al. 2018): the loss is multiplied by <see cref="Scale"/>, gradients are divided by it,
/// a step with a non-finite gradient is skipped and the scale falls; after a row of good steps it grows.
/// </summary>
public sealed class GradScaler(double initialScale = 65536, double growth = 2, double backoff = 0.5, long growthInterval = 2000)
{
    /// <summary>What the loss is multiplied by.</summary>
    public double Scale { get; private set; } = initialScale;

    /// <summary>Good steps in a row since the scale last changed.</summary>
    public long GoodSteps { get; private set; }

    /// <summary>Divides the gradients by the scale in place; true when all are finite.</summary>
    public bool Unscale(ReadOnlySpan<Tensor> gradients)
    {
        if (gradients.Length == 0) return true;
        using var off = Autograd.NoGrad();
        Ops.ForeachMul_(gradients, 1 / Scale);
        using var scope = new Scope();
        foreach (var g in gradients)
            if (g.Isfinite().All().Item() == 0) return false;
        return true;
    }

    /// <summary>Settles the scale of the next step.</summary>
    public void Update(bool finite)
    {
        if (!finite)
        {
            Scale *= backoff;
            GoodSteps = 0;
            return;
        }
        GoodSteps++;
        if (GoodSteps < growthInterval) return;
        if (float.IsFinite((float)(Scale * growth))) Scale *= growth;
        GoodSteps = 0;
    }

    /// <summary>Puts back the state of an interrupted run.</summary>
    public void Load(double scale, long goodSteps) => (Scale, GoodSteps) = (scale, goodSteps);
}
