using LoraFactory.Images;
using LoraFactory.Images.Vips;
using Microsoft.Data.Sqlite;
using Xunit;

namespace LoraFactory.Tests.Images;

public class VipsLibraryTests
{
    [Fact]
    public void No_plug_in_enters_the_process_and_SQLite_still_works()
    {
        Assert.StartsWith("8.", VipsLibrary.Version, StringComparison.Ordinal);
        Assert.Equal(20, PictureDecoder.Decode(PictureWriter.Png(PictureDecoderTests.Gradient(20, 20))).Width);
        var mapped = File.ReadAllText("/proc/self/maps");
        Assert.Contains("libvips.so", mapped);
        Assert.DoesNotContain("vips-modules", mapped);
        // libtorch, where another test has loaded it, brings a libsqlite3 of its own
        if (!mapped.Contains("libtorch_cpu.so", StringComparison.Ordinal)) Assert.DoesNotContain("libsqlite3.so", mapped);
        using var connection = new SqliteConnection("Data Source=:memory:");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "select 6 * 7";
        Assert.Equal(42L, command.ExecuteScalar());
    }
}
