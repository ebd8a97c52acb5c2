namespace LoraFactory.Torch.Nn;

/// <summary>How a parameter begins when nothing is loaded into it.</summary>
public enum Init
{
    /// <summary>Uniform in ±1/√fan_in, as torch's Linear and Conv begin.</summary>
    FanIn,
    /// <summary>All zero.</summary>
    Zero,
    /// <summary>All one.</summary>
    One,
    /// <summary>Normal with standard deviation 0.02, as embeddings begin.</summary>
    Normal,
}

/// <summary>One named weight of a model. <see cref="Value"/> is there after loading or initialising.</summary>
public sealed class Parameter(string name, long[] shape, Init init)
{
    private Tensor? value;

    /// <summary>Name in checkpoints, e.g. "down_blocks.0.attentions.0.proj_in.weight".</summary>
    public string Name { get; } = name;
    /// <summary>Shape.</summary>
    public IReadOnlyList<long> Shape => shape;
    /// <summary>How it begins.</summary>
    public Init Init { get; } = init;
    /// <summary>Number of elements.</summary>
    public long Count => shape.Aggregate(1L, (a, b) => a * b);
    /// <summary>Whether a tensor is there.</summary>
    public bool IsLoaded => value is not null;

    /// <summary>The tensor; owned by the store. Setting checks the shape and releases the one before.</summary>
    public Tensor Value
    {
        get => value ?? throw new TorchException($"the weight {Name} was not loaded", "Parameter", TorchError.Value);
        set
        {
            var found = value.Shape;
            if (!found.AsSpan().SequenceEqual(shape))
                throw new TorchException($"{Name} has shape [{string.Join(", ", found)}] where the model needs [{string.Join(", ", shape)}]", "Parameter", TorchError.Value);
            this.value?.Dispose();
            this.value = value.Own();
        }
    }

    /// <summary>Lets the tensor go.</summary>
    internal void Release()
    {
        value?.Dispose();
        value = null;
    }
}

/// <summary>
/// All weights of a model by their checkpoint names, and the layers that adapters can be hung on by their paths.
/// A model is built first (shapes only, no memory), then weights are loaded or initialised.
/// </summary>
public sealed class ParameterStore
{
    private readonly Dictionary<string, Parameter> parameters = new(StringComparer.Ordinal);
    private readonly List<Parameter> inOrder = [];
    private readonly Dictionary<string, AdaptableLayer> layers = new(StringComparer.Ordinal);

    /// <summary>The root, from which modules take their place: <c>store.Root["down_blocks"][0]["attn1"]</c>.</summary>
    public Place Root => new(this, "");

    /// <summary>All weights, in the order in which the model declared them.</summary>
    public IReadOnlyList<Parameter> Parameters => inOrder;

    /// <summary>Linear and convolution layers by path, in order of declaration.</summary>
    public IReadOnlyDictionary<string, AdaptableLayer> Layers => layers;

    /// <summary>The weight of this name, null when the model has none.</summary>
    public Parameter? Find(string name) => parameters.GetValueOrDefault(name);

    internal Parameter Declare(string name, long[] shape, Init init)
    {
        var parameter = new Parameter(name, shape, init);
        if (!parameters.TryAdd(name, parameter)) throw new InvalidOperationException($"{name} was declared twice");
        inOrder.Add(parameter);
        return parameter;
    }

    internal void Declare(string path, AdaptableLayer layer) => layers.Add(path, layer);

    /// <summary>
    /// Loads every weight by asking <paramref name="find"/> for its name. Throws naming the first missing ones and how many there are.
    /// The tensors are converted to <paramref name="dtype"/> and <paramref name="device"/>; those that fit already are taken as they are.
    /// After an error all weights are released.
    /// </summary>
    public void Load(Func<string, Tensor?> find, DType dtype = DType.Float32, Device? device = null)
    {
        var missing = new List<string>();
        try
        {
            foreach (var parameter in inOrder)
            {
                using var scope = new Scope();
                var found = find(parameter.Name);
                if (found is null) missing.Add(parameter.Name);
                else parameter.Value = found.To(dtype: dtype, device: device ?? Device.Cpu);
            }
        }
        catch
        {
            Release();
            throw;
        }
        if (missing.Count == 0) return;
        Release();
        throw new TorchException(
            $"{missing.Count} of {inOrder.Count} weights are missing, the first: {string.Join(", ", missing.Take(3))}. The file belongs to another model, or is not complete", "load", TorchError.NotFound);
    }

    /// <summary>Fills every weight that is not loaded with its initial values, from libtorch's generator.</summary>
    public void Initialize(DType dtype = DType.Float32, Device? device = null)
    {
        using var off = Autograd.NoGrad();
        foreach (var parameter in inOrder.Where(p => !p.IsLoaded))
        {
            using var scope = new Scope();
            var shape = parameter.Shape.ToArray();
            var x = Ops.Empty(shape, dtype: DType.Float32);
            var fanIn = Math.Max(1, parameter.Count / Math.Max(1, shape.Length > 0 ? shape[0] : 1));
            parameter.Value = (parameter.Init switch
            {
                Init.Zero => x.Zero_(),
                Init.One => x.Fill_(1.0),
                Init.Normal => x.Normal_(0, 0.02),
                _ => x.Uniform_(-1 / Math.Sqrt(fanIn), 1 / Math.Sqrt(fanIn)),
            }).To(dtype: dtype, device: device ?? Device.Cpu);
        }
    }

    /// <summary>Makes all weights trainable, or none.</summary>
    public void RequireGrad(bool on)
    {
        foreach (var parameter in inOrder) parameter.Value.RequiresGrad = on;
    }

    /// <summary>Releases all weights.</summary>
    public void Release()
    {
        foreach (var parameter in inOrder) parameter.Release();
    }
}

/// <summary>A place in the tree of checkpoint names.</summary>
/// <param name="Store">The model's weights.</param>
/// <param name="Path">Name so far, without a trailing dot.</param>
public readonly record struct Place(ParameterStore Store, string Path)
{
    /// <summary>A child by name.</summary>
    public Place this[string name] => new(Store, Path.Length == 0 ? name : $"{Path}.{name}");

    /// <summary>A child by number.</summary>
    public Place this[int index] => this[index.ToString(System.Globalization.CultureInfo.InvariantCulture)];

    /// <summary>Declares a weight here.</summary>
    public Parameter Parameter(string name, Init init, params long[] shape) => Store.Declare(this[name].Path, shape, init);
}
