using System.Globalization;
using LoraFactory.Flow;

namespace LoraFactory.Stages.Evaluate;

/// <summary>
/// What to change after a missed gate: one list for report, terminal and report.json. Figures are relative to the plan that was trained. They are a next
/// trial in the right direction, not a fit: style grows with steps ever more slowly, and obedience falls with them.
/// </summary>
public static class GateAdvice
{
    /// <summary>Half of the way is the gate of style; three quarters leave room for an interval below.</summary>
    private const double StyleGate = 0.5, StyleAim = 0.75;
    /// <summary>The gate of obedience is never above this: half of the way from chance to all.</summary>
    private const double HighestObedience = 0.75;
    private const int MostPrompts = 60;

    /// <summary>A sentence for each missed gate, in the order of the metrics, after one on too few prompts where that is so; empty where there is nothing to say.</summary>
    /// <param name="metrics">As measured, with their gates.</param>
    /// <param name="plan">What training ran with.</param>
    /// <param name="steps">Steps that were taken, fewer than planned where training stopped early, and the one that the adapter holds.</param>
    /// <param name="pictures">Pictures that were trained on.</param>
    public static IReadOnlyList<string> Of(IReadOnlyList<Metric> metrics, TrainPlan plan, AdapterSteps steps, int pictures)
    {
        var advice = new List<string>();
        var prompts = metrics.Where(m => m.Gate is not null).Select(m => m.N).DefaultIfEmpty(int.MaxValue).Min();
        if (EvaluateOptions.TooFew(prompts) is { } few) advice.Add($"evaluate.prompts: {few}; name at least {EvaluateOptions.EnoughPrompts}.");
        bool Missed(string name) => metrics.Any(m => m.Name == name && m.Passed == false);
        var disobeys = Missed("prompt_obedience");
        var weak = metrics.Any(m => m is { Name: "style_similarity", Passed: false } && m.Value <= StyleGate);
        foreach (var m in metrics.Where(m => m.Passed == false))
        {
            var sentence = m.Name switch
            {
                "clip_score_delta" when m.Value > 0 => Undecided(m, 0),
                "clip_score_delta" when disobeys => "the pictures fit their prompts worse than the base's; see prompt_obedience.",
                "clip_score_delta" => $"the pictures fit their prompts no better than the base's: {(weak ? "see style_similarity" : "the style is there, but the words that call it are not in the prompts or captions; use label.trigger in evaluate.prompts as the captions do")}.",
                "style_similarity" when m.Value > StyleGate => Undecided(m, StyleGate),
                "style_similarity" when disobeys => $"style and obedience are both too weak, so neither more nor fewer steps will do: caption the pictures (label.folder, label.min_text_image_score), add pictures to the {pictures}, or raise train.rank from {plan.Train.Rank} to {2 * plan.Train.Rank}.",
                "style_similarity" => Stronger(m.Value, plan, steps),
                "prompt_obedience" when m.Value >= HighestObedience => Undecided(m, 0.5),
                "prompt_obedience" when weak => "see style_similarity.",
                "prompt_obedience" => $"the adapter draws its training pictures' things instead of what is asked: {Gentler(plan, steps)}; captions that say what each picture shows keep it out of the style.",
                "diversity" => $"the pictures are too much alike: {Gentler(plan, steps)}; or add pictures to the {pictures} that differ more, and lower clean.duplicate_distance if near copies were kept.",
                "memorisation" => $"training pictures are handed back: {Gentler(plan, steps)}; or add pictures to the {pictures}, lower train.rank from {plan.Train.Rank} to {Math.Max(1, plan.Train.Rank / 2)}, or set train.flip where left and right do not matter.",
                _ => null,
            };
            if (sentence is not null) advice.Add($"{m.Name}: {sentence}");
        }
        return advice;
    }

    // The interval of n prompts narrows with their square root; without one, that there are too few of them is said already.
    private static string? Undecided(Metric m, double bar)
    {
        if (double.IsNaN(m.Low)) return null;
        var needed = m.N * Math.Pow((m.Value - m.Low) / (m.Value - bar), 2);
        return needed <= MostPrompts ? string.Create(CultureInfo.InvariantCulture, $"on the right side, but the interval of {m.N} prompts reaches over the gate: about {Math.Max(m.N + 1, Math.Ceiling(needed))} prompts (evaluate.prompts) would tell.")
            : $"too near to the gate to tell with any reasonable number of prompts (now {m.N}): take it as missed, and train a little longer.";
    }

    private static string Stronger(double style, TrainPlan plan, AdapterSteps steps)
    {
        if (steps.Taken < plan.Train.Steps) return $"the style is too weak, and training stopped at step {steps.Taken} of {plan.Train.Steps} because the validation loss got no better after step {steps.Held}: raise train.patience from {plan.Train.Patience}, or lower train.learning_rate from {Text(plan.Train.LearningRate)} to {Text(plan.Train.LearningRate / 2)}.";
        var factor = Math.Clamp(StyleAim / Math.Max(style, 0.01), 1.25, 3);
        return $"the style is too weak: set train.steps to about {Rounded(steps.Taken * factor)} ({Text(Math.Round(factor, 1))} times the {steps.Taken} taken; configure.max_minutes has to allow them), or raise train.learning_rate from {Text(plan.Train.LearningRate)} to {Text(plan.Train.LearningRate * 1.5)} or train.rank from {plan.Train.Rank} to {2 * plan.Train.Rank}.";
    }

    private static string Gentler(TrainPlan plan, AdapterSteps steps) =>
        $"set train.steps to about {Rounded(steps.Held * 0.6)} instead of {steps}, or train.learning_rate to {Text(plan.Train.LearningRate / 2)} (of {Text(plan.Train.LearningRate)})";

    private static double Rounded(double steps) => steps < 20 ? Math.Max(1, Math.Round(steps)) : Math.Round(steps / 10) * 10;

    private static string Text(double value) => Math.Round(value, 8).ToString("0.########", CultureInfo.InvariantCulture);
}
