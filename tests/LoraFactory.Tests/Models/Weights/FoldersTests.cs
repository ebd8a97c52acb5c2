using LoraFactory.Models;
using LoraFactory.Models.Lora;
using LoraFactory.Models.Weights;
using LoraFactory.Torch;
using Xunit;

namespace LoraFactory.Tests.Models.Weights;

public sealed class FoldersTests
{
    [Fact]
    public void A_pipeline_is_found_by_path_and_by_its_name_in_a_cache()
    {
        var pipeline = TestData.Golden("diffusion/pipeline-sdxl/model");
        Assert.True(DiffusersFolder.Open(pipeline).Has("text_encoder_2"));
        Assert.Equal("StableDiffusionXLPipeline", DiffusersFolder.Open(pipeline).Index.Text("_class_name"));
        var root = TestData.NewFolder();
        var snapshot = Directory.CreateDirectory(Path.Combine(root, "models--some-org--some.model", "snapshots", "0123abc")).FullName;
        File.Copy(Path.Combine(pipeline, "model_index.json"), Path.Combine(snapshot, "model_index.json"));
        var refs = Directory.CreateDirectory(Path.Combine(root, "models--some-org--some.model", "refs")).FullName;
        File.WriteAllText(Path.Combine(refs, "main"), "0123abc\n");
        var cache = new HuggingFaceCache(["/nowhere", root]);
        Assert.Equal(snapshot, cache.Find("some-org/some.model"));
        Assert.Equal(snapshot, cache.Find("some-org/some.model", "0123abc"));
        Assert.Equal(snapshot, DiffusersFolder.Open("some-org/some.model", cache).Path);
        Assert.Null(cache.Find("some-org/other"));
        Assert.Null(cache.Find("../../etc"));
        Assert.Null(cache.Find("some-org/some.model", "../snapshots/0123abc"));
        Assert.Contains("/nowhere", Assert.Throws<ModelException>(() => DiffusersFolder.Open("some-org/other", cache)).Message);
        Directory.Delete(root, recursive: true);
    }

    [Fact]
    public void Variants_shards_and_old_names_are_found()
    {
        var root = TestData.NewFolder();
        var vae = Path.Combine(root, "vae");
        File.WriteAllText(Path.Combine(root, "model_index.json"), "{}");
        const string old = "decoder.mid_block.attentions.0.";
        void Write(string file, params string[] names) => SafetensorsWriter.Write(Path.Combine(vae, file), names.Select(name => WeightToWrite.FromBytes(name, DType.UInt8, [2, 2, 1, 1], new byte[4])));
        Write("diffusion_pytorch_model.fp16.safetensors", old + "query.weight", old + "proj_attn.weight");
        var folder = DiffusersFolder.Open(root);
        using (var fp16 = folder.Weights("vae"))
        {
            Assert.Equal([old + "to_out.0.weight", old + "to_q.weight"], fp16.Names);
            Assert.Equal([2, 2], fp16[old + "to_q.weight"].Shape);
        }
        Assert.Contains("variant bf16", Assert.Throws<ModelException>(() => folder.Weights("vae", "bf16")).Message);
        Write("diffusion_pytorch_model.safetensors", "plain");
        using (var plain = folder.Weights("vae")) Assert.Equal(["plain"], plain.Names);
        using (var fp16 = folder.Weights("vae", "fp16")) Assert.Equal(2, fp16.Names.Count);
        Directory.Delete(root, recursive: true);
    }

    [Fact]
    public void Shards_of_torch_files_and_of_a_variant_are_found_by_every_loader()
    {
        var root = TestData.NewFolder();
        File.Copy(TestData.Golden("diffusion/ckpt/good.ckpt"), Path.Combine(root, "pytorch_model-00001-of-00001.bin"));
        using var whole = WeightSource.Open(Path.Combine(root, "pytorch_model-00001-of-00001.bin"));
        string Index(string file) => $"{{\"weight_map\": {{\"{whole.Names[0]}\": \"{file}\"}}}}";
        File.WriteAllText(Path.Combine(root, "pytorch_model.bin.index.json"), Index("pytorch_model-00001-of-00001.bin"));
        using (var shards = WeightFolder.Open(root)) Assert.Equal([whole.Names[0]], shards.Names);
        SafetensorsWriter.Write(Path.Combine(root, "model.fp16-00001-of-00001.safetensors"), [WeightToWrite.FromBytes(whole.Names[0], DType.UInt8, [1], new byte[1])]);
        foreach (var index in (string[])["model.safetensors.index.fp16.json", "model.fp16.safetensors.index.json"])
        {
            File.WriteAllText(Path.Combine(root, index), Index("model.fp16-00001-of-00001.safetensors"));
            using (var half = WeightSource.Open(root)) Assert.Equal(DType.UInt8, half[whole.Names[0]].DType);
            using (var half = WeightFolder.Open(root, "fp16")) Assert.Equal(DType.UInt8, half[whole.Names[0]].DType);
            File.Delete(Path.Combine(root, index));
        }
        Directory.Delete(root, recursive: true);
    }

    [Fact]
    public void A_text_encoder_without_the_long_names_gets_them()
    {
        using var text = DiffusersFolder.Open(TestData.Golden("diffusion/pipeline-sdxl/model")).Weights("text_encoder");
        Assert.All(text.Names, name => Assert.StartsWith("text_model.", name, StringComparison.Ordinal));
    }

    [Fact]
    public void The_shapes_of_a_single_file_tell_its_configuration()
    {
        foreach (var (name, family) in (ReadOnlySpan<(string, ModelFamily)>)[("sd15", ModelFamily.Sd1), ("sdxl", ModelFamily.Sdxl)])
        {
            using var checkpoint = LdmCheckpoint.Open(TestData.Golden($"diffusion/single-file/{name}/{name}.safetensors"));
            Assert.Equal(family, checkpoint.Family);
            var pipeline = DiffusersFolder.Open(TestData.Golden($"diffusion/pipeline-{name}/model"));
            var (told, given) = (checkpoint.Config("unet"), pipeline.Config("unet"));
            Assert.Equal(given.Ints("block_out_channels", -1), told.Ints("block_out_channels", -1));
            Assert.Equal(given.Int("layers_per_block"), told.Int("layers_per_block"));
            Assert.Equal(given.Int("cross_attention_dim"), told.Int("cross_attention_dim"));
            Assert.Equal(given.Texts("down_block_types"), told.Texts("down_block_types"));
            Assert.Equal(given.Texts("up_block_types"), told.Texts("up_block_types"));
            Assert.Equal(given.Bool("use_linear_projection", false), told.Bool("use_linear_projection", false));
            Assert.Equal(pipeline.Config("vae").Double("scaling_factor"), checkpoint.Config("vae").Double("scaling_factor"));
            Assert.Equal(pipeline.Config("text_encoder").Text("hidden_act"), checkpoint.Config("text_encoder").Text("hidden_act"));
        }
        Assert.Contains("not a Stable Diffusion checkpoint", Assert.Throws<ModelException>(() => LdmCheckpoint.Open(TestData.Golden("lora/formats/four-files-uniform/kohya.safetensors"))).Message);
    }
}
