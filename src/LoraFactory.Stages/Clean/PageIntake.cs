using LoraFactory.Flow;

namespace LoraFactory.Stages.Clean;

/// <summary>Turns crawled pages into candidates: reads each page once, judges its text, and drops what the words and the markup already rule out.</summary>
internal sealed class PageIntake(RunDirectory run, CleanOptions options)
{
    private const int MaxPageBytes = 64 << 20;

    private sealed record ReadPage(Page Page, PageReading Reading, TextQuality Quality, string Language);

    /// <summary>Reads <c>1-crawl/pages.jsonl</c>; candidates come in the order of page URL and place on the page.</summary>
    public (List<Candidate> Candidates, List<Drop> Drops, TopicModel Topic) Take(Seed seed, IEnumerable<Page> pages, IProgressTask progress, CancellationToken token)
    {
        var read = new List<ReadPage>();
        foreach (var page in pages.OrderBy(page => page.Url, StringComparer.Ordinal))
        {
            token.ThrowIfCancellationRequested();
            read.Add(Read(page));
            progress.Advance();
        }
        var topic = new TopicModel(seed, [.. read.Where(page => page.Page.Status == 200 && page.Quality.Score >= options.MinTextQuality && !OptedOut(page.Page.OptOut))
            .Select(TopicPageOf)]);
        var candidates = new List<Candidate>();
        var drops = new List<Drop>();
        foreach (var page in read)
        {
            var whole = TopicPageOf(page);
            for (var i = 0; i < page.Page.Pictures.Count; i++)
            {
                var picture = page.Page.Pictures[i];
                if (picture.BlobHash is null)
                {
                    drops.Add(new Drop(ContentId.Of(picture.Url, page.Page.FinalUrl, $"{i}"), CleanStage.NotFetched, picture.Url, picture.Refused ?? "not fetched"));
                    continue;
                }
                var candidate = ToCandidate(page, picture, i);
                var judged = topic.Judge(candidate.OwnWords, candidate.Context, whole);
                if (Reason(page, picture, judged) is { } reason) drops.Add(candidate.Drop(reason.Name, reason.Detail));
                else candidates.Add(candidate with { TextSignals = Signals(page.Quality, judged) });
            }
        }
        return (candidates, drops, topic);
    }

    private (string Name, string Detail)? Reason(ReadPage page, PagePicture picture, TopicRelevanceOf judged)
    {
        if (OptedOut(picture.OptOut ?? page.Page.OptOut)) return ("opted-out", (picture.OptOut ?? page.Page.OptOut)!);
        if (FurnitureKind(page, picture) is { } kind) return (kind, page.Page.FinalUrl);
        if (options.Languages.Count > 0 && page.Language != "und" && !options.Languages.Any(language => Matches(page.Language, language))) return ("language", page.Language);
        if (page.Quality.Score < options.MinTextQuality) return ("poor-text", $"quality {page.Quality.Score:0.###}: {page.Quality.Worst}");
        if (judged.Value < options.MinRelevance) return ("off-topic", $"relevance {judged.Value:0.###}: own words {judged.Own:0.##}, against {judged.Against:0.##}, around {judged.Context:0.##}, page {judged.Page:0.##}");
        return null;
    }

    private bool OptedOut(string? optOut) => options.RespectOptOut && optOut is not null;

    private static bool Matches(string language, string wanted) => string.Equals(language, wanted.Split('-')[0], StringComparison.OrdinalIgnoreCase);

    private static string? FurnitureKind(ReadPage page, PagePicture picture) =>
        Uri.TryCreate(picture.Url, UriKind.Absolute, out var uri) ? page.Reading.Furniture.GetValueOrDefault(MainText.Key(uri)) : null;

    private static TopicPage TopicPageOf(ReadPage page) => new(page.Page.Title, page.Reading.MainText,
        [.. page.Page.Pictures.Where(picture => picture.BlobHash is not null && FurnitureKind(page, picture) is null).Select(OwnWords)]);

    private static string OwnWords(PagePicture picture) =>
        string.Join('\n', new[] { CaptionText.Clean(picture.Caption), CaptionText.Clean(picture.Alt), CaptionText.Clean(picture.Title) }.Where(text => text.Length > 0).Distinct(StringComparer.Ordinal));

    private ReadPage Read(Page page)
    {
        var path = run.Blob(page.BlobHash);
        var file = new FileInfo(path);
        var isHtml = page.MediaType is "text/html" or "application/xhtml+xml";
        if (!isHtml || !file.Exists || file.Length > MaxPageBytes)
            return new ReadPage(page, new PageReading { MainText = "", LinkDensity = 0, DeclaredLanguage = "", Furniture = new Dictionary<string, string>() }, TextQuality.Of("", "und", 0), "und");
        using var html = file.OpenRead();
        var reading = MainText.Read(html, new Uri(page.FinalUrl), page.Headers.GetValueOrDefault("content-type"));
        var language = LanguageGuess.Of(reading.MainText.Length > 0 ? reading.MainText : page.Title, reading.DeclaredLanguage);
        return new ReadPage(page, reading, TextQuality.Of(reading.MainText, language, reading.LinkDensity), language);
    }

    private static Candidate ToCandidate(ReadPage page, PagePicture picture, int index) => new()
    {
        PageId = page.Page.Id,
        PageUrl = page.Page.FinalUrl,
        PictureUrl = picture.Url,
        BlobHash = picture.BlobHash!,
        Depth = page.Page.Depth,
        Index = index,
        Caption = CaptionText.Clean(picture.Caption),
        Alt = CaptionText.Clean(picture.Alt),
        Title = CaptionText.Clean(picture.Title),
        Context = CaptionText.Clean(picture.Context),
        PageTitle = CaptionText.Clean(page.Page.Title),
        Language = page.Language,
        Licence = picture.Licence ?? page.Page.Licence,
    };

    private static Dictionary<string, double> Signals(TextQuality quality, TopicRelevanceOf judged)
    {
        var signals = new Dictionary<string, double>(quality.Signals, StringComparer.Ordinal)
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
