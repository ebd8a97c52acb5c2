using LoraFactory.Models;
using LoraFactory.Torch;
using Xunit;

namespace LoraFactory.Tests.Models;

[Collection("torch")]
public sealed class ComputeTests
{
    private static int Threads => TorchThread.Shared.Run(() => TorchLibrary.Threads);

    [Fact]
    public void Threads_are_those_asked_for_and_the_usual_ones_otherwise()
    {
        Assert.Equal(Device.Cpu, Compute.Use("cpu", 1));
        Assert.Equal(1, Threads);
        Compute.Use("cpu", 0);
        Assert.Equal(TorchThread.UsualThreads, Threads);
    }

    [Fact]
    public void Cuda_is_taken_where_it_is_and_refused_in_a_sentence_where_not()
    {
        var there = TorchThread.Shared.Run(() => TorchLibrary.CudaAvailable);
        Assert.Equal(there ? DeviceType.Cuda : DeviceType.Cpu, Compute.Use("auto", 0).Type);
        if (there) Assert.Equal(DeviceType.Cuda, Compute.Use("cuda", 0).Type);
        else Assert.Contains("Say auto or cpu", Assert.Throws<ModelException>(() => Compute.Use("cuda", 0)).Message, StringComparison.Ordinal);
    }
}
