using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using LoraFactory.Cli.Commands;
using LoraFactory.Flow;
using LoraFactory.Pages.Html;
using LoraFactory.Stages.Train;

namespace LoraFactory.Cli.Engine.Bench;

/// <summary><c>lora bench extract</c>: pages a CPU second of reading main text, on pages made from a seed: plain ones of 6 kB, and the same articles in 48 kB of menus, scripts and teasers.</summary>
internal static class ExtractBench
{
    private const int MenuItems = 220, Teasers = 80, Statements = 1500;

    private sealed record MadePage(string Html, string Expected);

    /// <summary>The command.</summary>
    public static Command Command(CommandWorld world)
    {
        var pages = NumberOption.Of("--pages", "Pages of each kind", 200, 1, 1_000_000);
        var seed = NumberOption.Of("--seed", "Seed of the pages: the same pages again each time", 1, 1, 1_000_000);
        var rounds = NumberOption.Of("--rounds", "Times that all pages are read; the round with the least CPU seconds counts", 40, 1, 1_000_000);
        var command = new Command("extract", "Pages a CPU second of reading main text, links and figures") { pages, seed, rounds };
        command.SetAction((parsed, token) => Task.Run(() =>
        {
            world.Out.WriteLine(Run(parsed.GetValue(pages), parsed.GetValue(seed), parsed.GetValue(rounds), token).ToJsonString(RunDirectory.Json));
            return (int)ExitCode.Done;
        }, token));
        return command;
    }

    private static JsonObject Run(int count, int seed, int rounds, CancellationToken token)
    {
        var random = new Random(seed);
        var words = Vocabulary(random);
        var plain = Enumerable.Range(0, count).Select(number => Page(random, words, number)).ToList();
        var fat = plain.Select(page => page with { Html = Fattened(random, words, page.Html) }).ToList();
        var line = new JsonObject { ["bench"] = "extract", ["pages"] = count, ["seed"] = seed, ["rounds"] = rounds };
        foreach (var (kind, pages) in new[] { ("", plain), ("fat_", fat) })
        {
            line[kind + "mean_bytes"] = pages.Sum(page => page.Html.Length) / count;
            line[kind + "pages_per_cpu_s"] = Measured(pages, PageParts.Text, rounds, token);
            line[kind + "crawl_pages_per_cpu_s"] = Measured(pages, PageParts.Links | PageParts.Figures | PageParts.Gist, rounds, token);
            line[kind + "all_pages_per_cpu_s"] = Measured(pages, PageParts.All, rounds, token);
            line[kind + "token_f1"] = Measurement.Rounded(pages.Average(page => Agreement(PageReader.Read(page.Html, Address, PageParts.Text).MainText, page.Expected)));
        }
        line["peak_rss_mb"] = Math.Round(ProcessMemory.PeakMiB);
        return line;
    }

    private static readonly Uri Address = new("http://page.example/");

    private static double Measured(List<MadePage> pages, PageParts parts, int rounds, CancellationToken token)
    {
        var least = double.MaxValue;
        // the first rounds compile, and the least one counts
        for (var round = 0; round <= rounds; round++)
        {
            token.ThrowIfCancellationRequested();
            var before = Environment.CpuUsage.TotalTime;
            foreach (var page in pages) PageReader.Read(page.Html, Address, parts);
            if (round > 0) least = Math.Min(least, (Environment.CpuUsage.TotalTime - before).TotalSeconds);
        }
        return Math.Round(pages.Count / least, 1);
    }

    // F1 of words as a multiset.
    private static double Agreement(string text, string expected)
    {
        var (mine, theirs) = (Counts(text), Counts(expected));
        double both = mine.Sum(word => Math.Min(word.Value, theirs.GetValueOrDefault(word.Key)));
        return 2 * both / (mine.Values.Sum() + theirs.Values.Sum());
    }

    private static Dictionary<string, int> Counts(string text) => text.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries).CountBy(word => word).ToDictionary();

    private static string[] Vocabulary(Random random) =>
        [.. Enumerable.Range(0, 8000).Select(_ => string.Concat(Enumerable.Range(0, random.Next(2, 11)).Select(_ => "etaoinshrdlucmfwypvbgkjqxz"[Math.Min(random.Next(26), random.Next(26))])))];

    private static string Sentence(Random random, string[] words)
    {
        // few words are said often
        var text = string.Join(' ', Enumerable.Range(0, random.Next(6, 23)).Select(_ => words[(int)(words.Length * Math.Pow(random.NextDouble(), 3))]));
        return char.ToUpperInvariant(text[0]) + text[1..] + ".";
    }

    private static MadePage Page(Random random, string[] words, int number)
    {
        var title = $"{Cut(Sentence(random, words), 60).TrimEnd('.')} {number}";
        var paragraphs = Enumerable.Range(0, random.Next(4, 13)).Select(_ => string.Join(' ', Enumerable.Range(0, random.Next(2, 7)).Select(_ => Sentence(random, words)))).ToList();
        var html = new StringBuilder();
        html.Append(CultureInfo.InvariantCulture, $"<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title><meta name=\"description\" content=\"{Sentence(random, words)}\"><style>body{{font:14px serif}}</style><script>var x={number};</script></head><body>");
        html.Append("<nav><ul><li><a href=\"/\">Home</a></li><li><a href=\"/about.html\">About us</a></li><li>Subscribe to our newsletter</li></ul></nav><aside><h3>Most read</h3><ul>");
        for (var link = 0; link < 14; link++) html.Append(CultureInfo.InvariantCulture, $"<li><a href=\"/a/p{random.Next(2000)}.html\">{Cut(Sentence(random, words), 30)}</a></li>");
        html.Append(CultureInfo.InvariantCulture, $"</ul></aside><article><h1>{title}</h1>");
        for (var i = 0; i < paragraphs.Count; i++)
        {
            html.Append("<p>").Append(paragraphs[i]).Append("</p>");
            if (i == 1) html.Append(CultureInfo.InvariantCulture, $"<figure><img src=\"/img/i{number}.jpg\" alt=\"{Cut(Sentence(random, words), 50)}\" width=\"640\"><figcaption>{Sentence(random, words)}</figcaption></figure><img srcset=\"/img/j{number}.jpg 1x, /img/k{number}.jpg 2x\" alt=\"set\"><img src=\"data:image/gif;base64,R0lGODlhAQABAAAAACw=\" data-src=\"/img/l{number}.jpg\" alt=\"lazy\">");
        }
        html.Append("</article><footer>Copyright 2024. All rights reserved. Cookie settings. <a href=\"mailto:x@y.example\">mail</a></footer></body></html>");
        return new(html.ToString(), string.Join(' ', paragraphs));
    }

    private static string Fattened(Random random, string[] words, string html)
    {
        string Few(int count) => string.Join(' ', Enumerable.Range(0, count).Select(_ => words[random.Next(400)]));
        var menu = string.Concat(Enumerable.Range(0, MenuItems).Select(i => $"<li class=\"menu-item m{i}\"><a href=\"/s/{i}\" class=\"x y z\">{Few(3)}</a></li>"));
        var teasers = string.Concat(Enumerable.Range(0, Teasers).Select(i => $"<div class=\"teaser card\"><a href=\"/t/{i}\"><img src=\"/t{i}.jpg\"><span>{Few(8)}</span></a></div>"));
        return html.Replace("<nav>", $"<script>{string.Concat(Enumerable.Repeat("var a=1;", Statements))}</script><nav><ul>{menu}</ul>", StringComparison.Ordinal)
            .Replace("<footer>", $"<section class='related sidebar'>{teasers}</section><footer>", StringComparison.Ordinal);
    }

    private static string Cut(string text, int most) => text.Length <= most ? text : text[..most];
}
