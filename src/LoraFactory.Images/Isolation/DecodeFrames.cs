using System.Buffers.Binary;
using System.Text;

namespace LoraFactory.Images;

/// <summary>
/// What goes over the pipe between <see cref="IsolatedDecoder"/> and <see cref="DecodeWorker"/>, all little-endian.
/// Worker, once: status. Parent, per picture: int32 length, int64 most pixels, the five int32 of a <see cref="DecodeRequest"/>, the file's bytes.
/// Worker: status, then on 0 int32 columns and rows of the whole picture, int32 width and height of what was decoded of it, int32 length and that many bytes: 3·width·height of
/// pixels, a record of <see cref="PictureMeasures"/>, or a JPEG. A status other than 0 is the <see cref="PictureFault"/> plus one and is followed
/// by int32 length and that many bytes of UTF-8.
/// </summary>
internal static class DecodeFrames
{
    private const int MaxMessage = 4096;

    public static void WriteInt(Stream stream, int value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        stream.Write(bytes);
    }

    public static int ReadInt(Stream stream)
    {
        Span<byte> bytes = stackalloc byte[4];
        stream.ReadExactly(bytes);
        return BinaryPrimitives.ReadInt32LittleEndian(bytes);
    }

    public static void WriteLong(Stream stream, long value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        stream.Write(bytes);
    }

    public static long ReadLong(Stream stream)
    {
        Span<byte> bytes = stackalloc byte[8];
        stream.ReadExactly(bytes);
        return BinaryPrimitives.ReadInt64LittleEndian(bytes);
    }

    public static void WriteRequest(Stream stream, DecodeRequest request)
    {
        foreach (var number in (ReadOnlySpan<int>)[(int)request.Answer, request.Side, request.Shorter, request.Quality, (int)request.Filter]) WriteInt(stream, number);
    }

    public static DecodeRequest ReadRequest(Stream stream) => new((DecodeAnswer)ReadInt(stream), ReadInt(stream), ReadInt(stream), ReadInt(stream), (Resampling)ReadInt(stream));

    public static void WriteFault(Stream stream, PictureException fault)
    {
        var text = Encoding.UTF8.GetBytes(fault.Message);
        var length = Math.Min(text.Length, MaxMessage);
        WriteInt(stream, (int)fault.Fault + 1);
        WriteInt(stream, length);
        stream.Write(text, 0, length);
    }

    /// <summary>Reads a status; throws what it says unless it is 0. The other side may have been taken over, so everything is bounded.</summary>
    public static void ReadStatus(Stream stream)
    {
        var status = ReadInt(stream);
        if (status == 0) return;
        var length = ReadInt(stream);
        if (status < 0 || status > (int)PictureFault.LibraryMissing + 1 || length is < 0 or > MaxMessage) throw new InvalidDataException();
        var text = new byte[length];
        stream.ReadExactly(text);
        throw new PictureException((PictureFault)(status - 1), Encoding.UTF8.GetString(text));
    }
}
