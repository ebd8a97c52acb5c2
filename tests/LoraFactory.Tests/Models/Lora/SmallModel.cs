using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Tests.Models.Lora;

/// <summary>One layer of each kind, under paths as a UNet has them, with seeded weights.</summary>
internal sealed class SmallModel : IDisposable
{
    public const string QueryPath = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q";
    public const string ConvPath = "down_blocks.0.resnets.0.conv1";
    public const string PointPath = "down_blocks.0.attentions.0.proj_in";

    public SmallModel(DType dtype = DType.Float32, long seed = 1)
    {
        var block = Store.Root["down_blocks"][0];
        Query = new(block["attentions"][0]["transformer_blocks"][0]["attn1"]["to_q"], 6, 8);
        Point = new(block["attentions"][0]["proj_in"], 6, 5, 1);
        Conv = new(block["resnets"][0]["conv1"], 3, 4, 3, stride: 2, padding: 1);
        TorchLibrary.Seed(seed);
        Store.Initialize(dtype);
    }

    public ParameterStore Store { get; } = new();
    public Linear Query { get; }
    public Conv2d Point { get; }
    public Conv2d Conv { get; }

    public static Tensor Rows(int count) => Seeded(11, [count, 6]);

    public static Tensor Pictures(int count) => Seeded(12, [count, 3, 8, 8]);

    public static Tensor Seeded(long seed, ReadOnlySpan<long> shape)
    {
        TorchLibrary.Seed(seed);
        return Ops.Randn(shape);
    }

    public void Dispose() => Store.Release();
}
