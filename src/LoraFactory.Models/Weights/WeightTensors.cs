using LoraFactory.Torch;

namespace LoraFactory.Models.Weights;

/// <summary>Weights as tensors.</summary>
public static unsafe class WeightTensors
{
    /// <summary>
    /// The weight as a tensor over the mapped file: nothing is copied, and the mapping stays while the tensor lives. Read-only memory: an
    /// in-place operator on it would fault, so a trainable weight is cloned first.
    /// </summary>
    public static Tensor ToTensor(this Weight weight)
    {
        if (weight.Count == 0) return Ops.Zeros(weight.Shape.ToArray(), dtype: weight.DType);
        return Tensor.Over((nint)weight.Pointer, weight.Shape.ToArray(), weight.DType, weight.File.Hold(), weight.IsContiguous ? default : weight.Strides.ToArray());
    }

    /// <summary>What <see cref="LoraFactory.Torch.Nn.ParameterStore.Load"/> asks for names with, null for a name that the source lacks.</summary>
    public static Func<string, Tensor?> Finder(this WeightSource source, string prefix = "") =>
        name => source.TryGet(prefix + name, out var weight) ? weight.ToTensor() : null;
}
