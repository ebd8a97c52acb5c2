using System.Text.Json;
using LoraFactory.Images;
using LoraFactory.Models.Weights;

namespace LoraFactory.Tests.Images;

/// <summary>The golden cases of text-image/processors.</summary>
internal sealed class GoldenPictures : IDisposable
{
    private readonly WeightSource _tensors = WeightSource.Open(Path.Combine(Folder, "case.safetensors"));

    public static string Folder { get; } = TestData.Golden("text-image/processors");

    public JsonDocument Case { get; } = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, "case.json")));

    public IEnumerable<(string Name, JsonElement Options, string File)> Cases() =>
        from processor in Case.RootElement.GetProperty("processors").EnumerateObject()
        from file in processor.Value.GetProperty("files").EnumerateArray()
        select (processor.Name, processor.Value, file.GetString()!);

    public Picture Picture(string name)
    {
        var weight = _tensors[name];
        return new Picture((int)weight.Shape[1], (int)weight.Shape[0], Bytes(weight));
    }

    public float[] Floats(string name)
    {
        var bytes = Bytes(_tensors[name]);
        var floats = new float[bytes.Length / 4];
        Buffer.BlockCopy(bytes, 0, floats, 0, bytes.Length);
        return floats;
    }

    public bool Contains(string name) => _tensors.Contains(name);

    public void Dispose()
    {
        _tensors.Dispose();
        Case.Dispose();
    }

    private static byte[] Bytes(Weight weight)
    {
        using var memory = new MemoryStream();
        weight.WriteTo(memory);
        return memory.ToArray();
    }
}
