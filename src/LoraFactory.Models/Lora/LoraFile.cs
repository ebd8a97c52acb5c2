using System.Text.Json;
using LoraFactory.Models.Weights;
using LoraFactory.Torch;

namespace LoraFactory.Models.Lora;

/// <summary>How an adapter is read.</summary>
public sealed record LoraReading
{
    /// <summary>Component of names that do not tell theirs, as in a PEFT folder; null guesses it from the paths.</summary>
    public string? Component { get; init; }
    /// <summary>Go on when names are not understood; they are listed in <see cref="LoraAdapter.UnknownKeys"/>. By default that is an error.</summary>
    public bool AllowUnknown { get; init; }
    /// <summary>Largest file, in bytes. Default 8 GiB.</summary>
    public long MaximumBytes { get; init; } = 8L << 30;
    /// <summary>Read a diffusers file as loaders do that pass over lora_adapter_metadata (alpha = rank).</summary>
    public bool IgnoreAdapterMetadata { get; init; }
}

/// <summary>Reads adapters from files, which may come from anywhere: every size, rank and shape is checked, and nothing is passed over in silence.</summary>
public static class LoraFile
{
    private const int MaximumModules = 20_000;
    private const string AdapterMetadata = "lora_adapter_metadata";

    /// <summary>
    /// Reads a file, or a folder: PEFT's (adapter_model.safetensors with adapter_config.json), diffusers' (pytorch_lora_weights.safetensors), or one
    /// with such folders named by component. Matrices become float32 on the CPU, with memory of their own.
    /// </summary>
    public static LoraAdapter Read(string path, LoraReading? reading = null)
    {
        reading ??= new();
        if (!Directory.Exists(path)) return ReadFile(path, reading, null);
        if (PeftWeights(path) is not null) return ReadPeft(path, reading);
        if (File.Exists(Path.Combine(path, "pytorch_lora_weights.safetensors"))) return ReadFile(Path.Combine(path, "pytorch_lora_weights.safetensors"), reading, null);
        var parts = new List<LoraAdapter>();
        try
        {
            foreach (var component in new[] { "unet", "text_encoder", "text_encoder_2" })
                if (PeftWeights(Path.Combine(path, component)) is not null) parts.Add(ReadPeft(Path.Combine(path, component), reading with { Component = component }));
            if (parts.Count == 0)
                throw new ModelException($"{path} is no adapter: it has neither adapter_model.safetensors, pytorch_lora_weights.safetensors nor folders unet, text_encoder, text_encoder_2 with one.");
            return new([.. parts.SelectMany(p => p.Modules)], parts[0].Metadata, [.. parts.SelectMany(p => p.UnknownKeys)]);
        }
        catch
        {
            foreach (var part in parts) part.Dispose();
            throw;
        }
    }

    /// <summary>Reads an adapter from tensors by name.</summary>
    public static LoraAdapter Read(WeightSource source, LoraReading reading, PeftConfig? config = null)
    {
        var found = new Dictionary<(string Component, string Path), Dictionary<LoraPart, Weight>>();
        var unknown = new List<string>();
        foreach (var weight in source.Weights)
        {
            var key = LoraKeys.Parse(weight.Name);
            if (key is null)
            {
                unknown.Add(weight.Name);
                continue;
            }
            var place = Place(key, reading);
            if (!found.TryGetValue(place, out var parts)) found[place] = parts = [];
            if (!parts.TryAdd(key.Part, weight)) throw new ModelException($"{source.Path}: '{weight.Name}' and '{parts[key.Part].Name}' are the same matrix of '{key.Path}' in two spellings.");
        }
        CheckNames(source, found, unknown, reading);
        var configs = reading.IgnoreAdapterMetadata ? [] : HeaderConfigs(source, found.Keys.Select(k => k.Component).Distinct());
        var modules = new List<LoraModule>();
        try
        {
            foreach (var ((component, path), parts) in found)
                modules.Add(ReadModule(source.Path, component, path, parts, config ?? configs.GetValueOrDefault(component)));
            return new(modules, source.Metadata, unknown);
        }
        catch
        {
            foreach (var module in modules) module.Dispose();
            throw;
        }
    }

    private static LoraAdapter ReadFile(string path, LoraReading reading, PeftConfig? config)
    {
        if (new FileInfo(path) is { Exists: true } file && file.Length > reading.MaximumBytes)
            throw new ModelException($"{path} has {file.Length} bytes, more than the {reading.MaximumBytes} that are read as an adapter.");
        using var source = WeightSource.Open(path);
        return Read(source, reading, config);
    }

    private static string? PeftWeights(string folder) =>
        new[] { "adapter_model.safetensors", "adapter_model.bin" }.Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists);

    private static LoraAdapter ReadPeft(string folder, LoraReading reading)
    {
        var file = Path.Combine(folder, "adapter_config.json");
        if (!File.Exists(file)) throw new ModelException($"{file} does not exist: without it the scale of the adapter beside it is not known.");
        if (new FileInfo(file).Length > 4 << 20) throw new ModelException($"{file} is larger than 4 MiB, too large for an adapter's configuration.");
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(file));
            return ReadFile(PeftWeights(folder)!, reading, PeftConfig.Read(json.RootElement, file));
        }
        catch (JsonException e)
        {
            throw new ModelException($"{file} is not valid JSON: {e.Message}", e);
        }
    }

    private static (string, string) Place(LoraKey key, LoraReading reading)
    {
        var component = key.Component ?? reading.Component ?? Guess(key.Path);
        return (component, component.StartsWith("text_encoder", StringComparison.Ordinal) ? LoraPaths.OfTextEncoder(key.Path) : key.Path);
    }

    private static string Guess(string path) => path switch
    {
        _ when path.StartsWith("down_blocks.", StringComparison.Ordinal) || path.StartsWith("up_blocks.", StringComparison.Ordinal) || path.StartsWith("mid_block.", StringComparison.Ordinal) => "unet",
        _ when path.StartsWith("text_model.", StringComparison.Ordinal) => "text_encoder",
        _ => "model",
    };

    private static void CheckNames(WeightSource source, Dictionary<(string Component, string Path), Dictionary<LoraPart, Weight>> found, List<string> unknown, LoraReading reading)
    {
        if (found.Count == 0) throw new ModelException($"{source.Path} holds no LoRA: none of its {source.Names.Count} tensors has such a name, the first is '{(source.Names.Count > 0 ? source.Names[0] : "")}'.");
        if (found.Count > MaximumModules) throw new ModelException($"{source.Path} has {found.Count} modules; at most {MaximumModules} are read.");
        if (unknown.Count > 0 && !reading.AllowUnknown)
            throw new ModelException($"{source.Path} has {unknown.Count} tensors that are no part of a LoRA, the first: {string.Join(", ", unknown.Take(3).Select(n => $"'{n}'"))}; adapters of other kinds (DoRA, LoHa, LoKr, biases, embeddings) are not read.");
        foreach (var ((component, path), parts) in found)
        {
            var lacking = !parts.ContainsKey(LoraPart.Down) ? "down" : !parts.ContainsKey(LoraPart.Up) ? "up" : null;
            if (lacking is not null) throw new ModelException($"{source.Path} lacks the {lacking} matrix of {component}'s '{path}': the file is not complete.");
        }
    }

    private static Dictionary<string, PeftConfig> HeaderConfigs(WeightSource source, IEnumerable<string> components)
    {
        var configs = new Dictionary<string, PeftConfig>(StringComparer.Ordinal);
        if (!source.Metadata.TryGetValue(AdapterMetadata, out var text)) return configs;
        try
        {
            using var json = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = 16 });
            foreach (var component in components)
                if (json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty($"{component}.lora_alpha", out _))
                    configs[component] = PeftConfig.Read(json.RootElement, $"{source.Path}: {AdapterMetadata}", component + ".");
            return configs;
        }
        catch (JsonException e)
        {
            throw new ModelException($"{source.Path}: its {AdapterMetadata} is not valid JSON: {e.Message}", e);
        }
    }

    private static LoraModule ReadModule(string file, string component, string path, Dictionary<LoraPart, Weight> parts, PeftConfig? config)
    {
        var (down, up) = (parts[LoraPart.Down], parts[LoraPart.Up]);
        LoraModule.CheckPair(path, [.. down.Shape], [.. up.Shape]);
        var rank = (int)down.Shape[0];
        var alpha = parts.TryGetValue(LoraPart.Alpha, out var scalar) ? Alpha(file, scalar) : config?.AlphaOf(path, rank) ?? rank;
        using var off = Autograd.NoGrad();
        using var scope = new Scope();
        return new(component, path, Numbers(file, down), Numbers(file, up), alpha) { Dropout = config?.Dropout ?? 0 };
    }

    private static double Alpha(string file, Weight scalar)
    {
        if (scalar.Count != 1) throw new ModelException($"{file}: '{scalar.Name}' of shape {Weight.Describe(scalar.Shape)} has to be a single number.");
        using var scope = new Scope();
        return scalar.ToTensor().To(DType.Float64).Reshape([]).Item();
    }

    private static Tensor Numbers(string file, Weight weight)
    {
        if (!DTypes.IsFloat(weight.DType)) throw new ModelException($"{file}: '{weight.Name}' has element type {ElementTypes.NameOf(weight.DType)}; matrices of an adapter are floating point numbers.");
        var x = weight.ToTensor().To(DType.Float32).Clone();
        if (x.Isfinite().All().Item() == 0) throw new ModelException($"{file}: '{weight.Name}' holds NaN or infinity: the training that made it broke, so use an earlier checkpoint.");
        return x;
    }
}
