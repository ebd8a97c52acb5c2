using LoraFactory.Pages.Html;

namespace LoraFactory.Tests.Pages.Html;

/// <summary>Which pages are empty without their scripts.</summary>
public sealed class ScriptShellTests
{
    private static readonly string Words = string.Concat(Enumerable.Repeat("Some words that a reader sees. ", 40));

    [Theory]
    [InlineData("<body><div id=root></div><script src=a.js></script>", true)]
    [InlineData("<body><div id=__next><div class=spinner>Loading …</div></div><script src=a.js></script>", true)]
    [InlineData("<body><header>A site with a menu, a search and a footer of some length</header><main id=main-app></main><script src=a.js></script>", true)]
    [InlineData("<body><app-root></app-root><script type=module src=a.js></script>", true)]
    [InlineData("<body><p>Our site looks best in a new browser.</p><noscript>You need to enable JavaScript to run this app.</noscript><script src=a.js></script>", true)]
    [InlineData("<head><script>location = '/home'</script></head><body></body>", true)]
    [InlineData("<body><div id=root hidden>text that nobody sees, of some length, more than forty letters</div><script src=a.js></script>", true)]
    [InlineData("<body><div id=root></div>", false)] // no script would fill it
    [InlineData("<body><div id=root></div><script src=a.js></script><p>WORDS", false)]
    [InlineData("<body><div id=root>WORDS</div><script src=a.js></script>", false)]
    [InlineData("<body><img src=a.png><img src=b.png><script src=count.js></script>", false)] // a gallery
    [InlineData("<body><p>A short page, but it says what it has to say in one line, and is read.</p><div id=fb-root></div><script src=share.js></script>", false)]
    [InlineData("<body><p>WORDS<noscript>Comments need JavaScript.</noscript><script src=a.js></script>", false)]
    [InlineData("", false)]
    public void A_shell_has_next_to_no_text_and_a_place_for_it(string html, bool isShell) => Assert.Equal(isShell, ScriptShell.Is(html.Replace("WORDS", Words, StringComparison.Ordinal)));
}
