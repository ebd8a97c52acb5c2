using LoraFactory.Models;
using LoraFactory.Models.Scoring;
using MathNet.Numerics.LinearAlgebra;
using Xunit;

namespace LoraFactory.Tests.Models.Scoring;

/// <summary>What the golden cases do not hold: ends and faults. Values themselves are held by the cases "set-metrics" and "statistics".</summary>
public sealed class StatisticsTests
{
    [Fact]
    public void The_logarithm_of_the_normal_distribution_has_no_seam()
    {
        // around the places where its formula changes, neighbours differ as the derivative φ/Φ says
        foreach (var at in new[] { -5.0, 0.0, 4.2648907939228247 })
        {
            var step = 1e-7;
            var slope = (NormalDistribution.LogCdf(at + step) - NormalDistribution.LogCdf(at - step)) / (2 * step);
            var expected = Math.Exp(-0.5 * at * at) / Math.Sqrt(2 * Math.PI) / NormalDistribution.Cdf(at);
            Assert.Equal(expected, slope, 5 * expected * 1e-5 + 1e-9);
        }
        Assert.Equal(double.NegativeInfinity, NormalDistribution.Quantile(0));
    }

    [Fact]
    public void Shares_of_nothing_know_nothing() => Assert.Equal((0.0, 1.0), Proportion.Wilson(0, 0, 0.95));

    [Fact]
    public void A_sample_of_alike_observations_has_no_acceleration() => Assert.Equal(0, Bootstrap.Acceleration([2, 2, 2]));

    [Fact]
    public void Sets_of_one_and_of_none_are_told_apart()
    {
        Assert.Equal(1, SetMetrics.MeanCosine(SetMetrics.Rows([[0.6f, 0.8f]])));
        Assert.Equal(1, SetMetrics.Vendi(SetMetrics.Rows([[0.6f, 0.8f]])), 6);
        Assert.Contains("at least one", Assert.Throws<ModelException>(() => SetMetrics.Rows([])).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => SetMetrics.Vendi(SetMetrics.Rows([[1f]]), 0));
    }

    [Fact]
    public void Orthogonal_rows_count_one_each_and_alike_rows_once()
    {
        var orthogonal = SetMetrics.Rows([[1, 0, 0], [0, 1, 0], [0, 0, 1]]);
        Assert.Equal(3, SetMetrics.Vendi(orthogonal), 9);
        Assert.Equal(0, SetMetrics.MeanCosine(orthogonal), 12);
        var alike = SetMetrics.Rows([[1, 0], [1, 0], [1, 0]]);
        Assert.Equal(1, SetMetrics.Vendi(alike), 9);
        Assert.Equal(1, SetMetrics.MeanCosine(alike), 12);
    }

    [Fact]
    public void Neighbours_need_more_rows_than_their_number()
    {
        var three = Matrix<double>.Build.DenseIdentity(3);
        Assert.Equal(new Neighbourhoods(1, 1, 1.5, 1), Neighbourhoods.Of(three, three, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => Neighbourhoods.Of(three, three, 3));
    }
}
