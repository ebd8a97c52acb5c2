namespace LoraFactory.Torch.Optim;

/// <summary>How an average of weights forgets.</summary>
public sealed record EmaOptions
{
    /// <summary>Largest share of the old average kept, 0..1.</summary>
    public double Decay { get; init; } = 0.9999;
    /// <summary>Smallest share, once averaging has begun.</summary>
    public double MinDecay { get; init; }
    /// <summary>Calls that only copy.</summary>
    public long UpdateAfterStep { get; init; }
    /// <summary>Grows the share as 1 − (1 + s / InverseGamma)^−Power instead of (1 + s) / (10 + s).</summary>
    public bool Warmup { get; init; }
    /// <summary>Scale of the warm-up in steps.</summary>
    public double InverseGamma { get; init; } = 1;
    /// <summary>Exponent of the warm-up.</summary>
    public double Power { get; init; } = 2.0 / 3;
    /// <summary>Uses <see cref="Decay"/> from the first call on: nothing grows, nothing is copied.</summary>
    public bool Constant { get; init; }
}

/// <summary>An exponential moving average of weights (Polyak and Juditsky 1992, with the warm-ups that diffusion trainers use).</summary>
public sealed class Ema : IDisposable
{
    private readonly EmaOptions options;
    private readonly Tensor[] shadows;

    /// <summary>Starts from copies of the parameters.</summary>
    public Ema(IReadOnlyList<Tensor> parameters, EmaOptions options)
    {
        this.options = options;
        shadows = [.. parameters.Select(p => p.Detach().Clone().Own())];
    }

    /// <summary>The averages, in the order of the parameters; owned by this object.</summary>
    public IReadOnlyList<Tensor> Shadows => shadows;

    /// <summary>Calls of <see cref="Update"/>.</summary>
    public long Calls { get; private set; }

    /// <summary>Share of the old average that the latest call kept.</summary>
    public double CurrentDecay { get; private set; }

    /// <summary>Moves the averages towards the parameters.</summary>
    public void Update(IReadOnlyList<Tensor> parameters)
    {
        using var off = Autograd.NoGrad();
        using var scope = new Scope();
        Calls++;
        CurrentDecay = DecayAt(Calls);
        for (var i = 0; i < shadows.Length; i++) shadows[i].Sub_(shadows[i] - parameters[i].Detach(), 1 - CurrentDecay);
    }

    /// <summary>Share kept at the n-th call, from 1.</summary>
    public double DecayAt(long call)
    {
        if (options.Constant) return options.Decay;
        var s = Math.Max(0, call - options.UpdateAfterStep - 1);
        if (s == 0) return 0;
        var grown = options.Warmup ? 1 - Math.Pow(1 + s / options.InverseGamma, -options.Power) : (1.0 + s) / (10 + s);
        return Math.Max(Math.Min(grown, options.Decay), options.MinDecay);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var shadow in shadows) shadow.Dispose();
    }
}
