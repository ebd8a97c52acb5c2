namespace LoraFactory.Torch;

/// <summary>
/// Frees tensors: every tensor made on this thread while a scope is open belongs to the innermost one and is released with it,
/// unless Keep moved it out. Scopes nest and end in reverse order on the thread that opened them.
/// </summary>
public sealed class Scope : IDisposable
{
    [ThreadStatic] private static Scope? current;

    private readonly Scope? outer;
    private readonly List<Tensor> tensors = [];
    private bool ended;

    /// <summary>Opens a scope on this thread.</summary>
    public Scope()
    {
        outer = current;
        current = this;
    }

    /// <summary>Innermost open scope of this thread.</summary>
    internal static Scope? Current => current;

    internal void Add(Tensor tensor)
    {
        tensor.Slot = tensors.Count;
        tensor.Scope = this;
        tensors.Add(tensor);
    }

    internal void Remove(Tensor tensor)
    {
        // the last one takes the empty slot: no search
        var last = tensors[^1];
        tensors[tensor.Slot] = last;
        last.Slot = tensor.Slot;
        tensors.RemoveAt(tensors.Count - 1);
        tensor.Scope = null;
    }

    /// <summary>Moves a tensor to the scope around this one (to nobody when there is none: the caller disposes it) and returns it.</summary>
    public Tensor Keep(Tensor tensor)
    {
        tensor.Scope?.Remove(tensor);
        outer?.Add(tensor);
        return tensor;
    }

    /// <summary>Moves several tensors.</summary>
    public Tensor[] Keep(Tensor[] kept)
    {
        foreach (var tensor in kept) Keep(tensor);
        return kept;
    }

    /// <summary>Releases what is left.</summary>
    public void Dispose()
    {
        if (ended) return;
        ended = true;
        if (current != this) throw new InvalidOperationException("A tensor scope was ended while an inner one was open, or on another thread.");
        current = outer;
        foreach (var tensor in tensors)
        {
            tensor.Scope = null;
            tensor.Dispose();
        }
        tensors.Clear();
    }
}
