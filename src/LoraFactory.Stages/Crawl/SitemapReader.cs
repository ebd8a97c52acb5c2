using LoraFactory.Pages;

namespace LoraFactory.Stages.Crawl;

/// <summary>Reads sitemaps and feeds as a crawl fetches them, gzipped as a file or not (<see cref="SitemapParser"/>).</summary>
public static class SitemapReader
{
    private const int MaxBytes = 50 * 1024 * 1024; // sitemaps.org's own limit

    /// <summary>Reads a document that came from <paramref name="url"/>; what cannot be unpacked lists nothing.</summary>
    /// <param name="body">The body, content codings undone.</param>
    /// <param name="url">Where it came from.</param>
    /// <param name="token">Ends the reading.</param>
    /// <param name="charset">charset of its Content-Type.</param>
    public static async Task<SitemapDocument> ReadAsync(byte[] body, Uri url, CancellationToken token, string? charset = null)
    {
        if (body is [0x1F, 0x8B, ..])
        {
            var (plain, refusal) = await BoundedBody.ReadAsync(new MemoryStream(body), ["gzip"], MaxBytes, token);
            if (refusal is not null) return new(SitemapKind.None, [], $"{refusal.Reason} {refusal.Detail}");
            body = plain;
        }
        return SitemapParser.Parse(body, url, charset);
    }
}
