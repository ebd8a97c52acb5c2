using System.Buffers.Binary;
using System.Text.Json;
using LoraFactory.Models.Lora;
using LoraFactory.Models.Weights;
using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Models.Parity;

/// <summary>
/// Adapter files of a Stable Diffusion pipeline in all spellings: what they make the models draw, what is written, hashes, and what the web UI derives;
/// and an adapter merged into the pipeline.
/// </summary>
public sealed class LoraFilesGolden : IGoldenCheck
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Kinds => ["lora-formats", "merge-unet"];

    /// <inheritdoc/>
    public void Run(GoldenCase @case, Findings found)
    {
        var folder = @case.Path(@case.Json.GetProperty("model").GetString()!);
        using var text = ClipTextModel.Load(Path.Combine(folder, "text_encoder"));
        using var unet = UNet.Load(Path.Combine(folder, "unet"));
        using var off = Autograd.NoGrad();
        var pipeline = new Pipeline(text, unet, @case, found);
        if (@case.Kind == "merge-unet") Merge(pipeline);
        else Formats(pipeline);
    }

    private static void Merge(Pipeline p)
    {
        using var adapter = LoraFile.Read(p.Case.Path(p.Case.Json.GetProperty("lora").GetString()!));
        LoraMathGolden.MergedWeights(p.Case, p.Found, adapter, name => p.UNet.Store.Find(name)?.Value ?? p.Text.Store.Find(name)?.Value);
        p.With(adapter, 1, "unmerged", "out", p.Case.Tolerance("outputs"));
        p.Merged(adapter, "merged", "out", p.Case.Tolerance("outputs"));
    }

    private static void Formats(Pipeline p)
    {
        var tolerance = p.Case.Tolerance();
        p.Compare("base", "out.base", tolerance);
        var expected = p.Case.Json.GetProperty("expected");
        foreach (var stem in expected.GetProperty("out.lora").EnumerateArray().Select(s => s.GetString()!))
        {
            using var adapter = LoraFile.Read(p.File(stem));
            p.With(adapter, 1, stem, "out.lora", tolerance);
            p.With(adapter, 0.5, stem + " at 0.5", "out.half", tolerance);
            p.Merged(adapter, stem + " merged", "out.lora", tolerance);
        }
        // a file of mixed spellings is read whole here
        foreach (var (stem, output) in new[] { ("kohya-fp16", "out.kohya_fp16"), ("diffusers-converter-attention-only", "out.attention_only"), ("diffusers-converter-mixed", "out.lora") })
        {
            if (!Path.Exists(p.File(stem))) continue;
            using var adapter = LoraFile.Read(p.File(stem));
            p.With(adapter, 1, stem, output, tolerance);
        }
        if (p.Case.Has("out.no_alpha.unet"))
        {
            using var adapter = LoraFile.Read(p.File("diffusers-metadata"), new() { IgnoreAdapterMetadata = true });
            p.With(adapter, 1, "diffusers-metadata without its header", "out.no_alpha", tolerance);
        }
        p.Compare("base again", "out.base", tolerance);
        foreach (var name in p.Case.Names("out.mixed_as_diffusers_reads_it")) p.Found.NotCovered.Add($"{name} (another loader's fault)");
        PerRow(p);
        Writing(p);
        Hashes(p);
        WebUi(p);
    }

    // Served: the first row with the adapter, the second at half strength, further ones without.
    private static void PerRow(Pipeline p)
    {
        using var set = new AdapterSet(new Dictionary<string, ParameterStore> { ["text_encoder"] = p.Text.Store, ["unet"] = p.UNet.Store });
        set.Load("golden", p.File("kohya"));
        var (ids, sample, timesteps) = (p.Case.Tensor("in.input_ids"), p.Case.Tensor("in.sample"), p.Case.Tensor("in.timesteps"));
        Dictionary<string, double>[] rows = [.. Enumerable.Range(0, (int)ids.Size(0)).Select(i => i > 1 ? [] : new Dictionary<string, double> { ["golden"] = i == 0 ? 1 : 0.5 })];
        Tensor states, noise;
        using (set.Use("text_encoder", rows)) states = p.Text.Text.Forward(ids).LastHiddenState;
        using (set.Use("unet", rows, repeats: 2)) noise = p.UNet.Forward(Ops.Cat([sample, sample]), Ops.Cat([timesteps, timesteps]), Ops.Cat([states, states]));
        for (var row = 0; row < rows.Length; row++)
        {
            var output = row switch { 0 => "out.lora", 1 => "out.half", _ => "out.base" };
            p.Found.Close($"served row {row}: {output}.text", states.Select(0, row), p.Case.Tensor(output + ".text").Select(0, row), p.Case.Tolerance());
            foreach (var repeat in new[] { row, row + rows.Length })
                p.Found.Close($"served row {repeat}: {output}.unet", noise.Select(0, repeat), p.Case.Tensor(output + ".unet").Select(0, row), p.Case.Tolerance());
        }
    }

    // Written in each spelling, the adapter has the reference files' names and draws the same.
    private static void Writing(Pipeline p)
    {
        var folder = Directory.CreateTempSubdirectory("lora-formats-").FullName;
        try
        {
            using var adapter = LoraFile.Read(p.File("kohya"));
            var family = LoraMetadata.FamilyOf(adapter.Metadata);
            foreach (var (stem, writing) in new (string, LoraWriting)[]
            {
                ("kohya", new() { Family = family }), ("diffusers-folded", new() { Naming = LoraNaming.Diffusers }),
                ("diffusers-metadata", new() { Naming = LoraNaming.Diffusers, AdapterMetadata = true }), ("peft", new() { Naming = LoraNaming.Peft }),
            })
            {
                var path = Path.Combine(folder, writing.Naming == LoraNaming.Peft ? stem : stem + ".safetensors");
                foreach (var file in LoraWriter.Write(adapter, path, writing).Where(f => f.EndsWith(".safetensors", StringComparison.Ordinal)))
                {
                    var reference = writing.Naming == LoraNaming.Peft ? Path.Combine(p.File(stem), Path.GetRelativePath(path, file)) : FileOf(p.File(stem));
                    p.Found.Same($"{stem} names written", Names(file), Names(reference));
                }
                using var again = LoraFile.Read(path);
                p.With(again, 1, stem + " written and read", "out.lora", p.Case.Tolerance());
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void Hashes(Pipeline p)
    {
        var hashes = p.Case.Json.GetProperty("hashes");
        using var adapter = LoraFile.Read(p.File("kohya"));
        var weights = LoraWriter.Weights(adapter.Modules, new() { Family = LoraMetadata.FamilyOf(adapter.Metadata) });
        var made = SafetensorsWriter.Hashes(weights, adapter.Metadata);
        p.Found.Equal("sshs_model_hash", made.Model, hashes.GetProperty("sshs_model_hash").GetString());
        p.Found.Equal("sshs_legacy_hash", made.Legacy, hashes.GetProperty("sshs_legacy_hash").GetString());
        p.Found.Equal("header_length_of_the_hashed_file", HeaderLength(weights, adapter.Metadata), hashes.GetProperty("header_length_of_the_hashed_file").GetInt64());
        if (hashes.GetProperty("fp16_sshs_model_hash").GetString() is { } half)
            p.Found.Equal("fp16_sshs_model_hash", SafetensorsWriter.Hashes(LoraWriter.Weights(adapter.Modules, new() { DType = DType.Float16, Family = LoraMetadata.FamilyOf(adapter.Metadata) }), adapter.Metadata).Model, half);
        string[] order = [.. p.Case.Json.GetProperty("tensor_order_in_file").EnumerateArray().Select(n => n.GetString()!)];
        var gap = Array.IndexOf(order, "...");
        string[] names = [.. SafetensorsWriter.InFileOrder(weights).Select(w => w.Name)];
        p.Found.Same("tensor_order_in_file", gap < 0 ? names : [.. names.Take(gap), "...", .. names.TakeLast(order.Length - gap - 1)], order);
        if (hashes.GetProperty("big_file_recipe") is { ValueKind: JsonValueKind.Object } recipe) BigFile(p.Found, recipe);
    }

    // A file longer than the window of the legacy hash, built from its description.
    private static void BigFile(Findings found, JsonElement recipe)
    {
        if (!recipe.GetProperty("tensors").TryGetProperty("lora_unet_b.lora_down.weight", out var described) || !described.GetString()!.Contains("float32(i mod 1000) * float32(0.001)", StringComparison.Ordinal))
        {
            found.NotCovered.Add("hashes.big_file_recipe (another recipe)");
            return;
        }
        var count = long.Parse(described.GetString()!.Split('[', ']')[1], System.Globalization.CultureInfo.InvariantCulture);
        var ramp = Tensor.From([.. Enumerable.Range(0, (int)count).Select(i => i % 1000 * 0.001f)], count);
        WeightToWrite[] weights =
        [
            ramp.ToWrite("lora_unet_b.lora_down.weight"), Ops.Arange(7L, dtype: DType.Float16).ToWrite("lora_unet_a.lora_up.weight"),
            Ops.ScalarTensor(4.0, dtype: DType.Float32).ToWrite("lora_unet_a.alpha"),
        ];
        var metadata = recipe.GetProperty("metadata").EnumerateObject().ToDictionary(m => m.Name, m => m.Value.GetString()!);
        var made = SafetensorsWriter.Hashes(weights, metadata);
        found.Equal("big file: sshs_model_hash", made.Model, recipe.GetProperty("sshs_model_hash").GetString());
        found.Equal("big file: sshs_legacy_hash", made.Legacy, recipe.GetProperty("sshs_legacy_hash").GetString());
        found.Equal("big file: header_length", HeaderLength(weights, metadata), recipe.GetProperty("header_length").GetInt64());
    }

    private static long HeaderLength(IEnumerable<WeightToWrite> weights, IReadOnlyDictionary<string, string> metadata)
    {
        using var stream = new MemoryStream();
        SafetensorsWriter.Write(stream, weights, metadata.Where(m => m.Key.StartsWith("ss_", StringComparison.Ordinal)).ToDictionary());
        return (long)BinaryPrimitives.ReadUInt64LittleEndian(stream.GetBuffer());
    }

    private static void WebUi(Pipeline p)
    {
        if (!System.IO.File.Exists(p.Case.Path("a1111.json"))) return;
        using var json = JsonDocument.Parse(System.IO.File.ReadAllBytes(p.Case.Path("a1111.json")));
        var facts = json.RootElement;
        using var adapter = LoraFile.Read(p.File("kohya"));
        var hash = SafetensorsWriter.Hashes(LoraWriter.Weights(adapter.Modules, new() { Family = LoraMetadata.FamilyOf(adapter.Metadata) }), adapter.Metadata).Model;
        p.Found.Equal("a1111.alias", adapter.Metadata.GetValueOrDefault("ss_output_name"), facts.GetProperty("alias").GetString());
        p.Found.Equal("a1111.hash", hash, facts.GetProperty("hash").GetString());
        p.Found.Equal("a1111.shorthash", hash[..12], facts.GetProperty("shorthash").GetString());
        p.Found.Equal("a1111.version_label", LoraMetadata.VersionLabel(adapter.Metadata), facts.GetProperty("version_label").GetString());
        var layers = facts.GetProperty("layers");
        var family = LoraMetadata.FamilyOf(adapter.Metadata);
        p.Found.Equal("a1111.layers", adapter.Modules.Count, layers.EnumerateObject().Count());
        foreach (var module in adapter.Modules)
        {
            var name = LoraKeys.KohyaModule(module.Component, module.Path, family);
            if (!layers.TryGetProperty(name, out var layer))
            {
                p.Found.Miss("a1111.layers", $"the reference has no {name}");
                continue;
            }
            p.Found.Equal($"a1111.{name}.layer", LoraKeys.WebUiLayer(module.Component, module.Path, family), layer.GetProperty("layer").GetString());
            p.Found.Equal($"a1111.{name}.rank", module.Rank, layer.GetProperty("rank").GetInt32());
            p.Found.Equal($"a1111.{name}.alpha", module.Alpha, layer.GetProperty("alpha").GetDouble());
            p.Found.Equal($"a1111.{name}.scale", module.Scale, layer.GetProperty("scale").GetDouble());
        }
    }

    private static string FileOf(string path) => Directory.Exists(path) ? Path.Combine(path, "pytorch_lora_weights.safetensors") : path;

    private static List<string> Names(string file)
    {
        using var source = WeightSource.Open(file);
        return [.. source.Names.Order(StringComparer.Ordinal)];
    }

    /// <summary>The case's text encoder and UNet on its inputs.</summary>
    private sealed record Pipeline(ClipTextModel Text, UNet UNet, GoldenCase Case, Findings Found)
    {
        public string File(string stem) => System.IO.File.Exists(Case.Path(stem + ".safetensors")) ? Case.Path(stem + ".safetensors") : Case.Path(stem);

        public void With(LoraAdapter adapter, double strength, string name, string output, Tolerance tolerance)
        {
            adapter.Strength = strength;
            adapter.Attach("text_encoder", Text.Store);
            adapter.Attach("unet", UNet.Store);
            Compare(name, output, tolerance);
            adapter.Detach();
        }

        public void Merged(LoraAdapter adapter, string name, string output, Tolerance tolerance)
        {
            using var text = LoraMerge.Apply("text_encoder", Text.Store, (adapter, 1));
            using var unet = LoraMerge.Apply("unet", UNet.Store, (adapter, 1));
            Found.Equal(name + " weights", text.Count + unet.Count, adapter.Modules.Count);
            Compare(name, output, tolerance);
        }

        public void Compare(string name, string output, Tolerance tolerance)
        {
            using var scope = new Scope();
            var states = Text.Text.Forward(Case.Tensor("in.input_ids")).LastHiddenState;
            if (Case.Has(output + ".text")) Found.Close($"{name}: {output}.text", states, Case.Tensor(output + ".text"), tolerance);
            if (Case.Has(output + ".unet")) Found.Close($"{name}: {output}.unet", UNet.Forward(Case.Tensor("in.sample"), Case.Tensor("in.timesteps"), states), Case.Tensor(output + ".unet"), tolerance);
        }
    }
}
