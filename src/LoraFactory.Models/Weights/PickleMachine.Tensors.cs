using LoraFactory.Torch;

namespace LoraFactory.Models.Weights;

internal sealed partial class PickleMachine
{
    private object Resolve(string module, string name) => Allowed.TryGetValue($"{module}.{name}", out var global) ? global
        : Beside.TryGetValue($"{module}.{name}", out var known) ? new Inert(known)
        : throw Refusal($"it wants to load {Shown(module)}.{Shown(name)}, which is not needed for weights and could run code. Use a safetensors file, or save the state dictionary alone");

    private object Rebuild(object function, object[] arguments) => function switch
    {
        Global { Kind: Known.OrderedDict } => Ordered(arguments),
        Global { Kind: Known.RebuildTensor } => Tensor(arguments),
        Inert inert => new Inert(inert.Name),
        Global { Kind: Known.RebuildParameter } when arguments is [PickledTensor tensor, ..] => tensor,
        _ => throw Refusal("it calls something that is not a function for rebuilding tensors"),
    };

    private Dictionary<object, object> Ordered(object[] arguments)
    {
        if (arguments.Length == 0) return NewDictionary();
        if (arguments is not [List<object> pairs] || (made += pairs.Count) > MostValues) throw Malformed();
        Push(NewDictionary());
        SetAll([.. pairs.SelectMany(pair => pair switch
        {
            object[] { Length: 2 } tuple => tuple,
            List<object> { Count: 2 } list => list.ToArray(),
            _ => throw Malformed(),
        })]);
        return (Dictionary<object, object>)Pop();
    }

    /// <summary>('storage', type, key, device, count), and in the old form a sixth entry for views of storages, which must be none.</summary>
    private PickledStorage Storage(object id)
    {
        if (id is not object[] { Length: 5 or 6 } parts || parts[0] is not "storage" || parts[1] is not Global { Kind: Known.Storage } global || parts[4] is not (long and >= 0 and var count)) throw Malformed();
        if (parts.Length == 6 && !ReferenceEquals(parts[5], None)) throw Refusal("it holds views of storages, a form that torch gave up in 2017; save it anew");
        var key = parts[2] switch
        {
            string text when text.Length is > 0 and <= 128 && !text.Contains('/', StringComparison.Ordinal) => text,
            long number => number.ToString(),
            _ => throw Malformed(),
        };
        var storage = new PickledStorage(global.Type, key, count);
        if (!Storages.TryAdd(key, storage) && Storages[key] != storage) throw Refusal($"it contradicts itself about its storage {key}");
        return storage;
    }

    /// <summary>_rebuild_tensor_v2(storage, offset, size, stride, …), checked to lie within its storage.</summary>
    private PickledTensor Tensor(object[] arguments)
    {
        if (arguments is not [PickledStorage storage, long offset, object[] size, object[] stride, ..] || size.Length != stride.Length) throw Malformed();
        if (size.Length > MostDimensions) throw Refusal($"a tensor has {size.Length} dimensions, more than {MostDimensions}");
        var (shape, strides) = (Numbers(size), Numbers(stride));
        if (offset < 0 || offset > storage.Count) throw Refusal($"a tensor begins at element {offset} of a storage of {storage.Count}");
        Int128 last = offset, count = 1;
        for (var d = 0; d < shape.Length; d++)
        {
            count *= shape[d];
            last += (Int128)Math.Max(0, shape[d] - 1) * strides[d];
            if (count > long.MaxValue || last > long.MaxValue) throw Refusal($"a tensor of shape {Weight.Describe(shape)} overflows 64 bits");
        }
        if (count > 0 && last >= storage.Count) throw Refusal($"a tensor of shape {Weight.Describe(shape)} and strides {Weight.Describe(strides)} from element {offset} reaches beyond its storage of {storage.Count}");
        // A stride of 0 repeats elements, as a broadcast bias does, so a small storage could claim to be a huge tensor.
        if (count > storage.Count && count > MostRepeated) throw Refusal($"a tensor of shape {Weight.Describe(shape)} repeats a storage of {storage.Count} elements");
        return new PickledTensor(storage, offset, shape, strides);
    }

    private long[] Numbers(object[] tuple) => [.. tuple.Select(item => item is long number and >= 0 ? number : throw Refusal("a tensor's size or stride is not a number from 0"))];

    /// <summary>A name from the file in a message: its letters, and not too many of them.</summary>
    private static string Shown(string name) => new([.. name.Take(80).Select(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' ? c : '?')]);
}
