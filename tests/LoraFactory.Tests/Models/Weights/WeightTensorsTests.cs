using LoraFactory.Models;
using LoraFactory.Models.Weights;
using LoraFactory.Tests.Torch;
using LoraFactory.Torch;
using Xunit;

namespace LoraFactory.Tests.Models.Weights;

[Collection("torch")]
public sealed class WeightTensorsTests
{
    [Fact]
    public void A_tensor_lies_in_the_mapping_and_keeps_it_and_writes_back_the_same_bytes()
    {
        var folder = TestData.NewFolder();
        var path = Path.Combine(folder, "m.safetensors");
        SafetensorsWriter.Write(path, [Floats("m", [3, 2], 1, 2, 3, 4, 5, 6), Floats("s", [], 7)]);
        var before = File.ReadAllBytes(path);
        OnTensorThread.Run(() =>
        {
            Tensor m, t, s;
            using (var file = SafetensorsFile.Open(path))
            {
                m = file["m"].ToTensor();
                unsafe
                {
                    Assert.Equal((nint)file["m"].Pointer, m.DataPointer);
                }
                t = file["m"].Transposed().ToTensor();
                s = file["s"].ToTensor();
            }
            Assert.Equal([1, 2, 3, 4, 5, 6], m.ToArray<float>());
            Assert.Equal([1, 3, 5, 2, 4, 6], t.ToArray<float>());
            Assert.Equal(7, s.Item());
            Assert.Empty(s.Shape);
            using var stream = new MemoryStream();
            SafetensorsWriter.Write(stream, [m.ToWrite("m"), s.ToWrite("s")]);
            Assert.Equal(before, stream.ToArray());
            m.Span<float>()[0] = 100;
        });
        Assert.Equal(before, File.ReadAllBytes(path));
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void Unaligned_and_empty_weights_are_copied() => OnTensorThread.Run(() =>
    {
        using var unaligned = SafetensorsFile.Open(TestData.Golden("lora/formats/safetensors/valid/unpadded-header.safetensors"));
        foreach (var weight in unaligned.Weights)
        {
            Assert.NotEqual(0, weight.Offset % 4);
            var bytes = weight.ToArray();
            Assert.Equal(Enumerable.Range(0, (int)weight.Count).Select(i => BitConverter.ToSingle(bytes, i * 4)), weight.ToTensor().ToArray<float>());
        }
        using var empty = SafetensorsFile.Open(TestData.Golden("lora/formats/safetensors/valid/zero-size-middle.safetensors"));
        Assert.Equal([0], empty["z"].ToTensor().Shape);
    });

    [Fact]
    public void Eight_bit_floats_need_a_libtorch_that_has_them() => OnTensorThread.Run(() =>
    {
        var path = Path.Combine(TestData.NewFolder(), "float8.safetensors");
        SafetensorsWriter.Write(path, [WeightToWrite.FromBytes("w", DType.Float8E4M3, [2], new byte[] { 0x38, 0x40 })]);
        using var source = SafetensorsFile.Open(path);
        if (TorchLibrary.Knows(DType.Float8E4M3)) Assert.Equal([1f, 2f], source["w"].ToTensor().ToArray<float>());
        else Assert.Contains("2.1", Assert.Throws<ModelException>(() => source["w"].ToTensor()).Message, StringComparison.Ordinal);
        Assert.True(TorchLibrary.Knows(DType.BFloat16));
    });

    private static WeightToWrite Floats(string name, long[] shape, params float[] values) =>
        WeightToWrite.FromBytes(name, DType.Float32, shape, values.SelectMany(BitConverter.GetBytes).ToArray());

    [Fact]
    public void What_was_converted_leaves_no_pages_of_the_file_behind_and_changes_in_place_stay() => OnTensorThread.Run(() =>
    {
        const int Megabytes = 32;
        var path = Path.Combine(TestData.NewFolder(), "big.safetensors");
        var bytes = new byte[Megabytes << 20];
        Array.Fill(bytes, (byte)0x3C); // 1.0586 in float16, twice
        SafetensorsWriter.Write(path, [WeightToWrite.FromBytes("w", DType.Float16, [2, bytes.Length / 4], bytes)]);
        using var file = SafetensorsFile.Open(path);
        using (var half = file["w"].ToTensor())
        {
            Assert.Equal(bytes.Length / 2 * 1.05859375, half.To(DType.Float32).Sum(DType.Float64).Item(), 3);
            Assert.InRange(ResidentMiB(path), Megabytes - 1, Megabytes + 1);
        }
        Assert.True(SpinWait.SpinUntil(() => ResidentMiB(path) < 1, TimeSpan.FromMinutes(1)), $"{ResidentMiB(path)} MiB stayed"); // let go on a thread of the pool

        using var changed = file["w"].ToTensor();
        changed.Fill_(2);
        file["w"].Rows(1, 1).ToTensor().Dispose(); // another view of half of it goes
        Assert.Equal(bytes.Length / 2 * 2.0, changed.To(DType.Float32).Sum(DType.Float64).Item(), 3);
    });

    // Rss of the mappings of a file, from /proc/self/smaps (proc_pid_smaps(5)).
    private static double ResidentMiB(string path)
    {
        var (mine, kib) = (false, 0.0);
        foreach (var line in File.ReadLines("/proc/self/smaps"))
        {
            if (line.Length > 0 && char.IsAsciiHexDigitLower(line[0]) && line.Contains('-')) mine = line.EndsWith(path, StringComparison.Ordinal);
            else if (mine && line.StartsWith("Rss:", StringComparison.Ordinal)) kib += double.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], System.Globalization.CultureInfo.InvariantCulture);
        }
        return kib / 1024;
    }
}
