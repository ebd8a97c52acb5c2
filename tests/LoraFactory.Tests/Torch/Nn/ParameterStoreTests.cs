using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Tests.Torch.Nn;

[Collection("torch")]
public sealed class ParameterStoreTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void After_a_missing_weight_or_an_error_nothing_stays_loaded(bool error) => OnTensorThread.Run(() =>
    {
        var store = new ParameterStore();
        _ = new Linear(store.Root["first"], 2, 2);
        _ = new Linear(store.Root["second"], 2, 2);
        var before = Tensor.LiveCount;
        var e = Assert.ThrowsAny<Exception>(() => store.Load(name => name switch
        {
            "second.weight" when error => throw new InvalidOperationException("the file broke off"),
            "second.weight" => null,
            _ => Ops.Ones([.. store.Find(name)!.Shape]),
        }));
        Assert.Contains(error ? "broke off" : "1 of 4 weights are missing", e.Message, StringComparison.Ordinal);
        Assert.Equal(before, Tensor.LiveCount);
        Assert.All(store.Parameters, p => Assert.False(p.IsLoaded));
    });
}
