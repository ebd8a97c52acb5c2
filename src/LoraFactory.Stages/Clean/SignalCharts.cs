using System.Globalization;
using System.Text;

namespace LoraFactory.Stages.Clean;

/// <summary>The part of the clean report that shows every signal: a histogram where its values differ, a line of a table where (nearly) all are alike.</summary>
internal static class SignalCharts
{
    private const int Bins = 32, Width = 320, Height = 110, Floor = 92;

    // A signal as it is drawn: its finite values in order, and the range of the middle 98 %.
    private sealed record Drawn(ReportSignal Signal, List<double> Values)
    {
        public double Low => Values[(int)(Values.Count * 0.01)];
        public double High => Values[Math.Min(Values.Count - 1, (int)(Values.Count * 0.99))];
    }

    /// <summary>Writes the part; signals that a threshold in force judges come first.</summary>
    public static void Write(StringBuilder html, IReadOnlyList<ReportSignal> signals)
    {
        var all = signals.Select(s => new Drawn(s, [.. s.Kept.Concat(s.Dropped).Where(double.IsFinite).Order()])).Where(s => s.Values.Count > 0).OrderBy(s => s.Signal.Thresholds.Count == 0).ToList();
        html.Append("<h2>Signals</h2><p class=\"key dim\">How often each value was measured, over the middle 98 %; a dashed line is a threshold in force.<i style=\"background:var(--kept)\"></i>kept<i style=\"background:var(--gone)\"></i>dropped</p><div class=\"charts\">");
        foreach (var signal in all.Where(s => s.Low < s.High)) Chart(html, signal);
        html.Append("</div>");
        Alike(html, [.. all.Where(s => s.Low >= s.High)]);
    }

    private static void Alike(StringBuilder html, List<Drawn> signals)
    {
        if (signals.Count == 0) return;
        html.Append("<h3>Signals of one value</h3><table><tr><th>signal</th><th>value</th><th>measured</th><th>the others</th><th>threshold in force</th></tr>");
        foreach (var signal in signals)
        {
            var (value, others) = (signal.Low, signal.Values.Where(v => v != signal.Low).ToList());
            html.Append($"<tr><td>{CleanReportPage.Text(signal.Signal.Name)}</td><td class=\"n\">{CleanReport.Number(value)}</td><td class=\"n\">{signal.Values.Count - others.Count} of {signal.Values.Count}</td>");
            html.Append($"<td>{(others.Count == 0 ? "" : others[0] == others[^1] ? CleanReport.Number(others[0]) : $"{CleanReport.Number(others[0])} to {CleanReport.Number(others[^1])}")}</td>");
            html.Append($"<td>{CleanReportPage.Text(string.Join(", ", signal.Signal.Thresholds.Select(t => $"{t.Rule}: {CleanReport.Number(t.Threshold)}")))}</td></tr>");
        }
        html.Append("</table>");
    }

    private static void Chart(StringBuilder html, Drawn drawn)
    {
        var (signal, low, high) = (drawn.Signal, drawn.Low, drawn.High);
        var marks = signal.Thresholds.Where(t => double.IsFinite(t.Threshold)).ToList();
        foreach (var (_, threshold) in marks)
        {
            // A threshold far outside of everything measured would press all bars together: it is named, not drawn.
            if (threshold < low && low - threshold <= 2 * (high - low)) low = threshold;
            if (threshold > high && threshold - high <= 2 * (high - low)) high = threshold;
        }
        int Bin(double v) => (int)Math.Clamp((v - low) / (high - low) * Bins, 0, Bins - 1);
        var (kept, gone) = (new int[Bins], new int[Bins]);
        foreach (var v in signal.Kept.Where(double.IsFinite)) kept[Bin(v)]++;
        foreach (var v in signal.Dropped.Where(double.IsFinite)) gone[Bin(v)]++;
        var invariant = CultureInfo.InvariantCulture;
        html.Append($"<div class=\"chart\"><b>{CleanReportPage.Text(signal.Name)}</b><svg viewBox=\"0 0 {Width} {Height}\" role=\"img\" aria-label=\"histogram of {CleanReportPage.Text(signal.Name)}\">");
        Bars(html, kept, gone);
        html.Append(invariant, $"<line x1=\"0\" x2=\"{Width}\" y1=\"{Floor}\" y2=\"{Floor}\" stroke=\"var(--line)\"/><text x=\"0\" y=\"{Height - 4}\" font-size=\"11\" fill=\"var(--dim)\">{CleanReport.Number(low)}</text><text x=\"{Width}\" y=\"{Height - 4}\" font-size=\"11\" text-anchor=\"end\" fill=\"var(--dim)\">{CleanReport.Number(high)}</text>");
        foreach (var (rule, threshold) in marks.Where(m => m.Threshold >= low && m.Threshold <= high))
        {
            var x = Math.Clamp((threshold - low) / (high - low) * Width, 0.75, Width - 0.75);
            html.Append(invariant, $"<line x1=\"{x:0.#}\" x2=\"{x:0.#}\" y1=\"0\" y2=\"{Floor}\" stroke=\"var(--ink)\" stroke-dasharray=\"4 3\" stroke-width=\"1.5\"><title>{CleanReportPage.Text(rule)} {CleanReport.Number(threshold)}</title></line>");
        }
        html.Append("</svg>");
        foreach (var (rule, threshold) in marks) html.Append($"<div class=\"dim key\">{CleanReportPage.Text(rule)}: {CleanReport.Number(threshold)}</div>");
        html.Append("</div>");
    }

    private static void Bars(StringBuilder html, int[] kept, int[] gone)
    {
        const double step = (double)Width / Bins;
        double top = Math.Max(1, Enumerable.Range(0, Bins).Max(i => kept[i] + gone[i]));
        var invariant = CultureInfo.InvariantCulture;
        for (var i = 0; i < Bins; i++)
        {
            double a = Floor * kept[i] / top, b = Floor * gone[i] / top;
            if (a > 0) html.Append(invariant, $"<rect x=\"{i * step + 0.5:0.#}\" width=\"{step - 1:0.#}\" y=\"{Floor - a:0.#}\" height=\"{a:0.#}\" fill=\"var(--kept)\"/>");
            if (b > 0) html.Append(invariant, $"<rect x=\"{i * step + 0.5:0.#}\" width=\"{step - 1:0.#}\" y=\"{Floor - a - b:0.#}\" height=\"{b:0.#}\" fill=\"var(--gone)\"/>");
        }
    }
}
