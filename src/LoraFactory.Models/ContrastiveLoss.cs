using LoraFactory.Torch;

namespace LoraFactory.Models;

/// <summary>The loss that CLIP is trained with (Radford et al. 2021).</summary>
public static class ContrastiveLoss
{
    /// <summary>Mean of the cross-entropies along both sides of square logits [n, n], where pair i belongs to text i; a scalar.</summary>
    public static Tensor Of(Tensor logits)
    {
        var labels = Ops.Arange(logits.Size(0), dtype: DType.Int64, device: logits.Device);
        return (logits.CrossEntropyLoss(labels) + logits.T().CrossEntropyLoss(labels)) * 0.5;
    }
}
