using LoraFactory.Flow;
using LoraFactory.Stages.Clean.Text;

namespace LoraFactory.Stages.Clean;

/// <summary>Turns crawled pages into candidates: reads each page once, judges its text, and drops what the words and the markup already rule out.</summary>
internal sealed class PageIntake(RunDirectory run, CleanOptions options, EarlierScores earlier, TextMeaning? meaning = null, Spelling? spelling = null)
{
    private readonly TextCleaning cleaning = new(options);
    private readonly DocumentReader reader = new(run, new TextCleaning(options), spelling);
    private readonly TextJudgement rules = new(options);

    private const string NoText = "no-text";

    private sealed record ReadPage(Page Page, TextDocument Document, (string Name, string Detail, double Value, double Threshold)? Fault);

    /// <summary>Pages in the order of their URLs with what became of their texts; filled by <see cref="Take"/>.</summary>
    public IReadOnlyList<TextDocument> Documents { get; private set; } = [];

    /// <summary>Pages that had to be read because they, or another page of their host, were not among the earlier scores.</summary>
    public int ReadAnew { get; private set; }

    /// <summary>Reads <c>1-crawl/pages.jsonl</c>; candidates come in the order of page URL and place on the page.</summary>
    public (List<Candidate> Candidates, List<Drop> Drops, TopicModel Topic) Take(Seed seed, IEnumerable<Page> pages, IProgressTask progress, CancellationToken token)
    {
        var sorted = pages.OrderBy(page => page.Url, StringComparer.Ordinal).ToList();
        var documents = new List<TextDocument>();
        // what a host's pages have in common is told by all of them: where one is new, all are read
        var anew = sorted.Where(page => earlier.Document(page.Id, reader.ReadBy) is null).Select(HostOf).ToHashSet(StringComparer.Ordinal);
        foreach (var page in sorted)
        {
            token.ThrowIfCancellationRequested();
            documents.Add(Read(page, anew));
            progress.Advance();
        }
        RemoveCommonLines(sorted, documents, anew);
        var read = sorted.Zip(documents, Judged).ToList();
        if (meaning is not null) Compare(read, meaning, token);
        var drops = new List<Drop>();
        Documents = TextDuplicates.Mark([.. read.Select(page => page.Document)], options.DuplicateTextSimilarity, drops);
        if (meaning is not null) Documents = meaning.Mark(Documents, drops, token);
        var topic = new TopicModel(seed, [.. read.Where(page => page.Page.Status == 200 && page.Fault is not { Name: not "language" } && !OptedOut(page.Page.OptOut)).Select(TopicPageOf)]);
        var candidates = new List<Candidate>();
        foreach (var page in read)
        {
            if (page.Fault is { } fault)
                drops.Add(Candidate.Numbered(new Drop(page.Page.Id, fault.Name, page.Page.FinalUrl, fault.Detail) { Kind = CleanStage.DocumentKind }, fault.Value, fault.Threshold));
            else if (page.Document.Dropped == NoText)
                drops.Add(new Drop(page.Page.Id, NoText, page.Page.FinalUrl, page.Page.Rendered ? "nothing on it reads as text" : "nothing on it reads as text; where scripts write it, crawl.render: auto lets them") { Kind = CleanStage.DocumentKind });
            var whole = TopicPageOf(page);
            for (var i = 0; i < page.Page.Pictures.Count; i++)
            {
                var picture = page.Page.Pictures[i];
                if (picture.BlobHash is null)
                {
                    drops.Add(NotFetched(page.Page, picture, i));
                    continue;
                }
                var candidate = ToCandidate(page, picture, i);
                var judged = topic.Judge(candidate.OwnWords, candidate.Context, whole);
                if (Reason(page, picture, judged) is { } reason) drops.Add(candidate.Drop(reason.Name, reason.Detail, reason.Value, reason.Threshold));
                else candidates.Add(candidate with { TextSignals = Signals(page.Document, judged) });
            }
        }
        return (candidates, drops, topic);
    }

    // Texts that stand so far get what an encoder knows of them, and are judged once more.
    private void Compare(List<ReadPage> read, TextMeaning meaning, CancellationToken token)
    {
        int[] standing = [.. Enumerable.Range(0, read.Count).Where(i => read[i].Fault is null)];
        var measured = meaning.Measured([.. standing.Select(i => read[i].Document)], null, token);
        for (var n = 0; n < standing.Length; n++) read[standing[n]] = Judged(read[standing[n]].Page, measured[n]);
    }

    /// <summary>Why a page's text is dropped, and its pictures with it; null when it is kept.</summary>
    private (string Name, string Detail, double Value, double Threshold)? FaultOf(TextDocument document)
    {
        if (options.Languages.Count > 0 && document.Language != "und" && !options.Languages.Any(language => Matches(document.Language, language))) return ("language", document.Language, double.NaN, double.NaN);
        var quality = document.Signal(TextQuality.Signal);
        if (quality < options.MinTextQuality) return (TextQuality.Reason, $"quality {quality:0.###}: {document.Worst}", quality, options.MinTextQuality);
        foreach (var broken in rules.Broken(document.Signals))
            return (broken.Rule, TextRules.All.First(rule => rule.Name == broken.Rule).Told(broken.Value, broken.Threshold), broken.Value, broken.Threshold);
        return null;
    }

    private (string Name, string Detail, double Value, double Threshold)? Reason(ReadPage page, PagePicture picture, TopicRelevanceOf judged)
    {
        if (OptedOut(picture.OptOut ?? page.Page.OptOut)) return (CleanStage.OptedOut, (picture.OptOut ?? page.Page.OptOut)!, double.NaN, double.NaN);
        if (FurnitureKind(page, picture) is { } kind) return (kind, page.Page.FinalUrl, double.NaN, double.NaN);
        if (page.Fault is { } fault) return fault;
        if (judged.Value < options.MinRelevance)
            return ("off-topic", $"relevance {judged.Value:0.###}: own words {judged.Own:0.##}, against {judged.Against:0.##}, around {judged.Context:0.##}, page {judged.Page:0.##}", judged.Value, options.MinRelevance);
        return null;
    }

    // An opt-out goes by its own name, whether the crawl heard of it or clean does; another page's is named with the page.
    private static Drop NotFetched(Page page, PagePicture picture, int index)
    {
        var drop = new Drop(ContentId.Of(picture.Url, page.FinalUrl, $"{index}"), CleanStage.NotFetched, picture.Url, picture.Refused ?? "not fetched") { Page = page.FinalUrl };
        if (picture.Refused?.StartsWith(PagePicture.RefusedByOptOut, StringComparison.Ordinal) is not true) return drop;
        var signal = picture.Refused[PagePicture.RefusedByOptOut.Length..];
        var elsewhere = picture.Consent is { Verdict: "refused" } said && said.Url != picture.Url && said.Url != page.FinalUrl ? $", said by {said.Url}" : "";
        return drop with { Reason = CleanStage.OptedOut, Detail = signal + elsewhere };
    }

    private string Tidy(string text) => CaptionText.Clean(cleaning.Line(text));

    private bool OptedOut(string? optOut) => options.RespectOptOut && optOut is not null;

    private static bool Matches(string language, string wanted) => string.Equals(language, wanted.Split('-')[0], StringComparison.OrdinalIgnoreCase);

    private static string? FurnitureKind(ReadPage page, PagePicture picture) => page.Document.Furniture.GetValueOrDefault(picture.Url);

    private TopicPage TopicPageOf(ReadPage page) => new(cleaning.Line(page.Page.Title), page.Document.Text,
        [.. page.Page.Pictures.Where(picture => picture.BlobHash is not null && FurnitureKind(page, picture) is null).Select(OwnWords)]);

    private string OwnWords(PagePicture picture) =>
        string.Join('\n', new[] { Tidy(picture.Caption), Tidy(picture.Alt), Tidy(picture.Title) }.Where(text => text.Length > 0).Distinct(StringComparer.Ordinal));

    // A page without text may still show pictures: it has no fault, but no text to keep either.
    private ReadPage Judged(Page page, TextDocument document)
    {
        var fault = OptedOut(page.OptOut) ? (CleanStage.OptedOut, page.OptOut!, double.NaN, double.NaN) : FaultOf(document);
        return new ReadPage(page, document with { Dropped = fault?.Name ?? (document.Text.Length == 0 ? NoText : null) }, fault);
    }

    private static string HostOf(Page page) => new Uri(page.FinalUrl).Host;

    private TextDocument Read(Page page, HashSet<string> anew)
    {
        if (earlier.Document(page.Id, reader.ReadBy) is { } known && (!anew.Contains(HostOf(page)) || !File.Exists(run.Blob(page.BlobHash)))) return TextMeaning.Bare(known);
        ReadAnew++;
        return reader.Read(page);
    }

    // What most pages of a host have in common is the host's and no page's.
    private void RemoveCommonLines(List<Page> pages, List<TextDocument> documents, HashSet<string> anew)
    {
        foreach (var host in Enumerable.Range(0, documents.Count).GroupBy(i => HostOf(pages[i]), StringComparer.Ordinal).Where(host => anew.Contains(host.Key)))
        {
            // as the pages have them: a slip that was corrected on one page is none of the host's differences
            var lines = BoilerplateLines.CommonTo([.. host.Where(i => documents[i].Text.Length > 0).Select(i => TextTokens.Of(Spelling.Undo(documents[i].Text, documents[i].Spelling)))]);
            if (lines.Count == 0) continue;
            foreach (var i in host) documents[i] = reader.Without(documents[i], lines);
        }
    }

    private Candidate ToCandidate(ReadPage page, PagePicture picture, int index) => new()
    {
        PageId = page.Page.Id,
        PageUrl = page.Page.FinalUrl,
        PictureUrl = picture.Url,
        BlobHash = picture.BlobHash!,
        Depth = page.Page.Depth,
        Index = index,
        Caption = Tidy(picture.Caption),
        Alt = Tidy(picture.Alt),
        Title = Tidy(picture.Title),
        Context = Tidy(picture.Context),
        PageTitle = Tidy(page.Page.Title),
        Language = page.Document.Language,
        Licence = picture.Licence ?? page.Page.Licence,
        Consent = picture.Consent is { Verdict: not "silent" } own ? own : page.Page.Consent is { Verdict: not "silent" } whole ? whole : picture.Consent ?? page.Page.Consent,
    };

    private static Dictionary<string, double> Signals(TextDocument document, TopicRelevanceOf judged)
    {
        var signals = new Dictionary<string, double>(document.Signals, StringComparer.Ordinal)
        {
            ["relevance"] = judged.Value,
            ["relevance_own"] = judged.Own,
            ["relevance_against"] = judged.Against,
            ["relevance_context"] = judged.Context,
            ["relevance_page"] = judged.Page,
        };
        return signals;
    }
}
