using LoraFactory.Flow;

namespace LoraFactory.Stages;

/// <summary>What is found of withdrawals in a run, and the bytes that are named without it.</summary>
/// <param name="withdrawn">What may not be used any more.</param>
public sealed class PurgeFinds(Withdrawals withdrawn)
{
    /// <summary>What is looked for.</summary>
    public Withdrawals Withdrawn { get; } = withdrawn;

    /// <summary>URLs of pages that go.</summary>
    public HashSet<string> Pages { get; } = new(StringComparer.Ordinal);

    /// <summary>Their ids.</summary>
    public HashSet<string> PageIds { get; } = new(StringComparer.Ordinal);

    /// <summary>Pictures that go from pages that stay, by the URLs of both.</summary>
    public HashSet<(string Page, string Picture)> Pictures { get; } = [];

    /// <summary>Ids of records that go.</summary>
    public HashSet<string> Records { get; } = new(StringComparer.Ordinal);

    /// <summary>Ids of samples that go.</summary>
    public HashSet<string> Samples { get; } = new(StringComparer.Ordinal);

    /// <summary>Hashes of bytes of pictures that go; something that stays may name them too.</summary>
    public HashSet<string> Gone { get; } = new(StringComparer.Ordinal);

    /// <summary>Hashes of all bytes that something names which stays.</summary>
    public HashSet<string> Named { get; } = new(StringComparer.Ordinal);

    /// <summary>Whether anything was found.</summary>
    public bool Any => Pages.Count + Pictures.Count + Records.Count + Samples.Count > 0;

    /// <summary>What stays of a page, null where all of it goes; what is found is kept here.</summary>
    public Page? Left(Page page)
    {
        if (Covers(page.Url) || Covers(page.FinalUrl))
        {
            Pages.Add(page.Url);
            PageIds.Add(page.Id);
            Gone.UnionWith(page.Pictures.Select(p => p.BlobHash).OfType<string>());
            return null;
        }
        var left = page.Pictures.Where(p => !Covers(p.Url)).ToList();
        Named.UnionWith(left.Select(p => p.BlobHash).Concat([page.BlobHash, page.SentHash]).OfType<string>());
        if (left.Count == page.Pictures.Count) return page;
        foreach (var gone in page.Pictures.Except(left))
        {
            Pictures.Add((page.Url, gone.Url));
            if (gone.BlobHash is { } blob) Gone.Add(blob);
        }
        return page with { Pictures = left };
    }

    /// <summary>What stays of a record: all or nothing.</summary>
    public Record? Left(Record record)
    {
        if (PageIds.Contains(record.PageId) || IsGone(record.PageUrl) || IsGone(record.PictureUrl))
        {
            Records.Add(record.Id);
            Gone.Add(record.BlobHash);
            return null;
        }
        Named.Add(record.BlobHash);
        return record;
    }

    /// <summary>What stays of a sample, all or nothing; its record may be of an earlier clean and nowhere any more, then its bytes tell. Pages and records come first.</summary>
    public Sample? Left(Sample sample)
    {
        var source = sample.Variant?.Source;
        if (Records.Contains(sample.RecordId) || (source is null ? Gone.Contains(sample.BlobHash) && !Named.Contains(sample.BlobHash) : Samples.Contains(source)))
        {
            Samples.Add(sample.Id);
            return null;
        }
        if (source is null) Named.Add(sample.BlobHash);
        return sample;
    }

    /// <summary>Whether an address is covered, or is that of a page that goes since it led to such a one.</summary>
    public bool IsGone(string address) => Covers(address) || Pages.Contains(address);

    /// <summary>Whether an address may not be used any more.</summary>
    public bool Covers(string address) => Withdrawn.Of(address) is not null;

    /// <summary>Takes over what was found elsewhere.</summary>
    public void Add(PurgeFinds other)
    {
        Pages.UnionWith(other.Pages);
        PageIds.UnionWith(other.PageIds);
        Pictures.UnionWith(other.Pictures);
        Records.UnionWith(other.Records);
        Samples.UnionWith(other.Samples);
        Gone.UnionWith(other.Gone);
        Named.UnionWith(other.Named);
    }
}
