using System.Buffers.Binary;
using System.Text.Json;
using LoraFactory.Models;
using LoraFactory.Models.Weights;
using LoraFactory.Torch;
using Xunit;

namespace LoraFactory.Tests.Models.Weights;

public sealed class SafetensorsTests
{
    private static readonly string Folder = TestData.Golden("lora/formats/safetensors");

    private static JsonElement Case { get; } = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, "case.json"))).RootElement;

    [Fact]
    public void Every_listed_file_loads_or_is_refused_with_a_reason()
    {
        var count = 0;
        foreach (var entry in Case.GetProperty("files").EnumerateArray())
        {
            var path = Path.Combine(Folder, entry.GetProperty("file").GetString()!);
            if (entry.GetProperty("must").GetString() == "load")
            {
                using var source = WeightSource.Open(path);
                foreach (var weight in source.Weights) Assert.Equal(weight.ByteLength, weight.ToArray().LongLength);
            }
            else
            {
                var error = Assert.Throws<ModelException>(() => WeightSource.Open(path));
                Assert.StartsWith(path, error.Message, StringComparison.Ordinal);
            }
            count++;
        }
        Assert.Equal(46, count);
        Assert.Equal(42, Directory.GetFiles(Path.Combine(Folder, "valid")).Length + Directory.GetFiles(Path.Combine(Folder, "malformed")).Length);
    }

    [Fact]
    public void Every_dtype_is_read_exactly_in_file_order_with_metadata()
    {
        using var file = SafetensorsFile.Open(Path.Combine(Folder, "valid/dtypes.safetensors"));
        var expected = Case.GetProperty("dtypes_file");
        foreach (var tensor in expected.GetProperty("tensors").EnumerateObject())
        {
            var weight = file[tensor.Name];
            Assert.Equal(tensor.Value.GetProperty("dtype").GetString(), ElementTypes.NameOf(weight.DType));
            Assert.Equal(tensor.Value.GetProperty("shape").EnumerateArray().Select(s => s.GetInt64()), weight.Shape);
            Assert.Equal(tensor.Value.GetProperty("bytes_hex").GetString(), Convert.ToHexStringLower(weight.ToArray()));
        }
        Assert.Equal(expected.GetProperty("order_in_file").EnumerateArray().Select(n => n.GetString()), SafetensorsWriter.InFileOrder(file.Weights.Select(w => WeightToWrite.From(w))).Select(w => w.Name));
        Assert.Equal("Größe 日本 \"q\" \\ \n end", file.Metadata["note"]);
    }

    [Fact]
    public void What_is_read_is_written_back_to_the_same_bytes()
    {
        // The reference keeps metadata in the order of a hash table, this writer by key: the bytes after the metadata are the same.
        foreach (var name in (string[])["lora/formats/safetensors/valid/dtypes.safetensors", "lora/formats/four-files-uniform/kohya.safetensors"])
        {
            var path = TestData.Golden(name);
            using var file = SafetensorsFile.Open(path);
            using var written = new MemoryStream();
            SafetensorsWriter.Write(written, file.Weights.Select(w => WeightToWrite.From(w)).Reverse(), file.Metadata);
            var (before, after) = (File.ReadAllBytes(path), written.ToArray());
            var metadataEnd = before.AsSpan().IndexOf("\"},\""u8);
            Assert.Equal(before.Length, after.Length);
            Assert.Equal(Convert.ToHexString(before[..8]), Convert.ToHexString(after[..8]));
            Assert.Equal(Convert.ToHexString(before[metadataEnd..]), Convert.ToHexString(after[metadataEnd..]));
        }
    }

    [Fact]
    public void Hashes_are_those_that_the_file_of_a_trainer_carries()
    {
        using var file = SafetensorsFile.Open(TestData.Golden("lora/formats/four-files-uniform/kohya.safetensors"));
        var hashes = SafetensorsWriter.Hashes(file.Weights.Select(w => WeightToWrite.From(w)), file.Metadata);
        Assert.Equal(file.Metadata["sshs_model_hash"], hashes.Model);
        Assert.Equal(file.Metadata["sshs_legacy_hash"], hashes.Legacy);
    }

    [Fact]
    public void A_big_file_has_the_legacy_hash_that_depends_on_the_header_length()
    {
        var recipe = JsonDocument.Parse(File.ReadAllBytes(TestData.Golden("lora/formats/four-files-uniform/case.json")))
            .RootElement.GetProperty("hashes").GetProperty("big_file_recipe");
        var first = new byte[300000 * 4];
        for (var i = 0; i < 300000; i++) BinaryPrimitives.WriteSingleLittleEndian(first.AsSpan(i * 4), (float)(i % 1000) * 0.001f);
        var second = new byte[14];
        for (var i = 0; i < 7; i++) BinaryPrimitives.WriteHalfLittleEndian(second.AsSpan(i * 2), (Half)i);
        var alpha = new byte[4];
        BinaryPrimitives.WriteSingleLittleEndian(alpha, 4);
        WeightToWrite[] weights =
        [
            WeightToWrite.FromBytes("lora_unet_b.lora_down.weight", DType.Float32, [300000], first),
            WeightToWrite.FromBytes("lora_unet_a.lora_up.weight", DType.Float16, [7], second),
            WeightToWrite.FromBytes("lora_unet_a.alpha", DType.Float32, [], alpha),
        ];
        var metadata = recipe.GetProperty("metadata").EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetString()!);
        metadata["modelspec.title"] = "left out of the hashed file";
        var hashes = SafetensorsWriter.Hashes(weights, metadata);
        Assert.Equal(recipe.GetProperty("sshs_model_hash").GetString(), hashes.Model);
        Assert.Equal(recipe.GetProperty("sshs_legacy_hash").GetString(), hashes.Legacy);
    }

    [Fact]
    public void A_failed_write_leaves_the_old_file_and_no_other()
    {
        var folder = TestData.NewFolder();
        var path = Path.Combine(folder, "a.safetensors");
        SafetensorsWriter.Write(path, [WeightToWrite.FromBytes("a", DType.UInt8, [3], new byte[] { 1, 2, 3 })]);
        var before = File.ReadAllBytes(path);
        var wrong = new WeightToWrite("a", DType.UInt8, [3], stream => stream.Write([1, 2]));
        Assert.Throws<ModelException>(() => SafetensorsWriter.Write(path, [wrong]));
        Assert.Throws<ModelException>(() => SafetensorsWriter.Write(path, [WeightToWrite.FromBytes("a", DType.UInt8, [0], Array.Empty<byte>()), WeightToWrite.FromBytes("a", DType.Int8, [0], Array.Empty<byte>())]));
        Assert.Equal(before, File.ReadAllBytes(path));
        Assert.Single(Directory.GetFiles(folder));
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void A_held_mapping_outlives_its_source()
    {
        var file = SafetensorsFile.Open(Path.Combine(Folder, "valid/dtypes.safetensors"));
        var weight = file["f32"];
        Action release;
        unsafe
        {
            release = weight.Hold();
            var pointer = (float*)weight.Pointer;
            file.Dispose();
            file.Dispose();
            Assert.Equal(-2.5f, *pointer);
        }
        release();
        Assert.Throws<ObjectDisposedException>(() => weight.ToArray());
    }

    [Fact]
    public void Views_slice_transpose_and_reshape_without_copying()
    {
        var folder = TestData.NewFolder();
        var path = Path.Combine(folder, "m.safetensors");
        SafetensorsWriter.Write(path, [WeightToWrite.FromBytes("m", DType.UInt8, [3, 2], new byte[] { 1, 2, 3, 4, 5, 6 })]);
        using var file = SafetensorsFile.Open(path);
        var m = file["m"];
        Assert.Equal([3, 4, 5, 6], m.Rows(1, 2).ToArray());
        Assert.Equal([1, 3, 5, 2, 4, 6], m.Transposed().ToArray());
        Assert.Equal([3, 5, 4, 6], m.Rows(1, 2).Transposed().ToArray());
        Assert.Equal([3, 2, 1, 1], m.Reshaped(3, 2, 1, 1).Shape);
        Assert.Throws<ModelException>(() => m.Rows(2, 2));
        Assert.Throws<ModelException>(() => m.Transposed().Reshaped(6));
        Directory.Delete(folder, recursive: true);
    }
}
