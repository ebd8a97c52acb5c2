using System.Globalization;
using System.Net;
using System.Text;
using LoraFactory.Flow;

namespace LoraFactory.Stages.Clean;

/// <summary>
/// The page of <c>lora clean report</c>: one file that needs nothing else and loads nothing. Texts, addresses and captions come from the web: they are
/// escaped, cut, never links, and freed of the marks that turn reading order around.
/// </summary>
public static class CleanReportPage
{
    /// <summary>Bytes of pictures in the page at most; what comes after is listed without.</summary>
    private const int MostPictureBytes = 6 << 20;
    private const int MostText = 400;

    private const string Style = """
        :root{color-scheme:light dark;--ink:#1a2233;--dim:#5b667a;--line:#d8deea;--kept:#2f7d5b;--gone:#c4603c;--paper:#fff;--card:#f5f7fb}
        @media(prefers-color-scheme:dark){:root{--ink:#e8ecf4;--dim:#9aa6bb;--line:#344058;--kept:#5fc39a;--gone:#e88a66;--paper:#12161f;--card:#1a2030}}
        body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:1120px;margin:2rem auto;padding:0 1rem}
        h1{font-size:1.5rem;margin:0}h2{font-size:1.15rem;margin:2.4rem 0 .7rem;border-bottom:1px solid var(--line);padding-bottom:.3rem}h3{font-size:1rem;margin:1.4rem 0 .4rem}
        .dim{color:var(--dim)}.sum{display:flex;gap:1rem;flex-wrap:wrap;margin:1rem 0}.sum div{background:var(--card);border-radius:8px;padding:.7rem 1.1rem;min-width:8rem}.sum b{display:block;font-size:1.5rem;font-variant-numeric:tabular-nums}
        table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}th{color:var(--dim);font-weight:600}td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
        .bar{background:var(--card);height:.8rem;border-radius:4px;overflow:hidden;margin-top:.35rem}.bar i{display:block;height:100%;background:var(--gone)}
        .charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(320px,1fr));gap:.9rem}.chart{background:var(--card);border-radius:8px;padding:.5rem .8rem}.chart b{font-size:.85rem}svg{width:100%;height:auto;display:block}
        .pics{display:flex;flex-wrap:wrap;gap:.7rem}figure{margin:0;width:150px}figure img{max-width:144px;max-height:144px;border:1px solid var(--line);border-radius:4px;background:#8884;min-width:1.5rem}
        figcaption{font-size:.75rem;line-height:1.3;color:var(--dim);overflow-wrap:anywhere}.two{display:grid;grid-template-columns:1fr 1fr;gap:1.2rem}@media(max-width:760px){.two{grid-template-columns:1fr}}
        blockquote{margin:.4rem 0;padding:.5rem .8rem;background:var(--card);border-left:4px solid var(--gone);font-size:.85rem;white-space:pre-wrap;overflow-wrap:anywhere}.keep blockquote{border-color:var(--kept)}
        .from{margin:.9rem 0 .2rem;font-size:.8rem;line-height:1.35;overflow-wrap:anywhere}.key{font-size:.8rem}.key i{display:inline-block;width:.8rem;height:.8rem;border-radius:2px;margin:0 .3rem 0 .9rem;vertical-align:-1px}ul{margin:.3rem 0;padding-left:1.1rem;font-size:.85rem;overflow-wrap:anywhere}.off{opacity:.75}code{font-size:.9em}
        """;

    /// <summary>Its name in the run's directory.</summary>
    public const string FileName = "clean-report.html";

    /// <summary>Makes the page of a run whose clean has finished, and says where it lies.</summary>
    /// <exception cref="LoraException">Clean has not finished there.</exception>
    public static string Write(RunDirectory run, CleanOptions options, CancellationToken token)
    {
        var path = Path.Combine(run.Path, FileName);
        AtomicFile.WriteText(path, Html(CleanReport.Of(run, options, token)));
        return path;
    }

    /// <summary>The whole page.</summary>
    internal static string Html(CleanReport report)
    {
        var html = new StringBuilder();
        var room = MostPictureBytes;
        html.Append("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">");
        html.Append("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">");
        html.Append($"<title>{Text(report.Run)}: what clean kept and dropped</title><style>{Style}</style></head><body>");
        html.Append($"<h1>{Text(report.Run)}</h1><p class=\"dim\">What clean kept and dropped, and why.</p><div class=\"sum\">");
        void Card(string name, string value) => html.Append($"<div><b>{value}</b>{name}</div>");
        Card("pictures kept", $"{report.Kept}");
        Card("pictures dropped", $"{report.Dropped}");
        Card("pages' texts kept", $"{report.Pages.Kept} of {report.Pages.All}");
        Card("reasons", $"{report.Reasons.Select(r => r.Name).Distinct().Count()}");
        html.Append("</div>");
        Counts(html, report);
        if (report.KeptPictures.Count + report.KeptTexts.Count > 0)
        {
            html.Append("<h2>Kept, for comparison</h2><div class=\"keep\">");
            Pictures(html, report.KeptPictures, ref room);
            foreach (var text in report.KeptTexts) Quote(html, text);
            html.Append("</div>");
        }
        html.Append("<h2>Dropped, some of each</h2>");
        foreach (var reason in report.Reasons) Reason(html, reason, ref room);
        SignalCharts.Write(html, report.Signals);
        Rules(html, report.Rules);
        return html.Append("</body></html>\n").ToString();
    }

    private static void Counts(StringBuilder html, CleanReport report)
    {
        html.Append("<h2>Counts by rule</h2><table><tr><th>rule</th><th>of</th><th>dropped</th><th style=\"width:45%\"></th></tr>");
        var most = Math.Max(1, report.Reasons.Select(r => r.Count).DefaultIfEmpty(1).Max());
        foreach (var reason in report.Reasons)
            html.Append(CultureInfo.InvariantCulture, $"<tr><td>{Text(reason.Name)}{Kinds(reason)}</td><td class=\"dim\">{(reason.IsDocument ? "pages" : "pictures")}</td><td class=\"n\">{reason.Count}</td><td><div class=\"bar\"><i style=\"width:{100.0 * reason.Count / most:0.#}%\"></i></div></td></tr>");
        html.Append("</table>");
        if (report.Reasons.Count == 0) html.Append("<p class=\"dim\">Nothing was dropped.</p>");
    }

    private static string Kinds(ReportReason reason) => reason.Kinds.Count == 0 ? "" : $"<br><span class=\"dim key\">{Text(string.Join(", ", reason.Kinds.Select(k => $"{k.Kind} {k.Count}")))}</span>";

    private static void Reason(StringBuilder html, ReportReason reason, ref int room)
    {
        html.Append($"<h3>{Text(reason.Name)} <span class=\"dim\">{reason.Count} {(reason.IsDocument ? "page" : "picture")}{(reason.Count == 1 ? "" : "s")}</span></h3>");
        if (reason.Texts.Count > 0)
        {
            html.Append(reason.Beside.Count > 0 ? "<div class=\"two\"><div><p class=\"dim\">dropped</p>" : "<div>");
            foreach (var text in reason.Texts) Quote(html, text);
            if (reason.Beside.Count > 0) html.Append("</div><div class=\"keep\"><p class=\"dim\">kept, nearest to these</p>");
            foreach (var text in reason.Beside) Quote(html, text);
            html.Append(reason.Beside.Count > 0 ? "</div></div>" : "</div>");
            return;
        }
        Pictures(html, reason.Pictures, ref room);
        html.Append("<ul>");
        foreach (var drop in reason.Drops.Take(reason.Pictures.Count > 0 ? 2 : 6)) html.Append($"<li>{Text(drop.What)} <span class=\"dim\">{Text(CleanReport.Judged(drop))}</span></li>");
        html.Append("</ul>");
    }

    private static void Pictures(StringBuilder html, IReadOnlyList<ReportPicture> pictures, ref int room)
    {
        html.Append("<div class=\"pics\">");
        foreach (var picture in pictures)
        {
            if ((room -= picture.Png.Length * 4 / 3) < 0) break;
            html.Append($"<figure><img alt=\"\" src=\"data:image/png;base64,{Convert.ToBase64String(picture.Png)}\"><figcaption title=\"{Text(picture.Origin)}\">{Text(picture.Caption, 90)}</figcaption></figure>");
        }
        html.Append("</div>");
    }

    private static void Quote(StringBuilder html, ReportText text)
    {
        html.Append($"<p class=\"from\">{Text(text.Url)}{(text.Note.Length > 0 ? $"<br><span class=\"dim\">{Text(text.Note)}</span>" : "")}</p>");
        if (text.Beginning.Length > 0) html.Append($"<blockquote>{Text(text.Beginning)}</blockquote>");
    }

    private static void Rules(StringBuilder html, IReadOnlyList<ReportRule> rules)
    {
        html.Append("<h2>Rules about texts</h2><p class=\"dim\">Every rule is measured on every page; those that are on drop. <code>clean.rules</code> switches a set on, <code>clean.thresholds</code> changes one, "
            + "<code>lora clean RUN --rescore</code> applies it without reading a page again.</p><table><tr><th>rule</th><th></th><th>threshold</th><th>pages that break it</th><th>what it is after, and what its plain form gets wrong</th></tr>");
        foreach (var (rule, threshold, isOn, breaks) in rules)
        {
            html.Append($"<tr{(isOn ? "" : " class=\"off\"")}><td>{Text(rule.Name)}<br><span class=\"dim\">{Text(rule.Signal)}</span></td><td>{(isOn ? "on" : "off")}</td><td class=\"n\">{(rule.IsFloor ? "≥" : "≤")} {CleanReport.Number(threshold)}</td><td class=\"n\">{breaks}</td>");
            html.Append($"<td>{Text(rule.Meaning, 500)}. <span class=\"dim\">{Text(rule.KnownFailure, 900)} ({Text(rule.Source)})</span></td></tr>");
        }
        html.Append("</table>");
    }

    /// <summary>Escaped and cut; control characters and marks that turn reading order around are shown as ·.</summary>
    internal static string Text(string value, int most = MostText)
    {
        var cut = new StringBuilder(Math.Min(value.Length, most) + 2);
        foreach (var c in value.AsSpan(0, Math.Min(value.Length, most)))
            cut.Append(c == '\n' ? c : char.IsControl(c) || char.IsSurrogate(c) && !IsWhole(value, cut.Length) || c is (>= '\u202a' and <= '\u202e') or (>= '\u2066' and <= '\u2069') or '\u200e' or '\u200f' or '\ufeff' ? '·' : c);
        if (value.Length > most) cut.Append(" …");
        return WebUtility.HtmlEncode(cut.ToString());
    }

    private static bool IsWhole(string value, int i) =>
        char.IsHighSurrogate(value[i]) ? i + 1 < value.Length && char.IsLowSurrogate(value[i + 1]) : i > 0 && char.IsHighSurrogate(value[i - 1]);
}
