namespace LoraFactory.Torch.Optim;

/// <summary>A trainable tensor with the name that its optimizer state is saved under.</summary>
/// <param name="Name">Unique within the optimizer.</param>
/// <param name="Value">A leaf that requires a gradient; owned by whoever made it.</param>
public sealed record Trainable(string Name, Tensor Value);

/// <summary>Tensors that share a learning rate and a weight decay.</summary>
public sealed class ParameterGroup(IReadOnlyList<Trainable> parameters, double learningRate, double weightDecay = 0)
{
    /// <summary>The tensors.</summary>
    public IReadOnlyList<Trainable> Parameters { get; } = parameters;
    /// <summary>Rate of the next step, ≥ 0; schedules set it.</summary>
    public double LearningRate { get; set; } = learningRate;
    /// <summary>Weight decay, ≥ 0; what it means is the optimizer's.</summary>
    public double WeightDecay { get; set; } = weightDecay;
}

/// <summary>
/// Moves parameters against their accumulated gradients. State is float32, zero at the start, named "PARAMETER.SLOT"; together with
/// <see cref="Steps"/> and <see cref="Numbers"/> it is all that a resumed run needs to go on to the same bytes.
/// </summary>
public abstract class Optimizer : IDisposable
{
    private readonly Dictionary<string, Tensor> state = new(StringComparer.Ordinal);

    /// <summary>Takes groups whose parameter names must all differ.</summary>
    protected Optimizer(IReadOnlyList<ParameterGroup> groups)
    {
        Groups = groups;
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var parameter in groups.SelectMany(g => g.Parameters))
            if (!names.Add(parameter.Name)) throw new TorchException($"the parameter {parameter.Name} is given to the optimizer twice", "Optimizer", TorchError.Value);
    }

    /// <summary>The groups.</summary>
    public IReadOnlyList<ParameterGroup> Groups { get; }

    /// <summary>Steps taken; a skipped step does not count.</summary>
    public long Steps { get; private set; }

    /// <summary>State tensors by name, owned by the optimizer.</summary>
    public IReadOnlyDictionary<string, Tensor> State => state;

    /// <summary>State that is not a tensor, by name; empty for most optimizers.</summary>
    public virtual IReadOnlyDictionary<string, double> Numbers => new Dictionary<string, double>();

    /// <summary>Takes one step with the gradients that the parameters hold now; parameters without one stay as they are.</summary>
    public void Step()
    {
        using var off = Autograd.NoGrad();
        using var scope = new Scope();
        Steps++;
        var batches = new List<Batch>(Groups.Count);
        foreach (var group in Groups)
        {
            var with = new List<Trainable>(group.Parameters.Count);
            var gradients = new List<Tensor>(group.Parameters.Count);
            foreach (var parameter in group.Parameters)
            {
                if (parameter.Value.Grad() is not { } gradient) continue;
                with.Add(parameter);
                gradients.Add(gradient);
            }
            if (with.Count > 0) batches.Add(new(group, with, [.. with.Select(p => p.Value)], [.. gradients]));
        }
        Update(batches);
    }

    /// <summary>Frees the gradients, so that the next backward pass starts anew.</summary>
    public void ClearGradients()
    {
        foreach (var group in Groups)
            foreach (var parameter in group.Parameters) parameter.Value.SetGrad(null);
    }

    /// <summary>Puts back what <see cref="Steps"/>, <see cref="State"/> and <see cref="Numbers"/> held; the tensors are copied to where their parameters are.</summary>
    public void Load(long steps, IEnumerable<KeyValuePair<string, Tensor>> tensors, IReadOnlyDictionary<string, double>? numbers = null)
    {
        Steps = steps;
        foreach (var tensor in state.Values) tensor.Dispose();
        state.Clear();
        var places = Groups.SelectMany(g => g.Parameters).ToDictionary(p => p.Name, p => p.Value.Device, StringComparer.Ordinal);
        using var scope = new Scope();
        foreach (var (name, tensor) in tensors)
        {
            // "PARAMETER.SLOT": a slot has no dot
            var copy = places.TryGetValue(name[..Math.Max(0, name.LastIndexOf('.'))], out var device) && device != tensor.Device ? tensor.To(device: device) : tensor.Clone();
            state[name] = copy.Own();
        }
        LoadNumbers(numbers ?? new Dictionary<string, double>());
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Releases the state.</summary>
    protected virtual void Dispose(bool disposing)
    {
        if (!disposing) return;
        foreach (var tensor in state.Values) tensor.Dispose();
        state.Clear();
    }

    /// <summary>What one group contributes to a step: parameters that have a gradient, and the gradients in the same order.</summary>
    protected sealed record Batch(ParameterGroup Group, IReadOnlyList<Trainable> Named, Tensor[] Parameters, Tensor[] Gradients);

    /// <summary>Moves the parameters of all groups: each by itself, unless the method couples them.</summary>
    protected virtual void Update(IReadOnlyList<Batch> batches)
    {
        foreach (var batch in batches) Update(batch);
    }

    /// <summary>Moves the parameters of one group. Gradients must be left as they are.</summary>
    protected abstract void Update(Batch batch);

    /// <summary>Puts back <see cref="Numbers"/>.</summary>
    protected virtual void LoadNumbers(IReadOnlyDictionary<string, double> numbers) { }

    /// <summary>The state of this slot for each parameter, made by <paramref name="start"/> (zeros unless given) where there is none.</summary>
    protected Tensor[] Slot(string slot, IReadOnlyList<Trainable> named, Func<Tensor, Tensor>? start = null)
    {
        var found = new Tensor[named.Count];
        for (var i = 0; i < found.Length; i++) found[i] = Slot(slot, named[i], start);
        return found;
    }

    /// <summary>The state of this slot for one parameter.</summary>
    protected Tensor Slot(string slot, Trainable parameter, Func<Tensor, Tensor>? start = null)
    {
        var name = $"{parameter.Name}.{slot}";
        if (!state.TryGetValue(name, out var tensor))
            state[name] = tensor = (start?.Invoke(parameter.Value) ?? parameter.Value.ZerosLike(dtype: DType.Float32)).Detach().Own();
        return tensor;
    }

    /// <summary>Whether a parameter has state in this slot already.</summary>
    protected bool HasSlot(string slot, Trainable parameter) => state.ContainsKey($"{parameter.Name}.{slot}");

    /// <summary>Decay as a part of the gradient (L2): g + wd · p; the gradients themselves without decay.</summary>
    protected static Tensor[] WithL2(Tensor[] parameters, Tensor[] gradients, double decay) =>
        decay == 0 ? gradients : Ops.ForeachAdd(gradients, parameters, decay);
}
