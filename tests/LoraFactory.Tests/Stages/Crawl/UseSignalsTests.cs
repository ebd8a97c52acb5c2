using System.Text;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Tests.Stages.Crawl;

/// <summary>What a resource says about its use: read from file, header and markup, and kept with what it was.</summary>
public sealed class UseSignalsTests
{
    private static readonly Uri At = new("https://a.test/art/1.html");

    [Theory]
    [InlineData("search=yes, ai-train=no", "search yes, ai-train no")]
    [InlineData("AI-Train = NO , ai-input=yes", "ai-train no, ai-input yes")]
    [InlineData("ai-train=no, ai-train=yes", "ai-train no")]
    [InlineData("ai-train=maybe, =no, search", "")]
    public void A_content_signal_is_read_by_word(string value, string expected) => Assert.Equal(expected, Words(UseSignals.OfContentSignal(value), "yes", "no"));

    [Theory]
    [InlineData("train-ai=y, search=n", "train-ai y, search n")]
    [InlineData("train-ai=n, train-ai=y", "train-ai y")] // RFC 9651: the last one counts
    [InlineData("train-ai;x=n, train-ai=y;p=n", "train-ai y")]
    [InlineData("genai=n", "train-ai n")]
    [InlineData("train-genai=n", "train-ai n")]
    [InlineData("train-ai=n, genai=y", "train-ai n")]
    [InlineData("genai=n, train-ai=y", "train-ai n")]
    [InlineData("train-ai=n;why=\"a, train-ai=y\"", "train-ai n")]
    [InlineData("train-ai=?1, search", "")]
    public void A_content_usage_is_read_as_a_structured_field(string value, string expected) => Assert.Equal(expected, Words(UseSignals.OfContentUsage(value), "y", "n"));

    [Theory]
    [InlineData("1", "https://a.test/file-terms", null, null, null, null, true, "tdmrep-file", "https://a.test/file-terms")]
    [InlineData("1", null, "0", "/header-terms", null, null, false, "tdmrep-header", "https://a.test/header-terms")]
    [InlineData("0", null, null, "/terms-of-no-statement", "1", "http://terms.test/", true, "tdmrep-meta", "http://terms.test/")]
    [InlineData("1", "javascript:alert(1)", null, null, null, null, true, "tdmrep-file", null)]
    [InlineData(null, null, "yes", "/terms", null, null, null, null, null)]
    public void The_last_reservation_counts_with_the_terms_of_the_same_statement(string? file, string? fileTerms, string? header, string? headerTerms, string? meta, string? metaTerms, bool? reserved, string? source, string? terms)
    {
        var json = file is null ? "[]" : $$"""[{"location": "/art/", "tdm-reservation": {{file}}{{(fileTerms is null ? "" : $", \"tdm-policy\": \"{fileTerms}\"")}}}]""";
        List<KeyValuePair<string, string>> headers = [];
        if (header is not null) headers.Add(new("tdm-reservation", header));
        if (headerTerms is not null) headers.Add(new("tdm-policy", headerTerms));
        var policy = new OriginPolicy { Rules = RobotsRules.Empty, Tdm = TdmReservation.Parse(Encoding.UTF8.GetBytes(json)) };
        var page = new PageStatements([], meta, metaTerms);
        var said = OptOuts.Signals(At, policy, headers, page);
        Assert.Equal((reserved, source, terms), (said.TdmReserved, said.TdmSource, said.TdmPolicy));
        var consent = new OptOuts("tester").Judge(At, policy, headers, page, image: true, default);
        Assert.Equal((reserved == true ? "refused" : reserved == false && source != "tdmrep-file" ? "allowed" : "silent", terms), (consent.Verdict, consent.Policy));
    }

    [Fact]
    public void A_no_of_any_place_counts()
    {
        var rules = RobotsRules.Parse("User-agent: *\nContent-Signal: ai-train=yes\nContent-Usage: train-ai=y\nAllow: /"u8, "tester");
        Assert.Equal("allowed", Judge().Verdict);
        Assert.Equal("content-signal:ai-train=no", Judge(new KeyValuePair<string, string>("content-signal", "ai-train=no")).Signal);
        Assert.Equal("content-usage:train-ai=n", Judge(new KeyValuePair<string, string>("content-usage", "train-ai=n")).Signal);

        LoraFactory.Flow.Consent Judge(params KeyValuePair<string, string>[] headers) => new OptOuts("tester").Judge(At, new() { Rules = rules }, headers, PageStatements.None, image: true, default);
    }

    private static string Words(IReadOnlyDictionary<string, bool?> said, string yes, string no) => string.Join(", ", said.Where(s => s.Value is not null).Select(s => $"{s.Key} {(s.Value == true ? yes : no)}"));
}
