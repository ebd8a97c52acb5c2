using LoraFactory.Flow;
using LoraFactory.Models.Pipelines;
using LoraFactory.Stages.Deploy;
using LoraFactory.Stages.Deploy.Serving;

namespace LoraFactory.Tests.Stages.Deploy.Serving;

[Collection("torch")]
public sealed class ServedBaseTests
{
    [Fact]
    public async Task A_certificate_for_other_weights_under_the_same_name_does_not_go_live()
    {
        using var folder = new TemporaryFolder();
        var store = new AdapterStore(folder.File("store"));
        var file = PocketAdapters.Write(folder.File("a.safetensors"), 3, 0.3);
        PocketAdapters.Store(store, "before", file, baseHash: new string('0', 64));
        PocketAdapters.Store(store, "now", file);
        using var model = new ServedModel("pocket-sd", StableDiffusionPipeline.Load(PocketAdapters.Base), store);
        var refused = await Assert.ThrowsAsync<LoraException>(() => model.LoadAsync("before"));
        Assert.Equal(ExitCode.Refused, refused.Code);
        Assert.Contains("certified on other weights of pocket-sd (000000000000…)", refused.Message, StringComparison.Ordinal);
        Assert.Equal(1, (await model.LoadAsync("now")).Version);
        PocketAdapters.Store(store, "moved", file, @base: "/before/models/base"); // the same weights, wherever they lay
        Assert.Equal(1, (await model.LoadAsync("moved")).Version);
    }
}
