namespace LoraFactory.Images;

/// <summary>What a decoding process is to give back of a picture.</summary>
internal enum DecodeAnswer
{
    /// <summary>Its pixels, shrunk or not.</summary>
    Pixels,
    /// <summary><see cref="PictureMeasures"/>.</summary>
    Measures,
    /// <summary>A square of it as JPEG, of the picture as it is shrunk while it is decoded.</summary>
    SquareJpeg,
    /// <summary>The pixels of a <see cref="PictureSquare"/> of the whole picture.</summary>
    Square,
}

/// <summary>One picture's task, as it crosses the pipe: five int32.</summary>
/// <param name="Answer">What comes back.</param>
/// <param name="Side">Pixels: the side to shrink to, 0 for none. Squares: their side.</param>
/// <param name="Shorter">Pixels: 1 where the shorter side is meant.</param>
/// <param name="Quality">Square as JPEG: its quality, 1..100.</param>
/// <param name="Filter">Square: what scales.</param>
internal readonly record struct DecodeRequest(DecodeAnswer Answer, int Side = 0, int Shorter = 0, int Quality = 0, Resampling Filter = default)
{
    public static DecodeRequest Pixels(PictureFit? fit) => new(DecodeAnswer.Pixels, fit?.Side ?? 0, fit is { Shorter: true } ? 1 : 0);

    /// <summary>How far the picture is shrunk while it is decoded; null: not at all.</summary>
    public PictureFit? Fit => Answer switch
    {
        DecodeAnswer.Measures => PictureFit.Within(PictureMeasures.Side),
        DecodeAnswer.SquareJpeg => PictureFit.Covering(Side),
        DecodeAnswer.Square => null,
        _ => Side > 0 ? new PictureFit(Side, Shorter == 1) : null,
    };

    /// <summary>Decodes and makes the answer's bytes; the one place where it is done, in whichever process.</summary>
    public (DecodedPicture Decoded, byte[] Bytes) Run(ReadOnlySpan<byte> file, PictureLimits limits)
    {
        var decoded = PictureDecoder.Decode(file, Fit, limits);
        return (decoded, Answer switch
        {
            DecodeAnswer.Measures => PictureMeasures.Of(decoded).ToBytes(),
            DecodeAnswer.SquareJpeg => PictureWriter.QuickJpeg(PictureFraming.Square(decoded.Picture, Side), Quality),
            DecodeAnswer.Square => new PictureSquare(Side, Filter).Of(decoded.Picture).Pixels,
            _ => decoded.Picture.Pixels,
        });
    }
}
