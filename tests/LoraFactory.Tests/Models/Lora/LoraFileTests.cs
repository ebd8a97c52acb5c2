using LoraFactory.Models;
using LoraFactory.Models.Lora;
using LoraFactory.Models.Weights;
using LoraFactory.Tests.Torch;
using LoraFactory.Torch;

namespace LoraFactory.Tests.Models.Lora;

[Collection("torch")]
public sealed class LoraFileTests : IDisposable
{
    private const string Query = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q";
    private const string Path4 = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q";
    private readonly string folder = TestData.NewFolder();

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string At(string name) => Path.Combine(folder, name);

    private string Save(string name, Dictionary<string, string>? metadata, params (string Name, Tensor Values)[] tensors)
    {
        SafetensorsWriter.Write(At(name), tensors.Select(t => t.Values.ToWrite(t.Name)), metadata);
        return At(name);
    }

    private static Tensor Numbers(params long[] shape) => SmallModel.Seeded(shape.Sum() + 1, shape);

    private static LoraAdapter Sample() => new(
    [
        new("unet", Path4, Numbers(2, 6), Numbers(8, 2), 1),
        new("unet", "down_blocks.1.resnets.0.conv2", Numbers(3, 4, 3, 3), Numbers(5, 3, 1, 1), 1.5),
        new("text_encoder", "text_model.encoder.layers.0.mlp.fc1", Numbers(2, 4), Numbers(7, 2), 4),
    ]);

    private static void AssertSame(LoraAdapter expected, LoraAdapter actual, double bound = 1e-6)
    {
        var pairs = expected.Modules.OrderBy(m => m.Path).Zip(actual.Modules.OrderBy(m => m.Path)).ToList();
        Assert.Equal(expected.Modules.Count, actual.Modules.Count);
        foreach (var (a, b) in pairs)
        {
            Assert.Equal((a.Component, a.Path, a.Rank), (b.Component, b.Path, b.Rank));
            Assert.InRange((a.Delta() - b.Delta()).Abs().Max().Item(), 0, bound);
        }
    }

    [Theory]
    [InlineData(LoraNaming.Kohya, ModelFamily.Sd1, false)]
    [InlineData(LoraNaming.Kohya, ModelFamily.Sdxl, false)]
    [InlineData(LoraNaming.Diffusers, ModelFamily.Sd1, false)]
    [InlineData(LoraNaming.Diffusers, ModelFamily.Sd1, true)]
    [InlineData(LoraNaming.Peft, ModelFamily.Sd1, false)]
    public void Every_spelling_gives_back_what_was_written(LoraNaming naming, ModelFamily family, bool metadata) => OnTensorThread.Run(() =>
    {
        using var adapter = Sample();
        var writing = new LoraWriting { Naming = naming, Family = family, AdapterMetadata = metadata };
        LoraWriter.Write(adapter, At("x.safetensors"), writing);
        using var again = LoraFile.Read(At("x.safetensors"));
        AssertSame(adapter, again);
        if (naming == LoraNaming.Kohya || metadata) Assert.Equal(adapter.Modules.Select(m => m.Alpha).Order(), again.Modules.Select(m => m.Alpha).Order());
        LoraWriter.Write(adapter, At("half.safetensors"), writing with { DType = DType.Float16 });
        using var half = LoraFile.Read(At("half.safetensors"));
        AssertSame(adapter, half, 0.05);
    });

    [Fact]
    public void Kohya_files_carry_metadata_and_hashes_of_their_own_bytes() => OnTensorThread.Run(() =>
    {
        using var adapter = Sample();
        var facts = new LoraFacts
        {
            Name = "größe", Rank = 2, Alpha = 1, Conv = (3, 1.5), Resolution = (64, 64), Steps = 10, MaximumSteps = 20, UNetRate = 1e-5, MinSnrGamma = 5, Trigger = "xyz style",
            Times = (DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddSeconds(1.5)), Tags = new Dictionary<string, int> { ["a cat"] = 2 },
        };
        LoraWriter.Write(adapter, At("k.safetensors"), new() { Metadata = LoraMetadata.Of(facts) });
        using var file = SafetensorsFile.Open(At("k.safetensors"));
        Assert.Equal("größe", file.Metadata["ss_output_name"]);
        Assert.Equal("1e-05", file.Metadata["ss_unet_lr"]);
        Assert.Equal("1.0", file.Metadata["ss_network_alpha"]);
        Assert.Equal("{\"größe\":{\"a cat\":2}}", file.Metadata["ss_tag_frequency"]);
        Assert.Equal("1970-01-01T00:00:01", file.Metadata["modelspec.date"]);
        Assert.Equal("stable-diffusion-v1/lora", file.Metadata["modelspec.architecture"]);
        var bytes = File.ReadAllBytes(At("k.safetensors"));
        Assert.Equal(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes.AsSpan((int)file.DataStart))), file.Metadata["sshs_model_hash"]);
        Assert.Equal("e3b0c442", file.Metadata["sshs_legacy_hash"]);
        Assert.Empty(file[$"{Query}.alpha"].Shape);
        Assert.Equal("SD1", LoraMetadata.VersionLabel(file.Metadata));
        LoraWriter.Write(adapter, At("again.safetensors"), new() { Metadata = LoraMetadata.Of(facts) });
        Assert.Equal(bytes, File.ReadAllBytes(At("again.safetensors")));
    });

    [Fact]
    public void Names_are_read_one_by_one_in_whatever_spelling() => OnTensorThread.Run(() =>
    {
        var file = Save("mixed.safetensors", null,
            ("unet.mid_block.attentions.0.transformer_blocks.0.attn1.processor.to_out_lora.down.weight", Numbers(2, 6)),
            ("unet.mid_block.attentions.0.transformer_blocks.0.attn1.processor.to_out_lora.up.weight", Numbers(8, 2)),
            ("text_encoder.encoder.layers.0.mlp.fc1.lora_A.default.weight", Numbers(2, 6)), ("text_encoder.encoder.layers.0.mlp.fc1.lora_B.default.weight", Numbers(8, 2)),
            ("lora_unet_input_blocks_5_1_proj_in.lora_down.weight", Numbers(2, 6)), ("lora_unet_input_blocks_5_1_proj_in.lora_up.weight", Numbers(8, 2)),
            ("lora_unet_input_blocks_5_1_proj_in.alpha", Tensor.From([4f], 1)));
        using var adapter = LoraFile.Read(file);
        Assert.Equal(
            ["down_blocks.1.attentions.1.proj_in", "mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0", "text_model.encoder.layers.0.mlp.fc1"],
            adapter.Modules.Select(m => m.Path).Order(StringComparer.Ordinal));
        Assert.Equal([1.0, 1.0, 2.0], adapter.Modules.Select(m => m.Scale).Order());
    });

    [Fact]
    public void What_is_not_understood_is_refused_by_name_or_listed() => OnTensorThread.Run(() =>
    {
        var file = Save("dora.safetensors", null, ($"{Query}.lora_down.weight", Numbers(2, 6)), ($"{Query}.lora_up.weight", Numbers(8, 2)), ($"{Query}.dora_scale", Numbers(8, 1)));
        Assert.Contains($"'{Query}.dora_scale'", Refused(file), StringComparison.Ordinal);
        using var adapter = LoraFile.Read(file, new() { AllowUnknown = true });
        Assert.Equal([$"{Query}.dora_scale"], adapter.UnknownKeys);
    });

    [Fact]
    public void Hostile_files_are_refused_with_one_sentence() => OnTensorThread.Run(() =>
    {
        (string, Tensor) Down(params long[] s) => ($"{Query}.lora_down.weight", Numbers(s));
        (string, Tensor) Up(params long[] s) => ($"{Query}.lora_up.weight", Numbers(s));
        Assert.Contains("lacks the up", Refused(Save("a", null, Down(2, 6))), StringComparison.Ordinal);
        Assert.Contains("no pair", Refused(Save("b", null, Down(2, 6), Up(8, 3))), StringComparison.Ordinal);
        Assert.Contains("no pair", Refused(Save("c", null, Down(2, 6), Up(8, 2, 1, 1))), StringComparison.Ordinal);
        Assert.Contains("rank 5000", Refused(Save("d", null, Down(5000, 1), Up(1, 5000))), StringComparison.Ordinal);
        Assert.Contains("NaN", Refused(Save("e", null, ($"{Query}.lora_down.weight", Ops.Full([2, 6], double.NaN, dtype: DType.Float32)), Up(8, 2))), StringComparison.Ordinal);
        Assert.Contains("floating point", Refused(Save("f", null, ($"{Query}.lora_down.weight", Ops.Ones([2, 6], dtype: DType.Int64)), Up(8, 2))), StringComparison.Ordinal);
        Assert.Contains("single number", Refused(Save("g", null, Down(2, 6), Up(8, 2), ($"{Query}.alpha", Numbers(2)))), StringComparison.Ordinal);
        Assert.Contains("two spellings", Refused(Save("h", null, Down(2, 6), Up(8, 2), ($"unet.{Path4}.lora.down.weight", Numbers(2, 6)))), StringComparison.Ordinal);
        Assert.Contains("no LoRA", Refused(Save("i", null, ("conv_in.weight", Numbers(2, 6)))), StringComparison.Ordinal);
        Assert.Contains("more than the 10", Assert.Throws<ModelException>(() => LoraFile.Read(At("i"), new() { MaximumBytes = 10 })).Message, StringComparison.Ordinal);
        Assert.Contains("not valid JSON", Refused(Save("j", new() { ["lora_adapter_metadata"] = "{" }, Down(2, 6), Up(8, 2))), StringComparison.Ordinal);
        Assert.Contains("does not exist", Refused(At("nothing")), StringComparison.Ordinal);
        Assert.Contains("no adapter", Refused(folder), StringComparison.Ordinal);
    });

    [Fact]
    public void A_damaged_file_is_refused_or_read_but_never_breaks_anything_else() => OnTensorThread.Run(() =>
    {
        var good = File.ReadAllBytes(TestData.Golden("lora/formats/four-files-per-module/kohya.safetensors"));
        var random = new Random(7);
        var (refused, read) = (0, 0);
        for (var round = 0; round < 300; round++)
        {
            var bytes = (byte[])good.Clone();
            // the header is where damage matters; a tenth of the rounds cuts the file short
            for (var hits = random.Next(1, 4); hits > 0; hits--) bytes[random.Next(90_000)] = (byte)random.Next(256);
            File.WriteAllBytes(At("damaged.safetensors"), round % 10 == 0 ? bytes[..random.Next(bytes.Length)] : bytes);
            try
            {
                LoraFile.Read(At("damaged.safetensors")).Dispose();
                read++;
            }
            catch (ModelException)
            {
                refused++;
            }
        }
        Assert.True(refused > 100 && read > 0, $"{refused} refused, {read} read");
    });

    [Theory]
    [InlineData("unet", "down_blocks.0.attentions.1.proj_in", ModelFamily.Sd1, "diffusion_model_input_blocks_2_1_proj_in")]
    [InlineData("unet", "up_blocks.0.upsamplers.0.conv", ModelFamily.Sd1, "diffusion_model_output_blocks_2_1_conv")]
    [InlineData("unet", "up_blocks.0.upsamplers.0.conv", ModelFamily.Sdxl, "diffusion_model_output_blocks_2_2_conv")]
    [InlineData("unet", "mid_block.resnets.1.time_emb_proj", ModelFamily.Sd1, "diffusion_model_middle_block_2_emb_layers_1")]
    [InlineData("text_encoder", "text_model.encoder.layers.3.mlp.fc1", ModelFamily.Sd1, "transformer_text_model_encoder_layers_3_mlp_fc1")]
    [InlineData("text_encoder", "text_model.encoder.layers.3.mlp.fc1", ModelFamily.Sd2, "model_transformer_resblocks_3_mlp_c_fc")]
    [InlineData("text_encoder_2", "text_model.encoder.layers.3.self_attn.out_proj", ModelFamily.Sdxl, "1_model_transformer_resblocks_3_attn_out_proj")]
    public void The_web_ui_finds_the_layer_by_the_original_name(string component, string path, ModelFamily family, string layer)
    {
        Assert.Equal(layer, LoraKeys.WebUiLayer(component, path, family));
        Assert.Equal(path, component == "unet" ? LoraPaths.FromOriginal(LoraPaths.ToOriginal(path, family)) : path);
    }

    [Theory]
    [InlineData("""{"peft_type": "LORA", "r": 2, "lora_alpha": 6, "use_rslora": true}""", null)]
    [InlineData("""{"peft_type": "LOHA"}""", "LOHA")]
    [InlineData("""{"use_dora": true}""", "use_dora")]
    [InlineData("""{"init_lora_weights": "pissa"}""", "pissa")]
    [InlineData("""{"lora_alpha": "six"}""", "lora_alpha")]
    [InlineData("""{"alpha_pattern": {"(": 1}, "lora_alpha": 1}""", "regular expression")]
    public void A_peft_folder_means_what_its_configuration_says(string json, string? refusal) => OnTensorThread.Run(() =>
    {
        File.WriteAllText(At("adapter_config.json"), json);
        Save("adapter_model.safetensors", null, ($"base_model.model.{Path4}.lora_A.weight", Numbers(2, 6)), ($"base_model.model.{Path4}.lora_B.weight", Numbers(8, 2)));
        if (refusal is not null)
        {
            Assert.Contains(refusal, Refused(folder), StringComparison.Ordinal);
            return;
        }
        using var adapter = LoraFile.Read(folder);
        var module = Assert.Single(adapter.Modules);
        Assert.Equal(("unet", Path4), (module.Component, module.Path));
        Assert.Equal(6 / Math.Sqrt(2), module.Scale, 1e-12);
    });

    [Fact]
    public void A_number_that_float16_cannot_hold_is_not_written() => OnTensorThread.Run(() =>
    {
        using var adapter = new LoraAdapter([new("unet", Path4, Ops.Full([2, 6], 1e6, dtype: DType.Float32), Numbers(8, 2), 2)]);
        Assert.Throws<ModelException>(() => LoraWriter.Write(adapter, At("x.safetensors"), new() { DType = DType.Float16 }));
        Assert.Empty(Directory.GetFileSystemEntries(folder));
    });

    [Fact]
    public void A_peft_folder_that_cannot_be_written_is_refused_in_a_sentence_and_left_as_it_was() => OnTensorThread.Run(() =>
    {
        using var adapter = new LoraAdapter([new("unet", Path4, Numbers(2, 6), Numbers(8, 2), 2)]);
        // another process's temporary file is nobody's business
        Directory.CreateDirectory(At("adapter_config.json.tmp"));
        LoraWriter.Write(adapter, folder, new() { Naming = LoraNaming.Peft });
        var before = Directory.GetFiles(folder).Order().ToArray();
        Assert.Equal(2, before.Length);
        File.WriteAllText(At("taken"), "");
        var e = Assert.Throws<ModelException>(() => LoraWriter.Write(adapter, At("taken"), new() { Naming = LoraNaming.Peft }));
        Assert.Contains("could not be written", e.Message, StringComparison.Ordinal);
        File.Delete(At("adapter_config.json"));
        Directory.CreateDirectory(At("adapter_config.json"));
        Assert.Throws<ModelException>(() => LoraWriter.Write(adapter, folder, new() { Naming = LoraNaming.Peft }));
        Assert.Empty(Directory.GetFiles(folder, ".*.tmp"));
    });

    private static string Refused(string file)
    {
        var before = Tensor.LiveCount;
        var message = Assert.Throws<ModelException>(() => LoraFile.Read(file).Dispose()).Message;
        Assert.Equal(before, Tensor.LiveCount);
        return message;
    }
}
