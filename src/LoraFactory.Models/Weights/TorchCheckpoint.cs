using System.Buffers.Binary;
using System.Numerics;
using System.Text;
using LoraFactory.Torch;

namespace LoraFactory.Models.Weights;

/// <summary>
/// A torch checkpoint (.ckpt, .pt, .pth, .bin) read without running any of it: the zip form, and the form before torch 1.6. Tensors are views of the
/// mapped file; those that share a storage there share it here.
/// </summary>
public sealed class TorchCheckpoint : WeightSource
{
    private const long PickleLimit = 256L << 20;

    /// <summary>How often tensors may use the elements of the storages, on average: tied weights use some twice.</summary>
    private const int MostUses = 8;

    private static readonly BigInteger LegacyMagic = new([0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x00]);

    private TorchCheckpoint(MappedFile file, IEnumerable<Weight> weights) : base(file.Path, weights, null, file)
    {
    }

    /// <summary>Whether a file begins like a torch checkpoint; false for one that cannot be read.</summary>
    public static bool Is(string path)
    {
        if (!File.Exists(path)) return false;
        using var file = MappedFile.Open(path);
        return StoredZip.Is(file) || IsLegacy(file);
    }

    /// <summary>Opens a checkpoint; one that names anything but tensors and dictionaries is refused before anything is called.</summary>
    public static new TorchCheckpoint Open(string path)
    {
        var file = MappedFile.Open(path);
        try
        {
            return new TorchCheckpoint(file, StoredZip.Is(file) ? ReadZip(file) : ReadLegacy(file));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The error for a file that is refused.</summary>
    internal static ModelException Refusal(string path, string reason) => new($"{path} is not a torch checkpoint that can be used: {reason}.");

    private static bool IsLegacy(MappedFile file) => file.Length > 14 && file.Span(0, 14) is [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

    private static List<Weight> ReadZip(MappedFile file)
    {
        var zip = new StoredZip(file);
        var pickles = zip.Names.Where(name => name == "data.pkl" || (name.EndsWith("/data.pkl", StringComparison.Ordinal) && name.Count(c => c == '/') == 1)).ToList();
        if (pickles.Count != 1) throw Refusal(file.Path, $"it is a zip file with {pickles.Count} entries data.pkl where one is due");
        var folder = pickles[0][..^"data.pkl".Length];
        if (zip.TryGet(folder + "byteorder", out var order) && (order.Length > 16 || Encoding.ASCII.GetString(file.Span(order.Offset, (int)order.Length)) != "little"))
            throw Refusal(file.Path, "its numbers are not little-endian");
        zip.TryGet(pickles[0], out var pickle);
        if (pickle.Length > PickleLimit) throw Refusal(file.Path, $"its data.pkl of {pickle.Length} bytes is longer than {PickleLimit}");
        var value = Machine(file, pickle.Offset, pickle.Offset + pickle.Length).Run();
        return Views(file, value, storage =>
        {
            if (!zip.TryGet($"{folder}data/{storage.Key}", out var place)) throw Refusal(file.Path, $"the storage {storage.Key} is missing in it");
            return place;
        });
    }

    /// <summary>Magic number, protocol, system information, the value, the storages' keys: five pickles; then each storage as a count and its elements.</summary>
    private static List<Weight> ReadLegacy(MappedFile file)
    {
        if (!IsLegacy(file)) throw Refusal(file.Path, "it begins like none");
        var at = 0L;
        var storages = new Dictionary<string, PickledStorage>(StringComparer.Ordinal);
        object Next()
        {
            var machine = Machine(file, at, Math.Min(file.Length, at + PickleLimit));
            var value = machine.Run();
            foreach (var (key, storage) in machine.Storages) storages[key] = storage;
            at = machine.Position;
            return value;
        }
        if (Next() is not BigInteger magic || magic != LegacyMagic || Next() is not 1001L) throw Refusal(file.Path, "its protocol is not 1001");
        if (Next() is not Dictionary<object, object> system || (system.TryGetValue("little_endian", out var little) && little is not true)) throw Refusal(file.Path, "its numbers are not little-endian");
        var content = Next();
        if (Next() is not List<object> keys) throw Refusal(file.Path, "its list of storages is damaged");
        var places = PlaceStorages(file, at, keys, storages);
        return Views(file, content, storage => places.TryGetValue(storage.Key, out var place) ? place : throw Refusal(file.Path, $"the storage {storage.Key} is missing in it"));
    }

    private static Dictionary<string, (long, long)> PlaceStorages(MappedFile file, long at, List<object> keys, Dictionary<string, PickledStorage> storages)
    {
        var places = new Dictionary<string, (long, long)>(StringComparer.Ordinal);
        foreach (var key in keys.Select(key => key switch { string text => text, long number => number.ToString(), _ => throw Refusal(file.Path, "its list of storages is damaged") }))
        {
            // How long an element is, only the reference to the storage tells.
            if (!storages.TryGetValue(key, out var storage)) throw Refusal(file.Path, $"its storage {key} is never referred to");
            if (at > file.Length - 8) throw Refusal(file.Path, "it was cut short");
            var count = BinaryPrimitives.ReadInt64LittleEndian(file.Span(at, 8));
            if (count != storage.Count) throw Refusal(file.Path, $"its storage {key} has {count} elements where {storage.Count} are due");
            var bytes = (Int128)count * DTypes.Bytes(storage.Type);
            if (bytes > file.Length - at - 8) throw Refusal(file.Path, $"its storage {key} reaches beyond the end of the file: it was cut short");
            if (!places.TryAdd(key, (at + 8, (long)bytes))) throw Refusal(file.Path, $"its storage {key} occurs twice");
            at += 8 + (long)bytes;
        }
        return places;
    }

    private static PickleMachine Machine(MappedFile file, long start, long end) => new(file.Path, (at, length) => file.Span(at, length), start, end);

    private static List<Weight> Views(MappedFile file, object value, Func<PickledStorage, (long Offset, long Length)> place)
    {
        var weights = new List<Weight>();
        var used = new HashSet<PickledStorage>();
        Int128 stored = 0, claimed = 0;
        foreach (var (name, tensor) in Tensors(file, value))
        {
            if (used.Add(tensor.Storage)) stored += tensor.Storage.Count;
            claimed += tensor.Shape.Aggregate((Int128)1, (product, extent) => product * extent);
            var (offset, length) = place(tensor.Storage);
            var size = DTypes.Bytes(tensor.Storage.Type);
            if ((Int128)tensor.Storage.Count * size > length) throw Refusal(file.Path, $"the storage {tensor.Storage.Key} has {length} bytes where {tensor.Storage.Count} elements need {(Int128)tensor.Storage.Count * size}");
            weights.Add(new Weight(file, name, tensor.Storage.Type, tensor.Shape, tensor.Strides, offset + tensor.Offset * size));
        }
        if (claimed > MostUses * stored + PickleMachine.MostRepeated) throw Refusal(file.Path, $"its tensors claim {claimed} elements where its storages hold {stored}");
        return weights;
    }

    /// <summary>The state dictionary: the value itself, or what it holds under "state_dict", or the one dictionary of tensors in it.</summary>
    private static IEnumerable<(string Name, PickledTensor Tensor)> Tensors(MappedFile file, object value)
    {
        if (value is not Dictionary<object, object> outer) throw Refusal(file.Path, "it does not hold a dictionary");
        var inner = outer.TryGetValue("state_dict", out var named) && named is Dictionary<object, object> state ? state : outer;
        if (!HasTensors(inner) && inner.Values.OfType<Dictionary<object, object>>().Where(HasTensors).ToList() is [var only]) inner = only;
        if (inner.Keys.Concat(inner.Values).OfType<PickleMachine.Inert>().FirstOrDefault() is { } inert)
            throw Refusal(file.Path, $"its state dictionary holds {inert.Name}, which is no tensor. Use a safetensors file, or save the state dictionary alone");
        return inner.Where(pair => pair is { Key: string, Value: PickledTensor }).Select(pair => ((string)pair.Key, (PickledTensor)pair.Value));
    }

    private static bool HasTensors(Dictionary<object, object> dictionary) => dictionary.Values.Any(item => item is PickledTensor);
}
