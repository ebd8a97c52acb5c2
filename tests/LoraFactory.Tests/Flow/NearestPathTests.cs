using LoraFactory.Flow;

namespace LoraFactory.Tests.Flow;

/// <summary>A mistyped path leads to the file or folder that was meant, and a strange one to nothing.</summary>
public sealed class NearestPathTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("models/v1-5-prunde.safetensors", "models/v1-5-pruned.safetensors")]
    [InlineData("models/v1-5-pruned.ckpt", "models/v1-5-pruned.safetensors")]      // another extension
    [InlineData("model/v1-5-pruned.safetensors", "models/v1-5-pruned.safetensors")] // a folder above
    [InlineData("model/V1-5_pruned.safetensor", "models/v1-5-pruned.safetensors")]
    [InlineData("modles/", "models")]
    [InlineData("models/v1-5-emaonly.safetensors/", null)]
    [InlineData("models/dreamlike.safetensors", null)]                              // only its extension is like another's
    [InlineData("elsewhere/v1-5-pruned.safetensors", null)]
    [InlineData("models/v1-5-pruned.safetensors/unet", null)]                       // below a file
    public void The_nearest_name_is_given_where_one_is_near(string written, string? meant)
    {
        Directory.CreateDirectory(folder.File("models"));
        foreach (var name in (string[])["v1-5-pruned.safetensors", "xl.safetensors", ".v1-5-emaonly.safetensors"]) File.WriteAllText(folder.File($"models/{name}"), "");
        var near = NearestPath.Of(folder.File(written));
        Assert.Equal(meant is null ? null : folder.File(meant), near);
        Assert.Equal(meant is null ? "" : $" Did you mean {folder.File(meant)}?", NearestPath.Hint(folder.File(written)));
    }

    [Fact]
    public void What_exists_needs_no_hint_and_a_relative_path_stays_relative()
    {
        Assert.Equal("", NearestPath.Hint(folder.Path));
        Assert.Equal("", NearestPath.Hint(""));
        var here = Path.GetRelativePath(Directory.GetCurrentDirectory(), folder.Path);
        File.WriteAllText(folder.File("base.safetensors"), "");
        Assert.Equal(Path.Combine(here, "base.safetensors"), NearestPath.Of(Path.Combine(here, "bsae.safetensors")));
        Assert.Null(NearestPath.Of("nobody/has-such-a-model"));
    }
}
