using LoraFactory.Torch;

namespace LoraFactory.Models.Schedulers;

/// <summary>Linear multistep of order 4 over σ: the exact integral of the Lagrange polynomial through the last slopes.</summary>
public sealed class LmsScheduler : SigmaScheduler
{
    private const int LargestOrder = 4;

    private readonly TensorHistory slopes = new(LargestOrder);

    /// <summary>From its settings.</summary>
    public LmsScheduler(SchedulerOptions options) : base(options) { }

    private protected override double[] Plan(int steps)
    {
        var (times, sigmas) = SpacedSigmas(steps, roundKarras: false);
        Sigmas = Singles([.. sigmas, 0]);
        return Singles(times);
    }

    private protected override void Forget() => slopes.Clear();

    private protected override SchedulerStep Step(int at, Tensor output, double t, Tensor sample, INoiseSource noise)
    {
        var sigma = Sigmas[at];
        var original = OriginalAt(output, sample, sigma);
        slopes.Push((sample - original) / sigma);
        // a run that begins later in the list (image to image) has fewer slopes than places before it
        var order = Math.Min(slopes.Count, LargestOrder);
        var next = sample;
        for (var k = 0; k < order; k++) next = next.Add(slopes[k], Integral(at, k, order));
        return new(next, original);
    }

    // ∫ from σ_i to σ_(i+1) of the k-th Lagrange polynomial, of degree 3 at most: two Gauss points are exact.
    private double Integral(int at, int k, int order)
    {
        var (low, high) = (Sigmas[at], Sigmas[at + 1]);
        var (middle, half) = ((low + high) / 2, (high - low) / 2);
        return half * (Lagrange(at, k, order, middle - half / Math.Sqrt(3)) + Lagrange(at, k, order, middle + half / Math.Sqrt(3)));
    }

    private double Lagrange(int at, int k, int order, double sigma)
    {
        var product = 1.0;
        for (var j = 0; j < order; j++)
            if (j != k) product *= (sigma - Sigmas[at - j]) / (Sigmas[at - k] - Sigmas[at - j]);
        return product;
    }
}
