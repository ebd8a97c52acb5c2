using LoraFactory.Images;
using Xunit;

namespace LoraFactory.Tests.Images;

public class AreaShrinkingTests
{
    // The golden cases are run by lora verify and by the parity tests; here what they leave out.
    [Fact]
    public void A_flat_picture_stays_flat_at_any_size()
    {
        var flat = Picture.Filled(53, 47, 10, 128, 250);
        foreach (var (width, height) in (ReadOnlySpan<(int, int)>)[(53, 47), (52, 46), (17, 5), (1, 1), (26, 23)])
            Assert.Equal(Picture.Filled(width, height, 10, 128, 250).Pixels, AreaShrinking.Shrink(flat, width, height).Pixels);
    }

    [Fact]
    public void Growing_is_refused() => Assert.Throws<ArgumentOutOfRangeException>(() => AreaShrinking.Shrink(Picture.Filled(4, 4, 0, 0, 0), 5, 4));
}
