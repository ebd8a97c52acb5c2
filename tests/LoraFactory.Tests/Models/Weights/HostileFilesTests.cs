using System.Text;
using LoraFactory.Models;
using LoraFactory.Models.Weights;
using Xunit;

namespace LoraFactory.Tests.Models.Weights;

public sealed class HostileFilesTests
{
    /// <summary>Whatever is done to a file's bytes, it is read or refused in one sentence; nothing else is thrown and nothing is called.</summary>
    [Theory]
    [InlineData("lora/formats/safetensors/valid/dtypes.safetensors", 600)]
    [InlineData("diffusion/ckpt/good.ckpt", 1500)]
    [InlineData("diffusion/ckpt/legacy.pt", 1500)]
    [InlineData("diffusion/ckpt/protocol4.ckpt", 800)]
    public void Damaged_files_are_read_or_refused(string name, int rounds)
    {
        var original = File.ReadAllBytes(TestData.Golden(name));
        var folder = TestData.NewFolder();
        var path = Path.Combine(folder, "damaged");
        var random = new Random(7);
        var (loaded, refused) = (0, 0);
        for (var round = 0; round < rounds; round++)
        {
            File.WriteAllBytes(path, Damage(original, random, round));
            try
            {
                using var source = WeightSource.Open(path);
                foreach (var weight in source.Weights) weight.ToArray();
                loaded++;
            }
            catch (ModelException e)
            {
                Assert.StartsWith(path, e.Message, StringComparison.Ordinal);
                refused++;
            }
        }
        Directory.Delete(folder, recursive: true);
        Assert.Equal(rounds, loaded + refused);
        Assert.True(refused > rounds / 10, $"only {refused} of {rounds} damaged files were refused");
    }

    [Fact]
    public void A_compressed_entry_and_a_missing_storage_are_refused()
    {
        var folder = TestData.NewFolder();
        var path = Path.Combine(folder, "bomb.ckpt");
        using (var zip = System.IO.Compression.ZipFile.Open(path, System.IO.Compression.ZipArchiveMode.Create))
        {
            using var entry = zip.CreateEntry("x/data.pkl", System.IO.Compression.CompressionLevel.Optimal).Open();
            entry.Write(new byte[1 << 20]);
        }
        Assert.Contains("compressed", Assert.Throws<ModelException>(() => WeightSource.Open(path)).Message);
        Store(path, "x/data.pkl", "\u0080\u0002}X\u0001\0\0\0actorch._utils\n_rebuild_tensor_v2\n((X\u0007\0\0\0storagectorch\nFloatStorage\nX\u0001\0\0\0" + "0X\u0003\0\0\0cpuK\u0002tQK\0K\u0002\u0085K\u0001\u0085\u0089)tRs.");
        Assert.Contains("storage 0 is missing", Assert.Throws<ModelException>(() => WeightSource.Open(path)).Message);
        Directory.Delete(folder, recursive: true);
    }

    [Theory]
    [InlineData("cbuiltins\neval\n(X\u0003\0\0\01+1tR.", "builtins.eval")]
    [InlineData("X\u0005\0\0\0posixX\u0006\0\0\0system\u0093)R.", "posix.system")]
    [InlineData("ccollections\nOrderedDict\n)\u0081.", "opcode 0x81")]
    [InlineData("(X\u0002\0\0\0idios\nsystem\n.", "opcode 0x69")]
    [InlineData("(lp0\n.", "opcode 0x70")]
    [InlineData("t.", "damaged")]
    [InlineData("ctorch\nFloatStorage\n)R.", "calls something")]
    [InlineData("}", "ends too early")]
    [InlineData("X\u00ff\u00ff\u00ff\u00ff.", "text of 4294967295 bytes")]
    [InlineData("]}b.", "state of something else")]
    public void Pickles_that_do_anything_else_are_refused_with_the_reason(string pickle, string reason)
    {
        var folder = TestData.NewFolder();
        var path = Path.Combine(folder, "x.ckpt");
        Store(path, "x/data.pkl", "\u0080\u0002" + pickle);
        Assert.Contains(reason, Assert.Throws<ModelException>(() => WeightSource.Open(path)).Message, StringComparison.Ordinal);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void Views_share_their_storage_with_offset_and_strides()
    {
        using var source = WeightSource.Open(TestData.Golden("diffusion/ckpt/good.ckpt"));
        Assert.Contains(source.Weights, weight => !weight.IsContiguous);
        Assert.True(source.Weights.Select(weight => weight.Offset / 64).Distinct().Count() < source.Names.Count, "no two tensors share a storage");
    }

    private static byte[] Damage(byte[] original, Random random, int round)
    {
        if (round % 5 == 0) return original[..random.Next(original.Length)];
        var bytes = (byte[])original.Clone();
        for (var i = random.Next(1, 6); i > 0; i--)
        {
            // Most of a checkpoint's structure lies in its first kilobyte and its last.
            var at = random.Next(3) switch { 0 => random.Next(Math.Min(1024, bytes.Length)), 1 => bytes.Length - 1 - random.Next(Math.Min(1024, bytes.Length)), _ => random.Next(bytes.Length) };
            bytes[at] = random.Next(4) switch { 0 => 0xff, 1 => 0, 2 => (byte)(bytes[at] ^ (1 << random.Next(8))), _ => (byte)random.Next(256) };
        }
        return bytes;
    }

    /// <summary>A zip file with one stored entry; each character of the text is one byte.</summary>
    private static void Store(string path, string name, string text)
    {
        File.Delete(path);
        using var zip = System.IO.Compression.ZipFile.Open(path, System.IO.Compression.ZipArchiveMode.Create);
        using var entry = zip.CreateEntry(name, System.IO.Compression.CompressionLevel.NoCompression).Open();
        entry.Write(Encoding.Latin1.GetBytes(text));
    }
}
