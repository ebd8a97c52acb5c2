using LoraFactory.Torch;

namespace LoraFactory.Models;

/// <summary>Where tensor work is done and with how many threads, as a recipe's resources say. Every stage that computes begins with it.</summary>
public static class Compute
{
    /// <summary>
    /// Sets the threads of the tensor thread, 0 for as many as it takes by itself (<see cref="TorchThread.UsualThreads"/>), and gives the device:
    /// "cpu", "cuda", or "auto" for CUDA where this libtorch finds it.
    /// </summary>
    /// <exception cref="ModelException">CUDA was asked for and is not there.</exception>
    public static Device Use(string device, int threads) => TorchThread.Shared.Run(() =>
    {
        TorchLibrary.Threads = threads > 0 ? threads : TorchThread.UsualThreads;
        if (device == "cpu" || (device == "auto" && !TorchLibrary.CudaAvailable)) return Device.Cpu;
        return TorchLibrary.CudaAvailable ? new Device(DeviceType.Cuda, 0)
            : throw new ModelException("The device cuda was asked for (resources.device, or --device), but this libtorch finds no CUDA device. Say auto or cpu, or give a CUDA libtorch by LORA_LIBTORCH.");
    });
}
