using LoraFactory.Torch;

namespace LoraFactory.Models.Weights;

/// <summary>Between files and tensors.</summary>
public static unsafe class WeightTensors
{
    /// <summary>
    /// The weight as a CPU tensor of its shape and dtype. Nothing is copied where the bytes are aligned to the element size: pages are read
    /// from the file when they are touched, and the mapping stays until the tensor is released. In-place changes stay in this process.
    /// </summary>
    /// <exception cref="ModelException">The weight is an 8-bit float and libtorch is older than 2.1.</exception>
    public static Tensor ToTensor(this Weight weight)
    {
        if (!TorchLibrary.Knows(weight.DType))
            throw new ModelException($"{weight.File.Path} holds '{weight.Name}' as {weight.DType}, which libtorch {TorchLibrary.Version} does not have: use a file in float16 or bfloat16, or a libtorch from 2.1 on by LORA_LIBTORCH.");
        long[] shape = [.. weight.Shape];
        if (weight.Count > 0 && weight.Offset % DTypes.Bytes(weight.DType) == 0)
        {
            var release = weight.Hold();
            try
            {
                return Tensor.Over((nint)weight.Pointer, shape, weight.DType, release, weight.IsContiguous ? [] : [.. weight.Strides]);
            }
            catch
            {
                release();
                throw;
            }
        }
        var tensor = Ops.Empty(shape, dtype: weight.DType);
        weight.CopyTo((byte*)tensor.DataPointer);
        return tensor;
    }

    /// <summary>What <see cref="LoraFactory.Torch.Nn.ParameterStore.Load"/> asks for names with, null for a name that the source lacks.</summary>
    public static Func<string, Tensor?> Finder(this WeightSource source, string prefix = "") =>
        name => source.TryGet(prefix + name, out var weight) ? weight.ToTensor() : null;

    /// <summary>A tensor to be written, from any device and of any strides; it must live until the file is written.</summary>
    public static WeightToWrite ToWrite(this Tensor tensor, string name) => new(name, tensor.DType, tensor.Shape, stream =>
    {
        const int piece = 1 << 26;
        using var scope = new Scope();
        var plain = tensor.To(device: Device.Cpu).Contiguous();
        var length = plain.Count * DTypes.Bytes(plain.DType);
        for (var done = 0L; done < length; done += piece)
            stream.Write(new ReadOnlySpan<byte>((byte*)plain.DataPointer + done, (int)Math.Min(piece, length - done)));
    });
}
