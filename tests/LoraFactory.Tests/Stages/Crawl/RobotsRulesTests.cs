using System.Text;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Tests.Stages.Crawl;

public sealed class RobotsRulesTests
{
    private const string Agent = "LoraFactory/0.1 (+https://example.test)";

    [Theory]
    [InlineData("User-agent: *\nDisallow: /a\nAllow: /a/b", "/a/b/c", true)]
    [InlineData("User-agent: *\nDisallow: /a\nAllow: /a/b", "/a/c", false)]
    [InlineData("User-agent: *\nDisallow: /a\nAllow: /a", "/a", true)] // a tie allows
    [InlineData("User-agent: *\nDisallow: /\n\nUser-agent: lorafactory\nDisallow: /x", "/y", true)] // its own group alone
    [InlineData("User-agent: LoraFactory\nDisallow: /x\n\nUser-agent: other\nDisallow: /z\n\nUser-agent: LORAFACTORY\nDisallow: /y", "/y", false)] // groups merge
    [InlineData("User-agent: LoraFactoryPlus\nDisallow: /", "/y", true)]
    [InlineData("User-agent: a\nUser-agent: LoraFactory\nCrawl-delay: 3\nSitemap: x\nDisallow: /y", "/y", false)]
    [InlineData("User-agent: *\nDisallow: /*.png$", "/a/b.png", false)]
    [InlineData("User-agent: *\nDisallow: /*.png$", "/a/b.png?x", true)]
    [InlineData("User-agent: *\nDisallow: /a%3cd", "/a%3Cd", false)]
    [InlineData("User-agent: *\nDisallow: /\u00fc", "/%c3%bc", false)]
    [InlineData("User-agent: *\nDisallow: /%7Ejoe", "/~joe/x", false)]
    [InlineData("User-agent: *\nDisallow: /a?b=*&c", "/a?b=1&c", false)]
    [InlineData("\uFEFFUser-agent: *\rDisallow: /a\r", "/a", false)]
    [InlineData("User-agent: *\nDisallow: # nothing", "/a", true)]
    [InlineData("User-agent: *\nDisallow /a", "/a", false)]
    [InlineData("Disallow: /", "/a", true)] // no group
    [InlineData("User-agent: *\nDisallow: /", "/robots.txt", true)]
    public void Longest_match_of_the_right_groups_decides(string text, string path, bool allowed) =>
        Assert.Equal(allowed, RobotsRules.Parse(Encoding.UTF8.GetBytes(text), Agent).Allows("http://a.test" + path, out _));

    [Fact]
    public void Only_whole_lines_of_the_first_500_KiB_are_read()
    {
        var line = "Disallow: /" + new string('x', 89) + "\n";
        var text = "User-agent: *\n" + string.Concat(Enumerable.Repeat(line, 6000)) + "Disallow: /late\n";
        var cut = RobotsRules.Parse(Encoding.UTF8.GetBytes(text), Agent);
        Assert.True(cut.Allows("http://a.test/late", out _));
        Assert.False(cut.Allows("http://a.test/" + new string('x', 89), out _));
        var half = "User-agent: *\nDisallow: /\n" + new string('#', RobotsRules.MaxBytes - 26 - 8 - 1) + "\nAllow: /" + "private-only";
        Assert.False(RobotsRules.Parse(Encoding.UTF8.GetBytes(half), Agent).Allows("http://a.test/x", out _));
    }

    [Fact]
    public void Hostile_patterns_cost_little()
    {
        var text = "User-agent: *\n" + string.Concat(Enumerable.Repeat("Disallow: /" + string.Concat(Enumerable.Repeat("a*", 500)) + "b$\n", 400));
        var rules = RobotsRules.Parse(Encoding.UTF8.GetBytes(text), Agent);
        var clock = TimeProvider.System.GetTimestamp();
        Assert.True(rules.Allows("http://a.test/" + new string('a', 2000), out _));
        Assert.True(TimeProvider.System.GetElapsedTime(clock).TotalSeconds < 1);
    }

    [Fact]
    public void Extensions_are_read_beside_the_rules()
    {
        var rules = RobotsRules.Parse("Content-Signal: ai-train=no\nUser-agent: LoraFactory\nCrawl-delay: 2.5\nAllow: /\nSitemap: /s.xml\nUser-agent: *\nCrawl-delay: 9\n"u8, Agent);
        Assert.Equal(TimeSpan.FromSeconds(2.5), rules.CrawlDelay);
        Assert.Equal(["ai-train=no"], rules.ContentSignals);
        Assert.Equal(["/s.xml"], rules.Sitemaps);
    }
}
