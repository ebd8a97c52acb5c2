namespace LoraFactory.Images;

/// <summary>How far a picture is shrunk while it is decoded; none is ever enlarged.</summary>
/// <param name="Side">Pixels that the side is to have, 1..65535.</param>
/// <param name="Shorter">Whether the shorter side is meant; else the longer.</param>
public readonly record struct PictureFit(int Side, bool Shorter)
{
    /// <summary>The filter that shrinks what the decoder left too large: means weighted by a triangle, a third of the cost of <see cref="Resampling.Lanczos"/>.</summary>
    public static Resampling Filter => Resampling.Bilinear;

    /// <summary>So that both sides have at most so many pixels.</summary>
    public static PictureFit Within(int side) => new(side, false);

    /// <summary>So that the shorter side has so many pixels.</summary>
    public static PictureFit Covering(int side) => new(side, true);

    /// <summary>The size that a picture gets, each side rounded and at least 1.</summary>
    public (int Width, int Height) Of(int width, int height)
    {
        var judged = Shorter ? Math.Min(width, height) : Math.Max(width, height);
        if (judged <= Side) return (width, height);
        return (Scaled(width, judged), Scaled(height, judged));
    }

    private int Scaled(int side, int judged) => side == judged ? Side : Math.Max(1, (int)Math.Round((double)side * Side / judged));
}

/// <summary>A picture as it was decoded, and how large its file's is.</summary>
/// <param name="Picture">Upright, 8-bit sRGB, shrunk where that was asked for.</param>
/// <param name="Width">Columns of the whole picture, upright.</param>
/// <param name="Height">Rows likewise.</param>
public sealed record DecodedPicture(Picture Picture, int Width, int Height);
