using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Models.Lora;

/// <summary>A model that an adapter is made for.</summary>
/// <param name="Component">"unet", "text_encoder", "text_encoder_2"; "model" for a single model.</param>
/// <param name="Store">Its weights and layers.</param>
/// <param name="Spec">Which layers, and of what size.</param>
public sealed record LoraTarget(string Component, ParameterStore Store, LoraSpec Spec);

/// <summary>A module to be made.</summary>
/// <param name="Component">Part of the pipeline.</param>
/// <param name="Path">Path of the layer.</param>
/// <param name="BaseShape">Shape of the layer's weight.</param>
/// <param name="Rank">Rank.</param>
/// <param name="Alpha">Alpha.</param>
/// <param name="Dropout">Share of inputs zeroed while training.</param>
public sealed record LoraPlan(string Component, string Path, IReadOnlyList<long> BaseShape, int Rank, double Alpha, double Dropout)
{
    /// <summary>[rank, in] or [rank, in, kh, kw].</summary>
    public long[] DownShape => [Rank, .. BaseShape.Skip(1)];
    /// <summary>[out, rank] or [out, rank, 1, 1].</summary>
    public long[] UpShape => BaseShape.Count == 4 ? [BaseShape[0], Rank, 1, 1] : [BaseShape[0], Rank];
    /// <summary>Trained numbers.</summary>
    public long Count => DownShape.Aggregate(1L, (a, b) => a * b) + BaseShape[0] * Rank;
}

/// <summary>
/// A LoRA adapter (Hu et al. 2021; LoCon for convolutions) over one or several models. Owns its tensors. Not thread-safe: all calls on
/// the tensor thread.
/// </summary>
public sealed class LoraAdapter : IDisposable
{
    private readonly List<(AdaptableLayer Layer, LoraBranch Branch)> attached = [];
    private double strength = 1;

    /// <summary>An adapter of given modules, which it takes over. Two for one layer are refused.</summary>
    public LoraAdapter(IEnumerable<LoraModule> modules, IReadOnlyDictionary<string, string>? metadata = null, IReadOnlyList<string>? unknownKeys = null)
    {
        Modules = [.. modules];
        Metadata = metadata ?? new Dictionary<string, string>();
        UnknownKeys = unknownKeys ?? [];
        var seen = new HashSet<(string, string)>();
        foreach (var module in Modules)
            if (!seen.Add((module.Component, module.Path))) throw new ModelException($"The adapter has two sets of matrices for {module.Component}'s '{module.Path}': one of the files it comes from is damaged.");
    }

    /// <summary>Its modules.</summary>
    public IReadOnlyList<LoraModule> Modules { get; }
    /// <summary>Text that its file carries.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }
    /// <summary>Names in its file that were not understood; empty unless the reader was told to go on.</summary>
    public IReadOnlyList<string> UnknownKeys { get; }

    /// <summary>Multiplier at inference, the weight in &lt;lora:name:weight&gt;; 1 while training. Takes effect on attached layers at once.</summary>
    public double Strength
    {
        get => strength;
        set
        {
            if (!double.IsFinite(value)) throw new ModelException($"The strength of an adapter is {value}; it has to be a finite number.");
            strength = value;
            foreach (var (_, branch) in attached) branch.Strength = value;
        }
    }

    /// <summary>The modules that targets call for, without their numbers. No fitting layer at all in a target is an error.</summary>
    public static IReadOnlyList<LoraPlan> Plan(IReadOnlyList<LoraTarget> targets)
    {
        var plans = new List<LoraPlan>();
        foreach (var (component, store, spec) in targets)
        {
            spec.Validate();
            var before = plans.Count;
            foreach (var (path, layer) in store.Layers)
                if (spec.For(path, layer) is var (rank, alpha)) plans.Add(new(component, path, [.. layer.Weight.Shape], rank, alpha, spec.Dropout));
            if (plans.Count == before)
                throw new ModelException($"No layer of the {component} fits the targets '{spec.Targets}': it has {store.Layers.Count} layers, such as '{store.Layers.Keys.FirstOrDefault()}'.");
        }
        return plans;
    }

    /// <summary>
    /// A new adapter: down Kaiming-uniform with a = √5, that is uniform in ±1/√fan_in, up zero, float32 on the CPU, so that it changes nothing yet.
    /// A module's numbers depend on <paramref name="seed"/>, its component, path and shape alone.
    /// </summary>
    public static LoraAdapter Create(IReadOnlyList<LoraTarget> targets, long seed)
    {
        using var off = Autograd.NoGrad();
        return new(Plan(targets).Select(plan =>
        {
            var bound = 1 / Math.Sqrt(plan.DownShape.Skip(1).Aggregate(1L, (a, b) => a * b));
            var down = Uniform(plan.DownShape, bound, new SeededNumbers(seed, $"{plan.Component}:{plan.Path}"));
            return new LoraModule(plan.Component, plan.Path, down, Ops.Zeros(plan.UpShape, dtype: DType.Float32), plan.Alpha) { Dropout = plan.Dropout };
        }).ToList());
    }

    /// <summary>The modules of one component.</summary>
    public IEnumerable<LoraModule> Of(string component) => Modules.Where(m => m.Component == component);

    /// <summary>Down and up of every module of a component (of all when null), in order; what an optimizer trains.</summary>
    public IReadOnlyList<Tensor> Parameters(string? component = null) =>
        [.. Modules.Where(m => component is null || m.Component == component).SelectMany(m => new[] { m.Down, m.Up })];

    /// <summary>Makes the matrices trainable, or not.</summary>
    public void RequireGrad(bool on)
    {
        foreach (var tensor in Parameters()) tensor.RequiresGrad = on;
    }

    /// <summary>
    /// Hangs the modules of a component on a model's layers. Refused without a change: modules that the model has no layer for (all
    /// counted, the first named), shapes that do not fit.
    /// </summary>
    public void Attach(string component, ParameterStore store)
    {
        foreach (var (module, layer) in Match(component, store))
        {
            var branch = new LoraBranch(module.Down, module.Up, module.Alpha) { Strength = strength, Dropout = module.Dropout };
            layer.Branches.Add(branch);
            attached.Add((layer, branch));
        }
    }

    /// <summary>Takes all branches off again.</summary>
    public void Detach()
    {
        foreach (var (layer, branch) in attached) layer.Branches.Remove(branch);
        attached.Clear();
    }

    /// <summary>Each module of a component with its layer, shapes checked.</summary>
    public IReadOnlyList<(LoraModule Module, AdaptableLayer Layer)> Match(string component, ParameterStore store)
    {
        var matched = new List<(LoraModule, AdaptableLayer)>();
        var missing = new List<string>();
        foreach (var module in Of(component))
        {
            if (store.Layers.TryGetValue(module.Path, out var layer)) matched.Add((module, layer));
            else missing.Add(module.Path);
        }
        if (missing.Count > 0)
            throw new ModelException($"{missing.Count} of the adapter's {missing.Count + matched.Count} {component} modules have no layer in the base, the first: {string.Join(", ", missing.Take(3).Select(m => $"'{m}'"))}; it was trained on a model of another kind.");
        foreach (var (module, layer) in matched) module.FitTo(layer);
        return matched;
    }

    /// <summary>Moves and converts all matrices; not while attached.</summary>
    public void To(DType dtype, Device device)
    {
        if (attached.Count > 0) throw new InvalidOperationException("An attached adapter cannot be moved: detach it first.");
        foreach (var module in Modules) module.To(dtype, device);
    }

    /// <summary>Detaches, and releases the matrices.</summary>
    public void Dispose()
    {
        Detach();
        foreach (var module in Modules) module.Dispose();
    }

    private static Tensor Uniform(long[] shape, double bound, SeededNumbers numbers)
    {
        var x = Ops.Empty(shape, dtype: DType.Float32);
        foreach (ref var value in x.Span<float>()) value = (float)((numbers.Next() * 2 - 1) * bound);
        return x;
    }
}
