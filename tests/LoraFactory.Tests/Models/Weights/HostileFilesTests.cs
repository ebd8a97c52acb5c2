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

    private const string Marks = "\u0080\u0002";
    private const string Storage = "(X\u0007\0\0\0storagectorch\nFloatStorage\nX\u0001\0\0\00X\u0003\0\0\0cpuK\u0002tQ";
    private const string OneTensor = "ctorch._utils\n_rebuild_tensor_v2\n(" + Storage + "K\0K\u0002\u0085K\u0001\u0085\u0089)tR";
    // numpy.core.multiarray.scalar(dtype('f8', 0, 1) with a state, _codecs.encode('x', 'latin1')), as a measure is saved
    private const string NumpyScalar = "cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(X\u0002\0\0\0f8K\0K\u0001tR(K\u0003X\u0001\0\0\0<NNNJ\u00ff\u00ff\u00ff\u00ffJ\u00ff\u00ff\u00ff\u00ffK\0tb"
        + "c_codecs\nencode\n(X\u0001\0\0\0xX\u0006\0\0\0latin1tRtR";
    private const string Callback = "cpytorch_lightning.callbacks.model_checkpoint\nModelCheckpoint\n";

    [Fact]
    public void What_trainers_leave_beside_the_weights_is_passed_over_but_not_among_them()
    {
        var folder = TestData.NewFolder();
        var path = Path.Combine(folder, "sd-v1-4.ckpt");
        var beside = "X\u0009\0\0\0callbacks}" + Callback + "}X\u0005\0\0\0score" + NumpyScalar + "ss";
        string Pickle(string inState) => Marks + "}(" + beside + "X\u000a\0\0\0state_dict}(X\u0001\0\0\0w" + OneTensor + inState + "uu.";
        Store(path, ("x/data.pkl", Pickle("")), ("x/data/0", "\0\0\u0080\u003f\0\0\0\u0040"));
        using (var source = WeightSource.Open(path))
        {
            Assert.Equal(["w"], source.Names);
            Assert.Equal(new byte[] { 0, 0, 128, 63, 0, 0, 0, 64 }, source["w"].ToArray());
        }
        Store(path, ("x/data.pkl", Pickle("X\u0001\0\0\0n" + NumpyScalar)), ("x/data/0", "\0\0\u0080\u003f\0\0\0\u0040"));
        Assert.Contains("state dictionary holds numpy.core.multiarray.scalar", Assert.Throws<ModelException>(() => WeightSource.Open(path)).Message, StringComparison.Ordinal);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void Tensors_that_repeat_a_small_storage_are_refused()
    {
        var folder = TestData.NewFolder();
        var path = Path.Combine(folder, "x.ckpt");
        var wide = OneTensor.Replace("K\u0002\u0085K\u0001\u0085\u0089", "J\0\0\0\u0002\u0085K\0\u0085\u0089", StringComparison.Ordinal);
        Store(path, ("x/data.pkl", Marks + "}X\u0001\0\0\0w" + wide + "s."), ("x/data/0", "\0\0\0\0\0\0\0\0"));
        Assert.Contains("repeats a storage", Assert.Throws<ModelException>(() => WeightSource.Open(path)).Message, StringComparison.Ordinal);
        var many = string.Concat(Enumerable.Range(0, 20).Select(i => $"X\u0001\0\0\0{(char)('a' + i)}" + wide.Replace("J\0\0\0\u0002", "J\0\0\u0010\0", StringComparison.Ordinal)));
        Store(path, ("x/data.pkl", Marks + "}(" + many + "u."), ("x/data/0", "\0\0\0\0\0\0\0\0"));
        Assert.Contains("claim 20971520 elements", Assert.Throws<ModelException>(() => WeightSource.Open(path)).Message, StringComparison.Ordinal);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void Keys_that_were_chosen_to_fall_together_do_not()
    {
        // 64-bit numbers whose halves cancel: their plain hashes are all 0, and a table of them takes time in the square of their number
        var pickle = new StringBuilder(Marks + "}(");
        for (var i = 1; i <= 100_000; i++)
        {
            pickle.Append("\u008a\u0008");
            for (var twice = 0; twice < 2; twice++)
                for (var b = 0; b < 4; b++) pickle.Append((char)((i >> (8 * b)) & 0xff));
            pickle.Append('N');
        }
        var bytes = Encoding.Latin1.GetBytes(pickle.Append("u.").ToString());
        var machine = new PickleMachine("x.ckpt", (at, length) => bytes.AsSpan((int)at, length), 0, bytes.Length);
        var table = Assert.IsType<Dictionary<object, object>>(machine.Run());
        Assert.Equal(100_000, table.Count);
        Assert.True(table.Keys.Select(table.Comparer.GetHashCode).Distinct().Count() > 90_000);
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

    private static void Store(string path, string name, string text) => Store(path, (name, text));

    /// <summary>A zip file with stored entries; each character of a text is one byte.</summary>
    private static void Store(string path, params ReadOnlySpan<(string Name, string Text)> entries)
    {
        File.Delete(path);
        using var zip = System.IO.Compression.ZipFile.Open(path, System.IO.Compression.ZipArchiveMode.Create);
        foreach (var (name, text) in entries)
        {
            using var entry = zip.CreateEntry(name, System.IO.Compression.CompressionLevel.NoCompression).Open();
            entry.Write(Encoding.Latin1.GetBytes(text));
        }
    }
}
