using LoraFactory.Tests.Cli;
using LoraFactory.Torch;

namespace LoraFactory.Tests.Torch;

/// <summary>Tests with tensors run one after the other, on the one tensor thread.</summary>
[CollectionDefinition("torch", DisableParallelization = false)]
public sealed class TorchCollection : ICollectionFixture<FinishedLine>;

/// <summary>Runs a test's body on the tensor thread in a scope, checks that it leaves no tensor behind, and puts back the threads and lanes that it set.</summary>
public static class OnTensorThread
{
    public static void Run(Action body) => TorchThread.Shared.Run(() =>
    {
        var (before, threads, lanes) = (Tensor.LiveCount, TorchLibrary.Threads, TorchLibrary.Lanes);
        try
        {
            using (var scope = new Scope()) body();
            Assert.Equal(before, Tensor.LiveCount);
        }
        finally
        {
            (TorchLibrary.Threads, TorchLibrary.Lanes) = (threads, lanes);
        }
    });
}
