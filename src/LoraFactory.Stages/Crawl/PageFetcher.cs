using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using LoraFactory.Flow;
using LoraFactory.Pages;

namespace LoraFactory.Stages.Crawl;

/// <summary>What came back for a URL. Exactly one of a usable answer and a <see cref="Refusal"/>.</summary>
public sealed record Fetched
{
    /// <summary>URL after redirects, as far as they were followed.</summary>
    public required Uri FinalUrl { get; init; }
    /// <summary>HTTP status, 0 when there was no answer.</summary>
    public int Status { get; init; }
    /// <summary>Header fields in their order, names in lower case, a field a line.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];
    /// <summary>How long the host asks to be left alone (Retry-After); null when it does not.</summary>
    public TimeSpan? RetryAfter { get; init; }
    /// <summary>Body, decompressed; empty when refused, but for the first octets of an HTML page that says what is not there (404, 410).</summary>
    public byte[] Body { get; init; } = [];
    /// <summary>Media type in lower case without parameters, "" when the server names none.</summary>
    public string MediaType { get; init; } = "";
    /// <summary>charset parameter of the media type.</summary>
    public string? Charset { get; init; }
    /// <summary>Why the answer is not used; null when it is.</summary>
    public Refusal? Refusal { get; init; }
    /// <summary>When the last byte arrived, UTC.</summary>
    public DateTimeOffset At { get; init; }
    /// <summary>Redirects that were followed.</summary>
    public int Redirects { get; init; }
}

/// <summary>What a caller accepts.</summary>
/// <param name="Accept">The Accept header.</param>
/// <param name="MaxBytes">Most decompressed bytes.</param>
/// <param name="Admit">Asked before each hop, redirects too; a refusal ends the fetch with nothing sent to that host.</param>
/// <param name="Judge">Asked when the headers are there and before the body is read.</param>
/// <param name="MaxRedirects">Redirects followed at most; null takes the recipe's.</param>
/// <param name="Truncate">Take the first <paramref name="MaxBytes"/> of a larger body instead of refusing it.</param>
public sealed record FetchOrder(
    string Accept,
    long MaxBytes,
    Func<Uri, CancellationToken, ValueTask<Refusal?>>? Admit = null,
    Func<Fetched, Refusal?>? Judge = null,
    int? MaxRedirects = null,
    bool Truncate = false)
{
    /// <summary>Whether the first octets of an HTML page that a host sends with 404 or 410 are read too; null never reads them.</summary>
    public Func<Uri, bool>? Missing { get; init; }

    /// <summary>The Origin header, for what a script of another origin asks; null sends none.</summary>
    public string? Origin { get; init; }
}

/// <summary>
/// Fetches one URL politely and within caps: redirects by hand, each hop judged and in its host's turn; connections only through
/// <see cref="AddressGuard"/>; no cookies, no proxy, no credentials; a failure is an answer with a reason, never an exception.
/// </summary>
public sealed class PageFetcher : IDisposable
{
    private static readonly HttpRequestOptionsKey<bool> Sent = new("sent");

    private const string Closed = "the connection was closed before an answer came";
    private const int MissingPageBytes = 64 * 1024, DrainedBytes = 16 * 1024;

    private readonly CrawlOptions options;
    private readonly AddressGuard guard;
    private readonly HostGates gates;
    private readonly TimeProvider clock;
    private readonly HttpMessageInvoker http;

    /// <summary>A fetcher that dials through <paramref name="guard"/> and takes turns at <paramref name="gates"/>.</summary>
    public PageFetcher(CrawlOptions options, AddressGuard guard, HostGates gates, TimeProvider clock)
    {
        (this.options, this.guard, this.gates, this.clock) = (options, guard, gates, clock);
        http = new HttpMessageInvoker(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            UseCookies = false,
            UseProxy = false, // a proxy would dial for us, past the guard
            ConnectCallback = ConnectOnceAsync,
            RequestHeaderEncodingSelector = SentOnce,
            ConnectTimeout = TimeSpan.FromSeconds(options.TimeoutSeconds),
            PooledConnectionLifetime = AddressGuard.AddressLasts,
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(4), // many servers close at five, and a request that meets that is lost
            MaxConnectionsPerServer = 2,
            MaxResponseHeadersLength = 64,
            MaxResponseDrainSize = DrainedBytes, // what stands behind a 404 or a redirect costs less than another connection
            ResponseDrainTimeout = TimeSpan.FromSeconds(0.5),
        });
    }

    // The handler sends a request again by itself where a connection breaks off, three times and without a pause. Asked for each header that it
    // is about to write, this lets a request be written once.
    private static Encoding? SentOnce(string header, HttpRequestMessage request)
    {
        if (header != "User-Agent") return null;
        if (request.Options.TryGetValue(Sent, out _)) throw new HttpRequestException(Closed);
        request.Options.Set(Sent, true);
        return null;
    }

    private ValueTask<Stream> ConnectOnceAsync(SocketsHttpConnectionContext context, CancellationToken token) =>
        context.InitialRequestMessage.Options.TryGetValue(Sent, out _) ? throw new IOException(Closed) : guard.ConnectAsync(context, token);

    /// <summary>Fetches, following at most <see cref="CrawlOptions.MaxRedirects"/> redirects. Throws only when <paramref name="token"/> is cancelled.</summary>
    public async Task<Fetched> GetAsync(Uri url, FetchOrder order, CancellationToken token)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var most = order.MaxRedirects ?? options.MaxRedirects;
        for (var at = url; ;)
        {
            var redirects = seen.Count;
            if (guard.Judge(at) is { } refused) return Refused(at, refused, redirects);
            if (!seen.Add(at.AbsoluteUri)) return Refused(at, new("redirect-loop", $"comes back to {at} after {seen.Count} redirects", seen.Count), redirects);
            if (seen.Count > most + 1) return Refused(at, new("too-many-redirects", $"more than {most}", seen.Count - 1, most), redirects);
            if (order.Admit is not null && await order.Admit(at, token) is { } denied) return Refused(at, denied, redirects);
            var (answer, next) = await HopAsync(at, order, token);
            answer = answer with { Redirects = redirects };
            if (next is null) return answer;
            var target = CanonicalUrl.Parse(next, at);
            if (target is null) return answer with { Refusal = new("address-refused", $"redirects to \"{Shorten(next)}\", which is no http(s) URL") };
            at = target;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => http.Dispose();

    private async Task<(Fetched Answer, string? Next)> HopAsync(Uri url, FetchOrder order, CancellationToken token)
    {
        using var turn = await gates.EnterAsync(url.Host, gates.HasAddressPause ? await guard.AddressAsync(url.Host, url.Port, token) : null, token);
        var began = clock.GetTimestamp();
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(options.TimeoutSeconds), clock);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(token, timeout.Token);
        try
        {
            using var request = Request(url, order);
            using var response = await http.SendAsync(request, limit.Token);
            gates.Took(url.Host, clock.GetElapsedTime(began));
            return await AnswerAsync(url, response, order, limit.Token);
        }
        catch (OperationCanceledException) when (!token.IsCancellationRequested)
        {
            return (Refused(url, new("timeout", $"no complete answer within {options.TimeoutSeconds} s", Threshold: options.TimeoutSeconds)), null);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or SocketException)
        {
            return (Refused(url, Reason(e)), null);
        }
    }

    private HttpRequestMessage Request(Uri url, FetchOrder order)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, url) { Version = HttpVersion.Version11 };
        request.Headers.TryAddWithoutValidation("User-Agent", options.UserAgent);
        request.Headers.TryAddWithoutValidation("Accept", order.Accept);
        request.Headers.TryAddWithoutValidation("Accept-Encoding", BoundedBody.AcceptEncoding);
        if (order.Origin is not null) request.Headers.TryAddWithoutValidation("Origin", order.Origin);
        return request;
    }

    private async Task<(Fetched, string?)> AnswerAsync(Uri url, HttpResponseMessage response, FetchOrder order, CancellationToken token)
    {
        var type = MediaType.OfFields(response.Content.Headers.NonValidated.TryGetValues("Content-Type", out var stated) ? stated : []);
        var answer = new Fetched
        {
            FinalUrl = url,
            Status = (int)response.StatusCode,
            Headers = Fields(response),
            MediaType = type?.Essence ?? "",
            Charset = type?.Charset,
            At = clock.GetUtcNow(),
        };
        if (answer.Status is 301 or 302 or 303 or 307 or 308)
            return Location(response) is { } next ? (answer, next) : (answer with { Refusal = new("bad-status", $"{answer.Status} without a Location") }, null);
        if (answer.Status != 200)
        {
            var status = new Refusal("bad-status", answer.Status.ToString(CultureInfo.InvariantCulture), answer.Status);
            var wait = answer.Status is 429 or >= 500 ? RetryAfter.Of(response, clock.GetUtcNow()) : null;
            if (wait is not null || answer.Status is 429 or 503) gates.SlowDown(url.Host, wait ?? TimeSpan.Zero); // at once: others wait for this host's turn
            return (answer with { Refusal = status, RetryAfter = wait, Body = answer.Status is 404 or 410 && order.Missing?.Invoke(url) == true ? await MissingPageAsync(response, answer, token) : [] }, null);
        }
        if (order.Judge?.Invoke(answer) is { } refusal) return (answer with { Refusal = refusal }, null);
        var length = response.Content.Headers.ContentLength;
        if (length > order.MaxBytes && !order.Truncate) return (answer with { Refusal = new("too-large", $"{length} bytes, at most {order.MaxBytes}", length, order.MaxBytes) }, null);
        await using var raw = await response.Content.ReadAsStreamAsync(token);
        var codings = response.Content.Headers.ContentEncoding.SelectMany(c => c.Split(',')).ToList();
        var (body, broken) = await BoundedBody.ReadAsync(raw, codings, order.MaxBytes, token);
        if (broken?.Reason == "too-large" && order.Truncate) broken = null;
        return (answer with { Body = broken is null ? body : [], Refusal = broken, At = clock.GetUtcNow() }, null);
    }

    // How a host says that something is not there, to know it again when it says so with status 200; no page that must be read.
    private static async Task<byte[]> MissingPageAsync(HttpResponseMessage response, Fetched answer, CancellationToken token)
    {
        if (answer.MediaType != "text/html") return [];
        await using var raw = await response.Content.ReadAsStreamAsync(token);
        var (body, broken) = await BoundedBody.ReadAsync(raw, [.. response.Content.Headers.ContentEncoding], MissingPageBytes, token);
        return broken is null or { Reason: "too-large" } ? body : [];
    }

    private static string? Location(HttpResponseMessage response) =>
        response.Headers.NonValidated.TryGetValues("Location", out var values) && values.Count > 0 ? values.ToString() : null;

    private static List<KeyValuePair<string, string>> Fields(HttpResponseMessage response)
    {
        var fields = new List<KeyValuePair<string, string>>();
        foreach (HttpHeaders headers in (HttpHeaders[])[response.Headers, response.Content.Headers])
            foreach (var (name, values) in headers.NonValidated)
                foreach (var value in values)
                    fields.Add(new(name.ToLowerInvariant(), value));
        return fields;
    }

    private Fetched Refused(Uri url, Refusal refusal, int redirects = 0) => new() { FinalUrl = url, Refusal = refusal, At = clock.GetUtcNow(), Redirects = redirects };

    private static Refusal Reason(Exception e)
    {
        for (var inner = e; inner is not null; inner = inner.InnerException!)
        {
            switch (inner)
            {
                case AddressRefusedException refused:
                    return new("address-refused", refused.Message);
                case SocketException { SocketErrorCode: SocketError.HostNotFound or SocketError.TryAgain or SocketError.NoData or SocketError.NoRecovery }:
                    return new("dns", "the host's name has no address");
                case SocketException socket:
                    return new("unreachable", socket.SocketErrorCode.ToString());
            }
        }
        return new("unreachable", Shorten(e.Message));
    }

    private static string Shorten(string text) => text.Length <= 200 ? text : text[..200] + "…";
}
