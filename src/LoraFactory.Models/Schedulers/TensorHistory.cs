using LoraFactory.Torch;

namespace LoraFactory.Models.Schedulers;

/// <summary>The last few tensors of a run, kept outside any scope; the newest is number 0.</summary>
internal sealed class TensorHistory(int capacity)
{
    private readonly List<Tensor> kept = [];

    public int Count => kept.Count;

    public Tensor this[int back] => kept[kept.Count - 1 - back];

    public void Push(Tensor tensor)
    {
        if (kept.Count == capacity)
        {
            kept[0].Dispose();
            kept.RemoveAt(0);
        }
        kept.Add(tensor.Share().Own());
    }

    public void Clear()
    {
        foreach (var tensor in kept) tensor.Dispose();
        kept.Clear();
    }
}
