using LoraFactory.Torch;

namespace LoraFactory.Stages.Train.Pretraining;

/// <summary>
/// Begins a learned position table as sines and cosines of row and column (Beyer et al. 2022). Small random positions drown in the
/// content of the patches, and a vision tower then learns colours long before shapes.
/// </summary>
internal static class VisionPositions
{
    private const double Amplitude = 0.6;
    private const double Slowest = 1 / 20.0;

    /// <summary>Fills rows 1.. of a table [1 + grid², d] in place; row 0, the class token's, stays.</summary>
    public static void Spread(Tensor table, int grid)
    {
        using var off = Autograd.NoGrad();
        using var scope = new Scope();
        var width = (int)table.Size(1);
        var quarter = width / 4;
        var values = new float[grid * grid * width];
        for (var i = 0; i < grid * grid; i++)
        {
            for (var k = 0; k < quarter; k++)
            {
                var rate = Math.Pow(Slowest, k / (double)quarter);
                var (sinY, cosY) = Math.SinCos(i / grid * rate);
                var (sinX, cosX) = Math.SinCos(i % grid * rate);
                var at = i * width + 4 * k;
                (values[at], values[at + 1], values[at + 2], values[at + 3]) = ((float)(Amplitude * sinY), (float)(Amplitude * cosY), (float)(Amplitude * sinX), (float)(Amplitude * cosX));
            }
        }
        table.Narrow(0, 1, grid * grid).Copy_(Tensor.From(values, grid * grid, width));
    }
}
