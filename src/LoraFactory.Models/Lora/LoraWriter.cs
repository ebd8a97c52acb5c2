using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using LoraFactory.Models.Weights;
using LoraFactory.Torch;

namespace LoraFactory.Models.Lora;

/// <summary>How an adapter is written.</summary>
public sealed record LoraWriting
{
    /// <summary>Spelling; one throughout the file.</summary>
    public LoraNaming Naming { get; init; } = LoraNaming.Kohya;
    /// <summary>Float32 (default), Float16 or BFloat16; kohya's alpha too.</summary>
    public DType DType { get; init; } = DType.Float32;
    /// <summary>Family of the base, for kohya's names.</summary>
    public ModelFamily Family { get; init; } = ModelFamily.Sd1;
    /// <summary>
    /// diffusers: state ranks and alphas in the header (lora_adapter_metadata) instead of folding alpha / rank into up. Loaders older than it then
    /// take alpha = rank, so folding is the default.
    /// </summary>
    public bool AdapterMetadata { get; init; }
    /// <summary>Text for the header: ss_* and modelspec.*, see <see cref="LoraMetadata"/>. The hashes are added. Empty: the adapter's own.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; init; } = new Dictionary<string, string>();
    /// <summary>PEFT: base_model_name_or_path.</summary>
    public string? BaseModel { get; init; }
}

/// <summary>Writes adapters so that other tools read them as they are meant.</summary>
public static class LoraWriter
{
    // the header is text within JSON: anything but quotes may stay as it is
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>
    /// Writes kohya's or diffusers' file at <paramref name="path"/>; for PEFT a folder there, with a folder for each component where there are
    /// several. Files are written aside and renamed. Returns the files written.
    /// </summary>
    public static IReadOnlyList<string> Write(LoraAdapter adapter, string path, LoraWriting? writing = null)
    {
        writing ??= new();
        if (adapter.Modules.Count == 0) throw new ModelException($"{path} is not written: the adapter has no modules.");
        if (writing.DType is not (DType.Float32 or DType.Float16 or DType.BFloat16)) throw new ModelException($"An adapter is written as float32, float16 or bfloat16, not {writing.DType}.");
        if (writing.Naming == LoraNaming.Peft) return WritePeft(adapter, path, writing);
        using var off = Autograd.NoGrad();
        using var scope = new Scope();
        var weights = Weights(adapter.Modules, writing);
        SafetensorsWriter.Write(path, weights, writing.Naming == LoraNaming.Kohya ? KohyaHeader(adapter, weights, writing) : DiffusersHeader(adapter, writing));
        return [path];
    }

    /// <summary>Names, dtypes and values of an adapter's tensors as a file of this spelling has them. They live in the current scope.</summary>
    public static IReadOnlyList<WeightToWrite> Weights(IEnumerable<LoraModule> modules, LoraWriting writing)
    {
        var weights = new List<WeightToWrite>();
        var fold = writing.Naming == LoraNaming.Diffusers && !writing.AdapterMetadata;
        foreach (var module in modules)
        {
            string Name(LoraPart part) => LoraKeys.Name(writing.Naming, module.Component, module.Path, part, writing.Family);
            void Add(LoraPart part, Tensor values)
            {
                var rounded = values.To(writing.DType);
                if (rounded.Isfinite().All().Item() == 0)
                    throw new ModelException($"The adapter's '{module.Path}' holds NaN, infinity, or a number too large for {writing.DType}; nothing was written.");
                weights.Add(rounded.ToWrite(Name(part)));
            }
            Add(LoraPart.Down, module.Down.Detach());
            Add(LoraPart.Up, fold ? module.Up.Detach().To(DType.Float32).Mul(module.Scale) : module.Up.Detach());
            if (writing.Naming == LoraNaming.Kohya) Add(LoraPart.Alpha, Ops.ScalarTensor(module.Alpha, dtype: DType.Float32));
        }
        return weights;
    }

    private static Dictionary<string, string> KohyaHeader(LoraAdapter adapter, IReadOnlyList<WeightToWrite> weights, LoraWriting writing)
    {
        var metadata = Given(adapter, writing);
        var hashes = SafetensorsWriter.Hashes(weights, metadata);
        metadata["sshs_model_hash"] = hashes.Model;
        metadata["sshs_legacy_hash"] = hashes.Legacy;
        return metadata;
    }

    private static Dictionary<string, string> DiffusersHeader(LoraAdapter adapter, LoraWriting writing)
    {
        var metadata = Given(adapter, writing);
        metadata["format"] = "pt";
        if (!writing.AdapterMetadata) return metadata;
        var all = new JsonObject();
        foreach (var component in adapter.Modules.GroupBy(m => m.Component).OrderBy(g => g.Key, StringComparer.Ordinal))
            foreach (var (key, value) in PeftConfig.Of([.. component]).ToJson(component.Key + ".", writing.BaseModel)) all[key] = value?.DeepClone();
        metadata["lora_adapter_metadata"] = all.ToJsonString(Indented);
        return metadata;
    }

    // What describes one file's bytes or spelling does not carry over to another file.
    private static Dictionary<string, string> Given(LoraAdapter adapter, LoraWriting writing) =>
        (writing.Metadata.Count > 0 ? writing.Metadata : adapter.Metadata)
            .Where(p => p.Key is not ("sshs_model_hash" or "sshs_legacy_hash" or "lora_adapter_metadata" or "format"))
            .ToDictionary(p => p.Key, p => p.Value, StringComparer.Ordinal);

    private static List<string> WritePeft(LoraAdapter adapter, string folder, LoraWriting writing)
    {
        using var off = Autograd.NoGrad();
        var written = new List<string>();
        var asides = new List<AsideFile>();
        var components = adapter.Modules.GroupBy(m => m.Component).ToList();
        try
        {
            foreach (var component in components)
            {
                using var scope = new Scope();
                var place = components.Count == 1 ? folder : Path.Combine(folder, component.Key);
                var (file, config) = (Path.Combine(place, "adapter_model.safetensors"), Path.Combine(place, "adapter_config.json"));
                var text = PeftConfig.Of([.. component]).ToJson(baseModel: writing.BaseModel).ToJsonString(Indented) + "\n";
                var weights = Weights(component, writing);
                asides.Add(new(config, stream => stream.Write(Encoding.UTF8.GetBytes(text))));
                asides.Add(new(file, stream => SafetensorsWriter.Write(stream, weights, new Dictionary<string, string> { ["format"] = "pt" })));
                written.AddRange([file, config]);
            }
            // only when all are on the disk: old weights never stand beside a new configuration because there was no room
            foreach (var aside in asides) aside.Publish();
        }
        finally
        {
            foreach (var aside in asides) aside.Dispose();
        }
        return written;
    }
}
