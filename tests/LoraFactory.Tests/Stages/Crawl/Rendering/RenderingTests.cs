using LoraFactory.Flow;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Tests.Stages.Crawl.Rendering;

/// <summary>Pages that scripts make, in a real Chromium: what comes of them, and what they are not let do.</summary>
public sealed class RenderingTests
{
    [Fact]
    public async Task A_page_whose_text_comes_by_script_is_kept_with_it_only_when_rendered()
    {
        const string app = """
            fetch('/data.json').then(r => r.json()).then(d => {
              root.innerHTML = `<h1>${d.title}</h1><p>${d.text}</p><a href=/second>more drawings</a><figure><img src=/boat.png><figcaption>a drawing of a boat</figcaption></figure>`;
              setTimeout(() => root.insertAdjacentHTML('beforeend', '<p>and this came late'), 3000);
            });
            """;
        await using var web = new ScriptedWeb((_, path) => path switch
        {
            "/" => "<!DOCTYPE html><title>drawings</title><noscript>You need to enable JavaScript.</noscript><div id=app-root></div><div id=root></div><script src=/app.js></script>",
            "/app.js" => app,
            "/data.json" => """{"title":"Drawings of boats","text":"Größe: ten drawings of boats."}""",
            "/second" => $"<title>second drawings</title><p>{string.Concat(Enumerable.Repeat("Many words about drawings. ", 40))}<script src=/unasked.js></script>",
            _ => null,
        });
        await web.CrawlAsync();
        var page = web.Pages.Single(p => p.Url == "http://a.test/");
        Assert.True(page.Rendered);
        Assert.Contains("<p>Größe: ten drawings of boats.</p>", web.Text(page), StringComparison.Ordinal);
        Assert.Contains("and this came late", web.Text(page), StringComparison.Ordinal);
        Assert.Equal("a drawing of a boat", Assert.Single(page.Pictures).Caption);
        Assert.Contains("enable JavaScript", File.ReadAllText(web.Run.Blob(page.SentHash!)), StringComparison.Ordinal);
        var second = web.Pages.Single(p => p.Url == "http://a.test/second");
        Assert.False(second.Rendered);
        Assert.Null(second.SentHash);
        Assert.DoesNotContain("GET a.test/unasked.js", web.Asked);
        Assert.Equal(["GET a.test/", "GET a.test/app.js", "GET a.test/data.json"], web.Asked.Take(3));
        Assert.All(web.Heads, h => Assert.Contains("User-Agent: LoraFactory/", h, StringComparison.Ordinal));
        Assert.Equal(1, web.Asked.Count(a => a == "GET a.test/"));

        Directory.Delete(web.Run.Path, recursive: true);
        await web.CrawlAsync(o => o with { Render = "off" });
        Assert.DoesNotContain("Größe", web.Text(Assert.Single(web.Pages)), StringComparison.Ordinal);
        Assert.False(web.Pages[0].Rendered);

        Directory.Delete(web.Run.Path, recursive: true);
        await web.CrawlAsync(o => o with { Render = "always" });
        Assert.Contains("GET a.test/unasked.js", web.Asked);
        Assert.All(web.Pages, p => Assert.True(p.Rendered));
    }

    [Fact]
    public async Task A_script_reaches_nobody_whom_the_crawl_may_not_ask()
    {
        await using var elsewhere = LoopbackServer.Saying(_ => "200 OK\nContent-Type: text/plain\nAccess-Control-Allow-Origin: *", "secret"u8.ToArray());
        await using var web = new ScriptedWeb((host, path) => (host, path) switch
        {
            ("closed.test", "/robots.txt") => "User-agent: *\nDisallow: /\n",
            ("a.test", "/robots.txt") => "User-agent: *\nDisallow: /private\n",
            ("a.test", "/") => ScriptedWeb.Shell(Intruder.Replace("PORT", $"{elsewhere.Port}", StringComparison.Ordinal)),
            ("a.test", "/allowed.json") => "\"open\"",
            ("a.test", "/moved.js") => "~Status: 302 Found\nLocation: /lib/now.js\n\n",
            ("a.test", "/lib/now.js") => "root.append('[src:' + import.meta.url + ']')",
            ("a.test", "/to-closed.json") => "~Status: 302 Found\nLocation: http://closed.test/data.json\n\n",
            ("a.test", "/to-port.json") => $"~Status: 307 Temporary Redirect\nLocation: http://127.0.0.1:{elsewhere.Port}/\n\n",
            ("a.test", "/to-file.json") => "~Status: 301 Moved\nLocation: file:///etc/passwd\n\n",
            ("api.test", "/shared.json") => "~Access-Control-Allow-Origin: http://a.test\n\n\"shared\"",
            ("api.test", "/own.json") => "\"own\"",
            ("api.test", "/noai.json") => "~Access-Control-Allow-Origin: *\nX-Robots-Tag: noai\n\n\"opted out\"",
            _ => null,
        });
        await web.CrawlAsync(o => o with { MaxPages = 1, MaxPictures = 0 });
        var text = web.Text(Assert.Single(web.Pages));
        foreach (var kept in new[] { "[allowed:\"open\"]", "[shared:\"shared\"]", "[src:http://a.test/lib/now.js]", "[done]" }) Assert.Contains(kept, text, StringComparison.Ordinal);
        foreach (var name in Refused) Assert.Contains($"[{name}:refused]", text, StringComparison.Ordinal);
        Assert.Empty(elsewhere.Heads);
        // own.json was asked, as of any host, but is not shown to a page of another origin; noai.json says what it does in its answer
        Assert.Equal(["GET a.test/", "GET a.test/allowed.json", "GET a.test/lib/now.js", "GET a.test/moved.js", "GET a.test/to-closed.json", "GET a.test/to-file.json", "GET a.test/to-port.json", "GET api.test/noai.json", "GET api.test/own.json", "GET api.test/shared.json"], web.Asked.Order(StringComparer.Ordinal));
        Assert.Contains(web.Heads, h => h.Contains("GET /shared.json", StringComparison.Ordinal) && h.Contains("Origin: http://a.test\r\n", StringComparison.Ordinal));
        Assert.DoesNotContain(web.Heads, h => h.Contains("Cookie", StringComparison.OrdinalIgnoreCase));
        Assert.Contains(web.Drops, d => d.What == "http://closed.test/led-away"); // where it wanted to go is a link like any other
    }

    private static readonly string[] Refused = ["metadata", "robots", "private", "file", "port", "name", "loopback", "post", "preflight", "own", "noai", "stream", "head", "to-closed", "to-port", "to-file"];

    // Everything by which a page can try to get out; each outcome is written into the page.
    private const string Intruder = """
        document.cookie = 'a=b';
        const say = (name, what) => root.append(`[${name}:${what}]`);
        const ask = (name, url, init) => fetch(url, init).then(r => r.text()).then(t => say(name, t), () => say(name, 'refused'));
        new WebSocket('ws://a.test/socket'); new WebSocket('ws://127.0.0.1:PORT/socket');
        new Image().src = '/beacon.gif'; new Image().src = 'http://127.0.0.1:PORT/beacon.gif'; navigator.sendBeacon('/beacon', 'x');
        new Audio('/sound.mp3').play().catch(() => 0);
        try { new EventSource('/events'); } catch { }
        try { new Worker(URL.createObjectURL(new Blob(["fetch('http://a.test/by-worker'); fetch('http://127.0.0.1:PORT/by-worker')"]))); } catch { }
        try { new SharedWorker('/shared-worker.js'); } catch { }
        try { navigator.serviceWorker.register('/service-worker.js').catch(() => 0); } catch { }
        try { const c = new RTCPeerConnection({ iceServers: [{ urls: 'stun:127.0.0.1:PORT' }, { urls: 'turn:127.0.0.1:PORT?transport=tcp', username: 'u', credential: 'p' }] }); c.createDataChannel('x'); c.createOffer().then(o => c.setLocalDescription(o)); } catch { }
        for (const rel of ['prefetch', 'preconnect', 'dns-prefetch', 'prerender', 'icon', 'manifest', 'modulepreload-x']) { const l = document.createElement('link'); l.rel = rel; l.href = 'http://127.0.0.1:PORT/' + rel; document.head.append(l); }
        for (const tag of ['iframe', 'embed', 'video', 'source']) { const e = document.createElement(tag); e.src = 'http://127.0.0.1:PORT/' + tag; document.body.append(e); }
        const rules = document.createElement('script'); rules.type = 'speculationrules'; rules.textContent = '{"prerender":[{"source":"list","urls":["/prerendered"]}],"prefetch":[{"source":"list","urls":["/prefetched"]}]}'; document.head.append(rules);
        const style = document.createElement('style'); style.textContent = "@font-face{font-family:f;src:url(/font.woff)} body{font-family:f;background:url(/background.png)}"; document.head.append(style);
        const sheet = document.createElement('link'); sheet.rel = 'stylesheet'; sheet.href = '/sheet.css'; document.head.append(sheet);
        window.open('/popup'); window.open('http://127.0.0.1:PORT/popup');
        const form = document.createElement('form'); form.method = 'post'; form.action = '/form'; document.body.append(form); form.submit();
        const moved = document.createElement('script'); moved.type = 'module'; moved.src = '/moved.js'; document.body.append(moved);
        Promise.all([new Promise(r => moved.onload = r),
          ask('to-closed', '/to-closed.json', { mode: 'no-cors' }), ask('to-port', '/to-port.json', { mode: 'no-cors' }), ask('to-file', '/to-file.json', { mode: 'no-cors' }),
          ask('allowed', '/allowed.json'), ask('shared', 'http://api.test/shared.json'), ask('own', 'http://api.test/own.json'), ask('noai', 'http://api.test/noai.json'),
          ask('metadata', 'http://169.254.169.254/latest/meta-data/', { mode: 'no-cors' }), ask('robots', 'http://closed.test/data.json', { mode: 'no-cors' }), ask('private', '/private/data.json'),
          ask('file', 'file:///etc/passwd'), ask('port', 'http://127.0.0.1:PORT/', { mode: 'no-cors' }), ask('name', 'http://localhost:PORT/'), ask('loopback', 'http://[::1]:PORT/'),
          ask('post', '/post', { method: 'POST', body: 'x' }), ask('head', '/head', { method: 'DELETE' }), ask('preflight', 'http://api.test/preflight.json', { headers: { 'X-Own': '1' } }), ask('stream', '/events', { headers: { Accept: 'text/event-stream' } }),
        ]).then(() => { root.append('[done]'); location.href = 'http://closed.test/led-away'; });
        """;

    [Fact]
    public async Task Pages_that_run_away_are_given_up_within_their_limits_and_the_crawl_goes_on()
    {
        var pages = new Dictionary<string, string>
        {
            ["/loop"] = "root.append('drawn before the loop'); for (;;);",
            ["/late-loop"] = "root.append('drawn before the late loop'); setTimeout(() => { for (;;); }, 100);",
            ["/promises"] = "root.append('drawn before the promises'); (function again() { Promise.resolve().then(again); })();",
            ["/alerts"] = "root.append('drawn before the alerts'); for (;;) alert('again');",
            ["/reload"] = "root.append('drawn before the reload'); location.reload(); setInterval(() => location.reload(), 10);",
            ["/requests"] = "root.append('drawn before the requests'); (async () => { for (let i = 0; ; i++) await fetch('/r.json?' + i).catch(() => 0); })();",
            ["/grows"] = "const grow = () => { for (let i = 0; i < 200000; i++) document.body.append(document.createElement('p')); }; grow(); setInterval(grow, 0);",
            ["/string"] = "root.append('x'.repeat(200e6));",
            ["/arrays"] = "const all = []; for (;;) all.push(new Array(1e6).fill(Math.random()));",
            ["/document"] = "document.write('<p>'.repeat(3e6));",
            ["/post"] = "root.append('drawn before the post'); fetch('/p', { method: 'POST', body: 'x'.repeat(60e6) }).catch(() => 0);",
            ["/good"] = "root.append('drawings that came by script');",
        };
        await using var web = new ScriptedWeb((_, path) => path == "/"
            ? "<title>drawings</title>" + string.Concat(pages.Keys.Select(p => $"<a href={p}>drawings</a>")) + new string('x', 600)
            : path.StartsWith("/r.json", StringComparison.Ordinal) ? "1" : pages.TryGetValue(path, out var script) ? ScriptedWeb.Shell(script + $"// {path}") : null);
        await web.CrawlAsync(o => o with { RenderSeconds = 4, MaxPageBytes = 1 << 20 });
        var kept = web.Pages.ToDictionary(p => new Uri(p.Url).AbsolutePath, web.Text);
        foreach (var (path, words) in new[] { ("/loop", "before the loop"), ("/late-loop", "before the late loop"), ("/promises", "before the promises"), ("/alerts", "before the alerts"), ("/reload", "before the reload"), ("/requests", "before the requests"), ("/good", "came by script") })
            Assert.Contains(words, kept[path], StringComparison.Ordinal);
        var failed = web.Drops.Where(d => d.Reason == "render-failed").Select(d => new Uri(d.What).AbsolutePath).Order(StringComparer.Ordinal);
        Assert.Equal(["/arrays", "/document", "/grows", "/post", "/string"], failed);
        Assert.InRange(web.Asked.Count(a => a.Contains("/r.json", StringComparison.Ordinal)), 1, 100);
        Assert.Equal(pages.Count + 1, web.Asked.Count(a => !a.Contains("/r.json", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task What_a_script_says_about_the_pages_use_is_heard_and_what_it_takes_back_still_counts()
    {
        const string add = "const m = document.createElement('meta'); m.name = '{0}'; m.content = '{1}'; document.head.append(m); root.innerHTML = 'words of it <img src=/p.png alt=drawing><a href=/more>drawings</a>';";
        await using var web = new ScriptedWeb((_, path) => path switch
        {
            "/" => "<title>drawings</title><a href=/noai>drawings</a><a href=/tdm>drawings</a><a href=/taken-back>drawings</a><a href=/refused>drawings</a>" + new string('x', 600),
            "/noai" => ScriptedWeb.Shell(add.Replace("{0}", "robots", StringComparison.Ordinal).Replace("{1}", "noai", StringComparison.Ordinal)),
            "/tdm" => ScriptedWeb.Shell(add.Replace("{0}", "tdm-reservation", StringComparison.Ordinal).Replace("{1}", "1", StringComparison.Ordinal) + "//tdm"),
            "/taken-back" => "<meta name=robots content=nofollow>" + ScriptedWeb.Shell("document.querySelector('meta').remove(); root.innerHTML = 'words that were taken back <a href=/more>drawings</a>'"),
            "/refused" => "<meta name=robots content=noai><meta name=tdm-reservation content=1>" + ScriptedWeb.Shell("") + "<script src=/unasked.js></script>",
            _ => null,
        });
        await web.CrawlAsync();
        Page Of(string path) => web.Pages.Single(p => p.Url == "http://a.test" + path);
        Assert.Equal(("robots-meta:noai", true), (Of("/noai").OptOut, Of("/noai").Rendered));
        Assert.Equal("opt-out:robots-meta:noai", Assert.Single(Of("/noai").Pictures).Refused);
        Assert.Equal("tdmrep-meta:tdm-reservation=1", Of("/tdm").OptOut);
        Assert.Contains("taken back", web.Text(Of("/taken-back")), StringComparison.Ordinal);
        Assert.Equal(("robots-meta:noai", false), (Of("/refused").OptOut, Of("/refused").Rendered)); // what is refused already is not asked more
        Assert.DoesNotContain("GET a.test/p.png", web.Asked);
        Assert.DoesNotContain("GET a.test/unasked.js", web.Asked);
        Assert.Equal(1, web.Asked.Count(a => a == "GET a.test/more")); // by /noai or /tdm, whose links may be followed
    }

    [Fact]
    public async Task Text_in_open_shadow_trees_stands_where_a_reader_sees_it()
    {
        const string script = """
            class Card extends HTMLElement {
              constructor() { super(); this.attachShadow({ mode: 'open' }).innerHTML = '<style>p{}</style><h2>in the shadow &lt; &amp;</h2><slot name=picture></slot><slot>nothing</slot><x-inner></x-inner><template><i>t</i></template>'; }
            }
            class Inner extends HTMLElement { constructor() { super(); this.attachShadow({ mode: 'open' }).innerHTML = '<p>deeper<br>still</p><slot>as it is</slot>'; } }
            customElements.define('x-card', Card); customElements.define('x-inner', Inner);
            root.innerHTML = '<x-card title="a &quot;b&quot;"><p>slotted</p><img slot=picture src=/p.png alt="a drawing"></x-card><form><input name=attributes><input name=childNodes></form>';
            """;
        await using var web = new ScriptedWeb((_, path) => path == "/" ? ScriptedWeb.Shell(script) : null);
        await web.CrawlAsync(o => o with { MaxPictures = 0 });
        var page = Assert.Single(web.Pages);
        Assert.Contains("""<x-card title="a &quot;b&quot;"><style>p{}</style><h2>in the shadow &lt; &amp;</h2><slot name="picture"><img slot="picture" src="/p.png" alt="a drawing"></slot>""" +
            """<slot><p>slotted</p></slot><x-inner><p>deeper<br>still</p><slot>as it is</slot></x-inner><template><i>t</i></template></x-card><form><input name="attributes"><input name="childNodes"></form>""", web.Text(page), StringComparison.Ordinal);
        Assert.Equal("a drawing", Assert.Single(page.Pictures).Alt);
    }

    [Fact]
    public void The_stricter_of_two_readings_counts()
    {
        var stricter = PageStatements.Stricter(new(["noai", "nofollow"], "1"), new(["nofollow", "noindex"], "0"));
        Assert.Equal(["noai", "nofollow", "noindex"], stricter.Robots);
        Assert.Equal("1", stricter.TdmReservation);
        Assert.Equal("1", PageStatements.Stricter(new([], "0"), new([], "1")).TdmReservation);
        Assert.Equal("0", PageStatements.Stricter(new([], "0"), new([], null)).TdmReservation);
        Assert.Null(PageStatements.Stricter(PageStatements.None, PageStatements.None).TdmReservation);
    }
}
