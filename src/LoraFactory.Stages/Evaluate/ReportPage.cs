using System.Globalization;
using System.Net;
using System.Text;
using LoraFactory.Flow;
using LoraFactory.Models.Scoring;

namespace LoraFactory.Stages.Evaluate;

/// <summary>What the report shows beside the metrics.</summary>
public sealed record ReportContent
{
    /// <summary>Name of the run.</summary>
    public required string Title { get; init; }
    /// <summary>The finding.</summary>
    public required Report Report { get; init; }
    /// <summary>PNG of the side-by-side grid.</summary>
    public required byte[] Grid { get; init; }
    /// <summary>PNG of some training pictures.</summary>
    public required byte[] TrainingPictures { get; init; }
    /// <summary>PNG of some training pictures beside their variants, null where there are none.</summary>
    public byte[]? Variants { get; init; }
    /// <summary>Losses: step, training loss.</summary>
    public required IReadOnlyList<(int Step, double Loss)> Loss { get; init; }
    /// <summary>Validation losses: step, loss.</summary>
    public required IReadOnlyList<(int Step, double Loss)> Validation { get; init; }
    /// <summary>Lines of "name, value" about the data.</summary>
    public required IReadOnlyList<(string Name, string Value)> Data { get; init; }
    /// <summary>The plan's values, each with its why.</summary>
    public required IReadOnlyList<PlannedValue> Plan { get; init; }
    /// <summary>Adapter, plan, samples, pages: ids and counts.</summary>
    public required IReadOnlyList<(string Name, string Value)> Lineage { get; init; }
}

/// <summary>report.html: one file that needs nothing else.</summary>
public static class ReportPage
{
    private const string Style = """
        :root{color-scheme:light dark;--ink:#1a2233;--dim:#5b667a;--line:#d8deea;--good:#1a7f4b;--bad:#b3261e;--paper:#fff;--card:#f5f7fb}
        @media(prefers-color-scheme:dark){:root{--ink:#e8ecf4;--dim:#9aa6bb;--line:#344058;--good:#5fd39a;--bad:#ff8a80;--paper:#12161f;--card:#1a2030}}
        body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:1040px;margin:2rem auto;padding:0 1rem}
        h1{font-size:1.5rem;margin:0 0 .3rem}h2{font-size:1.1rem;margin:2.2rem 0 .6rem}
        .verdict{padding:.8rem 1rem;border-left:6px solid;background:var(--card);margin:1rem 0}.passed{border-color:var(--good)}.failed{border-color:var(--bad)}
        table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}th{color:var(--dim);font-weight:600}
        td.n{font-variant-numeric:tabular-nums;white-space:nowrap}.good{color:var(--good)}.bad{color:var(--bad)}.dim{color:var(--dim)}
        img{max-width:100%;image-rendering:pixelated;border:1px solid var(--line)}svg{width:100%;height:auto}
        """;

    /// <summary>The whole page.</summary>
    public static string Html(ReportContent c)
    {
        var html = new StringBuilder();
        html.Append($"<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>{Text(c.Title)}: report</title><style>{Style}</style></head><body>");
        html.Append($"<h1>{Text(c.Title)}</h1><p class=\"dim\">Adapter {Text(c.Report.AdapterId)}, report {Text(c.Report.Id)}</p>");
        html.Append($"<p class=\"verdict {(c.Report.Passed ? "passed" : "failed")}\">{Text(c.Report.Verdict)}</p>");
        if (c.Report.Advice.Count > 0) html.Append($"<h2>What to change</h2><ul>{string.Concat(c.Report.Advice.Select(a => $"<li>{Text(a)}</li>"))}</ul>");
        html.Append("<h2>Base and adapter, same prompts, same seeds</h2>").Append(Image(c.Grid, "grid of base and adapter pictures"));
        html.Append("<h2>Measured</h2><table><tr><th>metric</th><th>value</th><th>95 % interval</th><th>n</th><th>gate</th><th>meaning</th></tr>");
        foreach (var m in c.Report.Metrics)
        {
            var mark = m.Passed switch { true => "<span class=\"good\">✓ ", false => "<span class=\"bad\">✗ ", null => "<span class=\"dim\">" };
            html.Append($"<tr><td>{Text(m.Name)}</td><td class=\"n\">{Number(m.Value)}</td><td class=\"n\">{Number(m.Low)} … {Number(m.High)}</td><td class=\"n\">{m.N}</td><td>{mark}{Text(m.Gate ?? "informs")}</span></td><td class=\"dim\">{Text(m.Meaning)}</td></tr>");
        }
        html.Append($"</table><h2>Loss</h2>{(c.Report.Steps is { } steps ? $"<p>The adapter holds {Text(steps.ToString())}.</p>" : "")}").Append(Curve(c.Loss, c.Validation));
        html.Append("<h2>Training pictures (some)</h2>").Append(Image(c.TrainingPictures, "training pictures"));
        if (c.Variants is not null) html.Append("<h2>Variants (some)</h2>").Append(Image(c.Variants, "training pictures beside their variants"));
        Table(html, "Data", c.Data);
        html.Append("<h2>Plan</h2><table><tr><th>value</th><th></th><th>why</th></tr>");
        foreach (var v in c.Plan) html.Append($"<tr><td>{Text(v.Key)}</td><td class=\"n\">{Text(v.Value)}</td><td class=\"dim\">{Text(v.Why)} ({Text(v.Origin)})</td></tr>");
        html.Append("</table>");
        Table(html, "Lineage", c.Lineage);
        return html.Append("</body></html>\n").ToString();
    }

    private static void Table(StringBuilder html, string title, IReadOnlyList<(string Name, string Value)> rows)
    {
        html.Append($"<h2>{Text(title)}</h2><table>");
        foreach (var (name, value) in rows) html.Append($"<tr><td>{Text(name)}</td><td>{Text(value)}</td></tr>");
        html.Append("</table>");
    }

    // Training loss is noisy: each step in grey, a running mean over it, validation as dots.
    private static string Curve(IReadOnlyList<(int Step, double Loss)> loss, IReadOnlyList<(int Step, double Loss)> validation)
    {
        if (loss.Count < 2) return "<p class=\"dim\">no losses were recorded</p>";
        const int Width = 960, Height = 260, Left = 60, Bottom = 230;
        var all = loss.Concat(validation).Select(p => p.Loss).Where(double.IsFinite).Order().ToList();
        var top = Bootstrap.Quantile(all, 0.99) * 1.05;
        var last = Math.Max(1, loss[^1].Step);
        string At(double step, double value) => string.Create(CultureInfo.InvariantCulture, $"{Left + (Width - Left - 10) * step / last:F1},{Bottom - (Bottom - 10) * Math.Clamp(value / top, 0, 1):F1}");
        var window = Math.Max(1, loss.Count / 25);
        var mean = loss.Select((p, i) => (p.Step, Loss: loss.Skip(Math.Max(0, i - window + 1)).Take(Math.Min(i + 1, window)).Average(q => q.Loss)));
        var svg = new StringBuilder($"<svg viewBox=\"0 0 {Width} {Height}\" role=\"img\" aria-label=\"loss by step\">");
        for (var k = 0; k <= 4; k++)
        {
            var y = At(0, top * k / 4).Split(',')[1];
            svg.Append($"<line x1=\"{Left}\" x2=\"{Width - 10}\" y1=\"{y}\" y2=\"{y}\" stroke=\"var(--line)\"/><text x=\"{Left - 8}\" y=\"{y}\" text-anchor=\"end\" dominant-baseline=\"middle\" font-size=\"12\" fill=\"var(--dim)\">{Number(top * k / 4)}</text>");
        }
        svg.Append($"<polyline fill=\"none\" stroke=\"var(--line)\" points=\"{string.Join(' ', loss.Select(p => At(p.Step, p.Loss)))}\"/>");
        svg.Append($"<polyline fill=\"none\" stroke=\"#3b76d6\" stroke-width=\"2\" points=\"{string.Join(' ', mean.Select(p => At(p.Step, p.Loss)))}\"/>");
        foreach (var p in validation)
        {
            var xy = At(p.Step, p.Loss).Split(',');
            svg.Append($"<circle cx=\"{xy[0]}\" cy=\"{xy[1]}\" r=\"4\" fill=\"#d6633b\"><title>validation, step {p.Step}: {Number(p.Loss)}</title></circle>");
        }
        svg.Append($"<text x=\"{Width - 10}\" y=\"{Height - 8}\" text-anchor=\"end\" font-size=\"12\" fill=\"var(--dim)\">step {last}</text><text x=\"{Left}\" y=\"{Height - 8}\" font-size=\"12\" fill=\"var(--dim)\">grey: each step, blue: running mean, orange: validation</text></svg>");
        return svg.ToString();
    }

    private static string Image(byte[] png, string alt) => $"<img alt=\"{Text(alt)}\" src=\"data:image/png;base64,{Convert.ToBase64String(png)}\">";

    private static string Text(string value) => WebUtility.HtmlEncode(value);

    private static string Number(double value) => double.IsFinite(value) ? value.ToString(Math.Abs(value) >= 100 ? "F1" : "F3", CultureInfo.InvariantCulture) : "–";
}
