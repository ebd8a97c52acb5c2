using LoraFactory.Torch;

namespace LoraFactory.Models.Weights;

/// <summary>
/// A tensor as it lies in a mapped file: a view with shape and strides, no copy. Slices, transposes and renamings of it are
/// views too, so converting a checkpoint's names costs no memory. Valid while its <see cref="WeightSource"/> is open.
/// </summary>
public sealed unsafe class Weight
{
    private readonly MappedFile file;
    private readonly long offset;

    /// <summary>A view; the caller has checked that every element lies within the file.</summary>
    internal Weight(MappedFile file, string name, DType type, long[] shape, long[] strides, long offset)
    {
        this.file = file;
        this.offset = offset;
        Name = name;
        DType = type;
        Shape = shape;
        Strides = strides;
        Count = shape.Aggregate(1L, (product, size) => product * size);
    }

    /// <summary>Name in the source.</summary>
    public string Name { get; }

    /// <summary>Element type.</summary>
    public DType DType { get; }

    /// <summary>Sizes of the dimensions; empty for a scalar.</summary>
    public IReadOnlyList<long> Shape { get; }

    /// <summary>Steps in elements from one index to the next, per dimension.</summary>
    public IReadOnlyList<long> Strides { get; }

    /// <summary>Number of elements.</summary>
    public long Count { get; }

    /// <summary>Bytes of all elements, row-major.</summary>
    public long ByteLength => Count * DTypes.Bytes(DType);

    /// <summary>The file whose bytes these are.</summary>
    public MappedFile File => file;

    /// <summary>Offset of the first element in the file, in bytes.</summary>
    public long Offset => offset;

    /// <summary>Whether the elements lie row-major without gaps.</summary>
    public bool IsContiguous
    {
        get
        {
            var expected = 1L;
            for (var d = Shape.Count - 1; d >= 0; d--)
            {
                if (Shape[d] == 0) return true;
                if (Shape[d] != 1 && Strides[d] != expected) return false;
                expected *= Shape[d];
            }
            return true;
        }
    }

    /// <summary>Row-major strides of a shape.</summary>
    public static long[] RowMajor(IReadOnlyList<long> shape)
    {
        var strides = new long[shape.Count];
        var step = 1L;
        for (var d = shape.Count - 1; d >= 0; d--)
        {
            strides[d] = step;
            step *= Math.Max(1, shape[d]);
        }
        return strides;
    }

    /// <summary>The same tensor under another name.</summary>
    public Weight Named(string name) => name == Name ? this : new Weight(file, name, DType, [.. Shape], [.. Strides], offset);

    /// <summary>Rows [first, first + count) of the first dimension.</summary>
    public Weight Rows(long first, long count)
    {
        if (Shape.Count == 0 || first < 0 || count < 0 || first > Shape[0] - count)
            throw new ModelException($"{file.Path}: '{Name}' of shape {Describe(Shape)} has no rows {first} to {first + count}.");
        long[] shape = [count, .. Shape.Skip(1)];
        return new Weight(file, Name, DType, shape, [.. Strides], offset + first * Strides[0] * DTypes.Bytes(DType));
    }

    /// <summary>A matrix with rows and columns exchanged: [a,b] → [b,a].</summary>
    public Weight Transposed()
    {
        if (Shape.Count != 2) throw new ModelException($"{file.Path}: '{Name}' of shape {Describe(Shape)} is not a matrix.");
        return new Weight(file, Name, DType, [Shape[1], Shape[0]], [Strides[1], Strides[0]], offset);
    }

    /// <summary>The same elements in another shape; only sizes of 1 may come or go unless the view is contiguous.</summary>
    public Weight Reshaped(params long[] shape)
    {
        if (shape.SequenceEqual(Shape)) return this;
        if (!IsContiguous || shape.Aggregate(1L, (product, size) => product * size) != Count)
            throw new ModelException($"{file.Path}: '{Name}' of shape {Describe(Shape)} cannot take the shape {Describe(shape)}.");
        return new Weight(file, Name, DType, shape, RowMajor(shape), offset);
    }

    /// <summary>The bytes in place, row-major; the view must be contiguous and shorter than 2 GiB.</summary>
    public ReadOnlySpan<byte> Span
    {
        get
        {
            if (!IsContiguous || ByteLength > int.MaxValue)
                throw new ModelException($"{file.Path}: '{Name}' ({ByteLength} bytes, {(IsContiguous ? "contiguous" : "strided")}) cannot be read as one span; copy it instead.");
            return file.Span(Count == 0 ? 0 : offset, (int)ByteLength);
        }
    }

    /// <summary>Address of the first element; valid while <see cref="File"/> is held.</summary>
    public byte* Pointer => file.Pointer(offset, Count == 0 ? 0 : Reach * DTypes.Bytes(DType));

    /// <summary>Keeps its bytes mapped until the action that comes back is called, see <see cref="MappedFile.Hold"/>.</summary>
    public Action Hold() => file.Hold(offset, Count == 0 ? 0 : Reach * DTypes.Bytes(DType));

    /// <summary>Elements from the first to the last one addressed, inclusive.</summary>
    private long Reach
    {
        get
        {
            var last = 0L;
            for (var d = 0; d < Shape.Count; d++) last += (Shape[d] - 1) * Strides[d];
            return last + 1;
        }
    }

    /// <summary>Copies the elements row-major to memory of <see cref="ByteLength"/> bytes.</summary>
    public void CopyTo(byte* target)
    {
        if (Count == 0) return;
        var source = Pointer;
        if (IsContiguous) Buffer.MemoryCopy(source, target, ByteLength, ByteLength);
        else CopyStrided(source, ref target, 0);
    }

    /// <summary>The elements row-major in an array; at most 2 GiB.</summary>
    public byte[] ToArray()
    {
        if (ByteLength > Array.MaxLength) throw new ModelException($"{file.Path}: '{Name}' of {ByteLength} bytes does not fit an array.");
        var bytes = new byte[ByteLength];
        fixed (byte* target = bytes) CopyTo(target);
        return bytes;
    }

    /// <summary>Writes the elements row-major.</summary>
    public void WriteTo(Stream stream)
    {
        if (!IsContiguous)
        {
            stream.Write(ToArray());
            return;
        }
        const int piece = 1 << 24;
        for (var done = 0L; done < ByteLength; done += piece)
            stream.Write(file.Span(offset + done, (int)Math.Min(piece, ByteLength - done)));
    }

    /// <summary>"[2, 3]".</summary>
    public static string Describe(IReadOnlyList<long> shape) => $"[{string.Join(", ", shape)}]";

    /// <inheritdoc/>
    public override string ToString() => $"{Name} {ElementTypes.NameOf(DType)} {Describe(Shape)}";

    private void CopyStrided(byte* source, ref byte* target, int dimension)
    {
        var size = DTypes.Bytes(DType);
        if (dimension == Shape.Count)
        {
            for (var b = 0; b < size; b++) target[b] = source[b];
            target += size;
            return;
        }
        for (var i = 0L; i < Shape[dimension]; i++)
            CopyStrided(source + i * Strides[dimension] * size, ref target, dimension + 1);
    }
}
