using System.Buffers.Binary;

namespace LoraFactory.Models.Weights;

/// <summary>
/// A safetensors file, mapped (https://huggingface.co/docs/safetensors): 8 bytes of header length, a JSON header, then the tensors
/// without gaps. The header is checked against the file's length before anything is allocated for tensors.
/// </summary>
public sealed class SafetensorsFile : WeightSource
{
    /// <summary>Longest header that is read, in bytes; the reference library's limit.</summary>
    public const int HeaderLimit = 100_000_000;

    private SafetensorsFile(MappedFile file, SafetensorsHeader header, long dataStart)
        : base(file.Path, header.Entries.Select(e => new Weight(file, e.Name, e.Type, e.Shape, Weight.RowMajor(e.Shape), dataStart + e.Begin)), header.Metadata, file)
    {
        DataStart = dataStart;
        DataLength = file.Length - dataStart;
    }

    /// <summary>Offset in the file of the first byte after the header.</summary>
    public long DataStart { get; }

    /// <summary>Bytes after the header.</summary>
    public long DataLength { get; }

    /// <summary>Opens and checks a file; a malformed one is refused with the reason.</summary>
    public static new SafetensorsFile Open(string path)
    {
        var file = MappedFile.Open(path);
        try
        {
            var (header, start) = ReadHeader(file);
            return new SafetensorsFile(file, header, start);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static (SafetensorsHeader Header, long DataStart) ReadHeader(MappedFile file)
    {
        if (file.Length < 8) throw Refusal(file.Path, $"it has {file.Length} bytes, too few for the header's length");
        var length = BinaryPrimitives.ReadUInt64LittleEndian(file.Span(0, 8));
        if (length > HeaderLimit) throw Refusal(file.Path, $"its header would be {length} bytes long, more than {HeaderLimit}");
        if ((long)length > file.Length - 8) throw Refusal(file.Path, $"its header of {length} bytes reaches beyond the end of the file of {file.Length} bytes");
        var header = SafetensorsHeader.Parse(file.Path, file.Span(8, (int)length), file.Length - 8 - (long)length);
        return (header, 8 + (long)length);
    }

    /// <summary>The error for a malformed file.</summary>
    internal static ModelException Refusal(string path, string reason, Exception? inner = null) =>
        new($"{path} is not a safetensors file that can be used: {reason}. Download it again or save it anew.", inner);
}
