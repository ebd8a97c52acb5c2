using LoraFactory.Flow;
using LoraFactory.Stages.Evaluate;

namespace LoraFactory.Tests.Stages.Evaluate;

public sealed class GateAdviceTests
{
    private static readonly TrainPlan Plan = new()
    {
        Id = "p", Train = new() { Steps = 600, Rank = 16, LearningRate = 2e-3, Patience = 4 }, BasePath = "/b", BaseHash = "h", Values = [], EstimatedMemoryMiB = 1, TrainSampleIds = [], ValidationSampleIds = [],
    };

    [Fact]
    public void Nothing_is_said_where_all_gates_hold() => Assert.Empty(Of(Held("clip_score_delta"), Held("style_similarity"), new("seconds_per_picture", 1, 1, 1, 2, null, null, "")));

    [Theory]
    [InlineData("style_similarity", 0.25, 0.1, "train.steps to about 1800 (3 times the 600 taken")]
    [InlineData("style_similarity", 0.45, 0.3, "train.steps to about 1000 (1.7 times the 600 taken")]
    [InlineData("style_similarity", -0.2, -0.3, "train.steps to about 1800")]
    [InlineData("style_similarity", 0.45, 0.3, "train.learning_rate from 0.002 to 0.003 or train.rank from 16 to 32")]
    [InlineData("style_similarity", 0.7, 0.4, "about 27 prompts (evaluate.prompts) would tell")] // 12 · (0.3 / 0.2)²
    [InlineData("style_similarity", 0.51, 0.3, "too near to the gate")]
    [InlineData("clip_score_delta", 0.1, -0.02, "about 18 prompts")]
    [InlineData("clip_score_delta", -0.1, -0.2, "the words that call it")]
    [InlineData("prompt_obedience", 0.6, 0.52, "train.steps to about 360 instead of 600 steps, or train.learning_rate to 0.001 (of 0.002)")]
    [InlineData("prompt_obedience", 0.8, 0.45, "about 17 prompts")]
    [InlineData("diversity", 0.2, 0.1, "train.steps to about 360")]
    [InlineData("memorisation", 0.5, 0.3, "lower train.rank from 16 to 8")]
    public void Each_missed_gate_says_what_to_change_by_how_much(string metric, double value, double low, string says)
    {
        var advice = Assert.Single(Of(Missed(metric, value, low)));
        Assert.StartsWith(metric + ": ", advice, StringComparison.Ordinal);
        Assert.Contains(says, advice, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_metric_that_may_gate_has_advice()
    {
        foreach (var name in Metrics.All.Select(m => m.Name))
            foreach (var value in (double[])[-1, 0.1, 0.4, 0.6, 0.9]) Assert.Single(Of(Missed(name, value, -2)));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Of_fewer_than_three_prompts_there_is_no_interval_and_no_gate_on_one_holds(int prompts)
    {
        static float[] Of(params int[] axes) => [.. Enumerable.Range(0, 32).Select(k => axes.Contains(k) ? (float)(1 / Math.Sqrt(axes.Length)) : 0)];
        var set = new EvaluationSet
        {
            Prompts = [.. Enumerable.Range(0, prompts).Select(p => Of(p))],
            PerPrompt = 2,
            Base = [.. Enumerable.Range(0, 2 * prompts).Select(i => Of(20 + i))],
            Adapter = [.. Enumerable.Range(0, 2 * prompts).Select(i => Of(i / 2, 10 + i))], // what is asked for, each in its own way
            HeldOut = [], HeldOutCaptions = [], Trained = [Of(30), Of(31)], TrainedCaptions = [Of(30), Of(31)],
        };
        var (metrics, passed, verdict) = Metrics.Judge(set);
        var fits = metrics.Single(m => m.Name == "clip_score_delta");
        Assert.Equal((prompts >= 3, prompts >= 3, prompts), (passed, fits.Passed, fits.N));
        Assert.Equal(Math.Sqrt(0.5), fits.Value, 6);
        if (prompts >= 3) return;
        Assert.All(metrics.Where(m => m.Name != "memorisation"), m => Assert.True(double.IsNaN(m.Low) && double.IsNaN(m.High), m.ToString()));
        Assert.Equal($"Not passed: the gates need intervals, and {(prompts == 1 ? "1 prompt has" : "2 prompts have")} none; name at least 8 in evaluate.prompts.", verdict);
        Assert.StartsWith($"evaluate.prompts: {prompts} prompt", Assert.Single(GateAdvice.Of(metrics, Plan, new(600, null), 2)), StringComparison.Ordinal);
    }

    [Fact]
    public void Advice_never_pulls_both_ways()
    {
        var both = string.Join('\n', Of(Missed("clip_score_delta", -0.1, -0.2), Missed("style_similarity", 0.3, 0.1), Missed("prompt_obedience", 0.6, 0.4)));
        Assert.DoesNotContain("train.steps to", both, StringComparison.Ordinal);
        Assert.Contains("train.rank from 16 to 32", both, StringComparison.Ordinal);
    }

    [Fact]
    public void A_training_that_stopped_early_is_not_told_to_plan_more_steps()
    {
        var advice = Assert.Single(GateAdvice.Of([Missed("style_similarity", 0.3, 0.1)], Plan, new(300, 140), 80));
        Assert.Contains("stopped at step 300 of 600 because the validation loss got no better after step 140", advice, StringComparison.Ordinal);
        Assert.Contains("raise train.patience from 4", advice, StringComparison.Ordinal);
        Assert.DoesNotContain("train.steps to", advice, StringComparison.Ordinal);
    }

    [Fact]
    public void Fewer_steps_are_fewer_than_the_ones_that_the_adapter_holds()
    {
        var advice = Assert.Single(GateAdvice.Of([Missed("diversity", 0.2, 0.1)], Plan, new(600, 500), 80));
        Assert.Contains("train.steps to about 300 instead of step 500 of 600 (best validation loss), or", advice, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2, true)]
    [InlineData(7, true)]
    [InlineData(8, false)]
    public void Too_few_prompts_are_said_even_where_all_gates_hold(int prompts, bool said) =>
        Assert.Equal(said, Of(Held("style_similarity") with { N = prompts }).Any(a => a.StartsWith($"evaluate.prompts: {prompts} prompts are too few", StringComparison.Ordinal)));

    [Fact]
    public void The_page_shows_it()
    {
        ReportContent Content(params string[] advice) => new()
        {
            Title = "t", Report = new("i", "a", advice.Length == 0, "v", []) { Advice = advice, Steps = advice.Length == 0 ? null : new(630, 600) }, Grid = [], TrainingPictures = [], Loss = [], Validation = [], Data = [], Plan = [], Lineage = [],
        };
        Assert.Contains("<h2>What to change</h2><ul><li>more &amp; more</li></ul>", ReportPage.Html(Content("more & more")), StringComparison.Ordinal);
        Assert.Contains("<p>The adapter holds step 600 of 630 (best validation loss).</p>", ReportPage.Html(Content("more")), StringComparison.Ordinal);
        Assert.DoesNotContain("The adapter holds", ReportPage.Html(Content()), StringComparison.Ordinal); // a report from before it said so
        Assert.DoesNotContain("What to change", ReportPage.Html(Content()), StringComparison.Ordinal);
    }

    private static IReadOnlyList<string> Of(params Metric[] metrics) => GateAdvice.Of(metrics, Plan, new(600, null), 80);

    private static Metric Missed(string name, double value, double low) => new(name, value, low, value + 0.1, 12, "gate", false, "");

    private static Metric Held(string name) => new(name, 0.9, 0.8, 1, 12, "gate", true, "");
}
