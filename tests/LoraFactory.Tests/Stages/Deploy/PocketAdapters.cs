using LoraFactory.Flow;
using LoraFactory.Models.Lora;
using LoraFactory.Models.Pipelines;
using LoraFactory.Models.Training;
using LoraFactory.Stages.Deploy;
using LoraFactory.Torch;

namespace LoraFactory.Tests.Stages.Deploy;

/// <summary>Adapters for the pocket base, made of random matrices, and a place in a store for them.</summary>
internal static class PocketAdapters
{
    public static string Base { get; } = Path.Combine(TestData.Root, "assets", "pocket-sd");

    /// <summary>Writes an adapter whose up matrices are normal with this deviation (0: it changes nothing); small ones shift pictures, large ones burn them.</summary>
    public static string Write(string path, long seed, double deviation, int rank = 2, Action<LoraAdapter>? change = null)
    {
        TorchThread.Shared.Run(() =>
        {
            using var scope = new Scope();
            using var off = Autograd.NoGrad();
            using var pipeline = StableDiffusionPipeline.Load(Base);
            using var adapter = LoraAdapter.Create([new("unet", pipeline.UNet.Store, new LoraSpec { Targets = LoraTargets.Attention, Rank = rank, Alpha = rank })], seed);
            TorchLibrary.Seed(seed);
            if (deviation > 0)
                foreach (var module in adapter.Modules) module.Up.Normal_(0, deviation);
            change?.Invoke(adapter);
            LoraWriter.Write(adapter, path);
        });
        return path;
    }

    /// <summary>Puts a file into a store with a certificate for its bytes, granted unless a fault is named.</summary>
    public static StoredAdapter Store(AdapterStore store, string name, string file, string state = "champion", string fault = "", string @base = "pocket-sd", string? baseHash = null)
    {
        var bundle = Directory.CreateDirectory(Path.Combine(Path.GetDirectoryName(file)!, $"bundle-{name}")).FullName;
        File.Copy(file, Path.Combine(bundle, "adapter.safetensors"), overwrite: true);
        var sha256 = ContentId.OfFile(file);
        RunDirectory.WriteJson(Path.Combine(bundle, Certificate.FileName), new Certificate { Sha256 = sha256, BaseHash = baseHash ?? DiffusionModel.Hash(Base), Fault = fault, Checks = [new("a check", fault.Length == 0, "found")] });
        return store.Add(new()
        {
            Name = name, Version = 0, State = state, Sha256 = sha256, AdapterId = "a", ReportId = "r", Base = @base, Run = "runs/x", Why = fault.Length == 0 ? "a test" : $"refused as {fault}", StoredAt = DateTimeOffset.UnixEpoch,
        }, bundle);
    }
}
