using System.Buffers.Binary;
using System.Numerics;
using System.Text;
using LoraFactory.Torch;

namespace LoraFactory.Models.Weights;

/// <summary>A storage that a checkpoint refers to: so many elements of a type under a key.</summary>
internal sealed record PickledStorage(DType Type, string Key, long Count);

/// <summary>A tensor of a checkpoint: a view of a storage, in elements. Checked against the storage's length.</summary>
internal sealed record PickledTensor(PickledStorage Storage, long Offset, long[] Shape, long[] Strides);

/// <summary>
/// Interprets the pickle opcodes that state dictionaries are made of, over plain values, and knows three functions and ten storage types by name.
/// A few more names that trainers leave beside the weights stand for nothing (<see cref="Inert"/>). Anything else is refused before it could be
/// called: no object is ever made by a name in the file.
/// </summary>
internal sealed partial class PickleMachine(string path, Func<long, int, ReadOnlySpan<byte>> read, long start, long end)
{
    private const int MostValues = 5_000_000, LongestText = 1 << 20, MostDimensions = 64;

    /// <summary>Elements that tensors may have beyond those of their storages: broadcast ones are small.</summary>
    internal const long MostRepeated = 1L << 20;

    private static readonly object Mark = new(), None = new();

    private readonly List<object> stack = [];
    private readonly Dictionary<long, object> memo = [];
    private long at = start;
    private long made;

    /// <summary>What the file may name.</summary>
    private enum Known { OrderedDict, RebuildTensor, RebuildParameter, Storage }

    private sealed record Global(Known Kind, DType Type);

    /// <summary>Stands where a name of <see cref="Beside"/> was, or what it would have made: never called, without content.</summary>
    internal sealed class Inert(string name)
    {
        /// <summary>The name in the file.</summary>
        public string Name { get; } = name;
    }

    // What the published checkpoints hold outside their state dictionary: a callback's class, and measures as numpy scalars.
    private static readonly HashSet<string> Beside = new(StringComparer.Ordinal)
    {
        "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint", "lightning.pytorch.callbacks.model_checkpoint.ModelCheckpoint",
        "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "numpy.dtype", "_codecs.encode", "__builtin__.set", "builtins.set",
    };

    /// <summary>Hashes numbers with the process's own seed, as texts are: otherwise a file could choose keys that all fall together.</summary>
    private sealed class SeededKeys : IEqualityComparer<object>
    {
        public static readonly SeededKeys Shared = new();

        public new bool Equals(object? x, object? y) => object.Equals(x, y);

        public int GetHashCode(object key) => key switch
        {
            long number => HashCode.Combine((int)number, (int)(number >> 32)),
            double number when BitConverter.DoubleToInt64Bits(number + 0.0) is var bits => HashCode.Combine((int)bits, (int)(bits >> 32)),
            _ => key.GetHashCode(),
        };
    }

    private static readonly Dictionary<string, Global> Allowed = new(StringComparer.Ordinal)
    {
        ["collections.OrderedDict"] = new(Known.OrderedDict, default),
        ["torch._utils._rebuild_tensor_v2"] = new(Known.RebuildTensor, default),
        ["torch._utils._rebuild_parameter"] = new(Known.RebuildParameter, default),
        ["torch.FloatStorage"] = new(Known.Storage, DType.Float32),
        ["torch.HalfStorage"] = new(Known.Storage, DType.Float16),
        ["torch.BFloat16Storage"] = new(Known.Storage, DType.BFloat16),
        ["torch.DoubleStorage"] = new(Known.Storage, DType.Float64),
        ["torch.LongStorage"] = new(Known.Storage, DType.Int64),
        ["torch.IntStorage"] = new(Known.Storage, DType.Int32),
        ["torch.ShortStorage"] = new(Known.Storage, DType.Int16),
        ["torch.CharStorage"] = new(Known.Storage, DType.Int8),
        ["torch.ByteStorage"] = new(Known.Storage, DType.UInt8),
        ["torch.BoolStorage"] = new(Known.Storage, DType.Bool),
    };

    /// <summary>Every storage that the pickle referred to, by key.</summary>
    public Dictionary<string, PickledStorage> Storages { get; } = new(StringComparer.Ordinal);

    /// <summary>Position after the last opcode read.</summary>
    public long Position => at;

    /// <summary>
    /// Runs to STOP and returns the value: string, long, BigInteger, double, bool, byte[], List, object[] (tuple), Dictionary, PickledTensor,
    /// PickledStorage, Inert, or something without use to a state dictionary.
    /// </summary>
    public object Run()
    {
        while (true)
        {
            if (++made > MostValues) throw Refusal($"it has more than {MostValues} steps");
            var opcode = Byte();
            if (opcode == '.') return Pop();
            if (!RunValue(opcode) && !RunContainer(opcode) && !RunReference(opcode))
                throw Refusal($"it uses the pickle opcode 0x{opcode:x2}, which no state dictionary needs");
        }
    }

    /// <summary>Opcodes that push a plain value.</summary>
    private bool RunValue(int opcode)
    {
        switch (opcode)
        {
            case 0x80: if (Byte() is < 2 or > 5) throw Refusal("its pickle protocol is not 2 to 5"); break;
            case 0x95: Skip(8); break; // FRAME: a length that only buffered readers need
            case 'N': Push(None); break;
            case 0x88: Push(true); break;
            case 0x89: Push(false); break;
            case 'J': Push((long)BinaryPrimitives.ReadInt32LittleEndian(Take(4))); break;
            case 'K': Push((long)Byte()); break;
            case 'M': Push((long)BinaryPrimitives.ReadUInt16LittleEndian(Take(2))); break;
            case 0x8a: Push(Integer(Byte())); break;
            case 'G': Push(BinaryPrimitives.ReadDoubleBigEndian(Take(8))); break;
            case 0x8c: Push(Text(Byte())); break;
            case 'X': Push(Text(BinaryPrimitives.ReadUInt32LittleEndian(Take(4)))); break;
            case 0x8d: Push(Text(BinaryPrimitives.ReadUInt64LittleEndian(Take(8)))); break;
            case 'U': Push(Text(Byte())); break;
            case 'T': Push(Text(BinaryPrimitives.ReadUInt32LittleEndian(Take(4)))); break;
            case 'C': Push(Bytes(Byte())); break;
            case 'B': Push(Bytes(BinaryPrimitives.ReadUInt32LittleEndian(Take(4)))); break;
            default: return false;
        }
        return true;
    }

    /// <summary>Opcodes for lists, tuples and dictionaries.</summary>
    private bool RunContainer(int opcode)
    {
        switch (opcode)
        {
            case '(': Push(Mark); break;
            case '0': Pop(); break;
            case '1': PopToMark(); break;
            case ']': Push(new List<object>()); break;
            case 'l': Push(PopToMark()); break;
            case 'a': AppendAll([Pop()]); break;
            case 'e': AppendAll(PopToMark()); break;
            case ')': Push(Array.Empty<object>()); break;
            case 't': Push(PopToMark().ToArray()); break;
            case 0x85: Push(PopTuple(1)); break;
            case 0x86: Push(PopTuple(2)); break;
            case 0x87: Push(PopTuple(3)); break;
            case '}': Push(NewDictionary()); break;
            case 'd':
                var items = PopToMark();
                Push(NewDictionary());
                SetAll(items);
                break;
            case 's': SetAll([.. PopTuple(2)]); break;
            case 'u': SetAll(PopToMark()); break;
            default: return false;
        }
        return true;
    }

    /// <summary>Opcodes that name, recall or rebuild something.</summary>
    private bool RunReference(int opcode)
    {
        switch (opcode)
        {
            case 'q': Memorise(Byte()); break;
            case 'r': Memorise(BinaryPrimitives.ReadUInt32LittleEndian(Take(4))); break;
            case 0x94: Memorise(memo.Count); break;
            case 'h': Recall(Byte()); break;
            case 'j': Recall(BinaryPrimitives.ReadUInt32LittleEndian(Take(4))); break;
            case 'c':
                var module = Line();
                Push(Resolve(module, Line()));
                break;
            case 0x93:
                var pair = PopTuple(2);
                Push(Resolve(pair[0] as string ?? throw Malformed(), pair[1] as string ?? throw Malformed()));
                break;
            case 'Q': Push(Storage(Pop())); break;
            case 'R':
                var call = PopTuple(2);
                Push(Rebuild(call[0], call[1] as object[] ?? throw Malformed()));
                break;
            case 'b': Build(); break;
            default: return false;
        }
        return true;
    }

    private void AppendAll(List<object> items)
    {
        if (Peek() is not List<object> list) throw Malformed();
        list.AddRange(items);
    }

    private void SetAll(List<object> items)
    {
        if (Peek() is not Dictionary<object, object> dictionary || items.Count % 2 != 0) throw Malformed();
        for (var i = 0; i < items.Count; i += 2)
        {
            if (items[i] is not (string or long or bool or double or Inert)) throw Refusal("a key of one of its dictionaries is neither text nor a number");
            dictionary[items[i]] = items[i + 1];
        }
    }

    private static Dictionary<object, object> NewDictionary() => new(SeededKeys.Shared);

    private void Memorise(long index) => memo[index] = Peek();

    private void Recall(long index) => Push(memo.TryGetValue(index, out var value) ? value : throw Malformed());

    /// <summary>BUILD only ever adds attributes such as _metadata to a dictionary, or fills what stands for nothing; they are dropped.</summary>
    private void Build()
    {
        var state = Pop();
        if (Peek() is Inert) return;
        if (Peek() is not Dictionary<object, object> || state is not (Dictionary<object, object> or object[])) throw Refusal("it sets the state of something else than a dictionary");
    }

    private void Push(object value)
    {
        if (stack.Count >= MostValues) throw Refusal($"it stacks more than {MostValues} values");
        stack.Add(value);
    }

    private object Peek() => stack.Count > 0 && !ReferenceEquals(stack[^1], Mark) ? stack[^1] : throw Malformed();

    private object Pop()
    {
        var value = Peek();
        stack.RemoveAt(stack.Count - 1);
        return value;
    }

    private object[] PopTuple(int count)
    {
        var items = new object[count];
        for (var i = count - 1; i >= 0; i--) items[i] = Pop();
        return items;
    }

    private List<object> PopToMark()
    {
        var mark = stack.FindLastIndex(value => ReferenceEquals(value, Mark));
        if (mark < 0) throw Malformed();
        var items = stack.GetRange(mark + 1, stack.Count - mark - 1);
        stack.RemoveRange(mark, stack.Count - mark);
        return items;
    }

    private int Byte() => Take(1)[0];

    private ReadOnlySpan<byte> Take(int length)
    {
        if (length > end - at) throw Refusal("its pickle ends too early");
        var bytes = read(at, length);
        at += length;
        return bytes;
    }

    private void Skip(int length) => Take(length);

    private string Text(ulong length) => length <= LongestText ? Encoding.UTF8.GetString(Take((int)length)) : throw Refusal($"it holds a text of {length} bytes");

    private string Text(int length) => Text((ulong)length);

    private byte[] Bytes(long length) => length <= LongestText ? Take((int)length).ToArray() : throw Refusal($"it holds {length} bytes as one value");

    private object Integer(int length)
    {
        var number = new BigInteger(Take(length));
        return number >= long.MinValue && number <= long.MaxValue ? (object)(long)number : number;
    }

    private string Line()
    {
        var text = new StringBuilder();
        for (var c = Byte(); c != '\n'; c = Byte())
        {
            if (text.Length >= 256) throw Refusal("it names something with more than 256 letters");
            text.Append((char)c);
        }
        return text.ToString();
    }

    private ModelException Malformed() => Refusal("its pickle is damaged");

    private ModelException Refusal(string reason) => TorchCheckpoint.Refusal(path, reason);
}
