namespace LoraFactory.Images;

/// <summary>What a decoding process answered. The process may have been taken over: sizes, lengths and numbers are held against what the request allows before anything is kept.</summary>
/// <param name="FullWidth">Columns of the whole picture, upright.</param>
/// <param name="FullHeight">Rows likewise.</param>
/// <param name="Width">Columns of what was decoded of it.</param>
/// <param name="Height">Rows likewise.</param>
/// <param name="Bytes">Pixels, a record of measures, or a JPEG.</param>
/// <param name="Measures">What the record says; null where none was asked for.</param>
internal readonly record struct DecodeReply(int FullWidth, int FullHeight, int Width, int Height, byte[] Bytes, PictureMeasures? Measures)
{
    // No encoder makes more of a pixel's three bytes; headers beside.
    private const int MostBytesPerPixel = 6, MostHeader = 65536;

    /// <summary>Reads one. Throws the <see cref="PictureException"/> that it carries, and <see cref="InvalidDataException"/> where it cannot be true.</summary>
    public static DecodeReply Read(Stream stream, DecodeRequest request, PictureLimits limits)
    {
        DecodeFrames.ReadStatus(stream);
        int fullWidth = DecodeFrames.ReadInt(stream), fullHeight = DecodeFrames.ReadInt(stream), width = DecodeFrames.ReadInt(stream), height = DecodeFrames.ReadInt(stream);
        if (width < 1 || height < 1 || width > fullWidth || height > fullHeight || (long)fullWidth * fullHeight > limits.MaxPixels || (long)width * height > int.MaxValue / 3)
            throw new InvalidDataException($"{width}×{height} of {fullWidth}×{fullHeight} is nothing that a picture of at most {limits.MaxPixels} pixels is decoded to.");
        var length = DecodeFrames.ReadInt(stream);
        var (least, most) = request.Answer switch
        {
            DecodeAnswer.Pixels => (width * height * 3L, width * height * 3L),
            DecodeAnswer.Square => (request.Side * request.Side * 3L, request.Side * request.Side * 3L),
            DecodeAnswer.Measures => (PictureMeasures.Length, PictureMeasures.Length),
            _ => (4, (long)request.Side * request.Side * MostBytesPerPixel + MostHeader),
        };
        if (length < least || length > most) throw new InvalidDataException($"{length} bytes instead of {least} to {most}.");
        var bytes = new byte[length];
        stream.ReadExactly(bytes);
        if (request.Answer == DecodeAnswer.SquareJpeg && (PictureHeader.Read(bytes) is not { Format: PictureFormat.Jpeg } header || header.Width != request.Side || header.Height != request.Side))
            throw new InvalidDataException($"What came back is no JPEG of {request.Side}×{request.Side}.");
        return new(fullWidth, fullHeight, width, height, bytes, request.Answer == DecodeAnswer.Measures ? PictureMeasures.Read(bytes, fullWidth, fullHeight) : null);
    }
}
