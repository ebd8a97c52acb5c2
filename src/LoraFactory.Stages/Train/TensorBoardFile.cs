using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;

namespace LoraFactory.Stages.Train;

/// <summary>
/// A TensorBoard event file: TFRecord framing with masked CRC-32C, Event and Summary messages in protocol buffer encoding
/// (tensorflow/core/util/event.proto, framework/summary.proto). Scalars and pictures.
/// </summary>
public sealed class TensorBoardFile : IDisposable
{
    private readonly FileStream stream;
    private readonly TimeProvider clock;

    /// <summary>Creates the file; a reader that watches the directory finds it by its name, events.out.tfevents.*.</summary>
    public TensorBoardFile(string path, TimeProvider clock)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        stream = new(path, FileMode.Create, FileAccess.Write, FileShare.Read);
        this.clock = clock;
        Write(0, event_ => event_.Text(3, "brain.Event:2"));
    }

    /// <summary>Adds a number. A value that is not finite is written as it is; TensorBoard marks it.</summary>
    public void Scalar(long step, string tag, double value) =>
        Write(step, e => e.Message(5, summary => summary.Message(1, v => v.Text(1, tag).Float(2, (float)value))));

    /// <summary>Adds an encoded picture (PNG).</summary>
    public void Picture(long step, string tag, int width, int height, ReadOnlyMemory<byte> png) =>
        Write(step, e => e.Message(5, summary => summary.Message(1, v => v.Text(1, tag)
            .Message(4, image => image.Integer(1, height).Integer(2, width).Integer(3, 3).Bytes(4, png.Span)))));

    /// <summary>Hands what was written to the system.</summary>
    public void Flush() => stream.Flush();

    /// <inheritdoc/>
    public void Dispose() => stream.Dispose();

    private void Write(long step, Action<ProtoWriter> fill)
    {
        var message = new ProtoWriter();
        message.Double(1, clock.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0).Integer(2, step);
        fill(message);
        var data = message.Written;
        Span<byte> head = stackalloc byte[12];
        BinaryPrimitives.WriteUInt64LittleEndian(head, (ulong)data.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(head[8..], Masked(head[..8]));
        Span<byte> tail = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(tail, Masked(data));
        stream.Write(head);
        stream.Write(data);
        stream.Write(tail);
    }

    /// <summary>CRC-32C (Castagnoli), rotated right by 15 and shifted by a constant, as TFRecord wants it.</summary>
    public static uint Masked(ReadOnlySpan<byte> data)
    {
        var crc = uint.MaxValue;
        foreach (var b in data) crc = BitOperations.Crc32C(crc, b);
        crc = ~crc;
        return BitOperations.RotateRight(crc, 15) + 0xA282EAD8;
    }

    /// <summary>Fields of a protocol buffer message, in the order in which they are added.</summary>
    private sealed class ProtoWriter
    {
        private readonly List<byte> to = [];

        public ReadOnlySpan<byte> Written => CollectionsMarshal.AsSpan(to);

        public ProtoWriter Integer(int field, long value) => Tag(field, 0).Varint((ulong)value);

        public ProtoWriter Double(int field, double value)
        {
            Span<byte> bytes = stackalloc byte[8];
            BinaryPrimitives.WriteDoubleLittleEndian(bytes, value);
            return Tag(field, 1).Raw(bytes);
        }

        public ProtoWriter Float(int field, float value)
        {
            Span<byte> bytes = stackalloc byte[4];
            BinaryPrimitives.WriteSingleLittleEndian(bytes, value);
            return Tag(field, 5).Raw(bytes);
        }

        public ProtoWriter Bytes(int field, ReadOnlySpan<byte> value) => Tag(field, 2).Varint((ulong)value.Length).Raw(value);

        public ProtoWriter Text(int field, string value) => Bytes(field, Encoding.UTF8.GetBytes(value));

        public ProtoWriter Message(int field, Action<ProtoWriter> fill)
        {
            var inner = new ProtoWriter();
            fill(inner);
            return Bytes(field, inner.Written);
        }

        private ProtoWriter Tag(int field, int type) => Varint((ulong)((field << 3) | type));

        private ProtoWriter Varint(ulong value)
        {
            for (; value >= 0x80; value >>= 7) to.Add((byte)(value | 0x80));
            to.Add((byte)value);
            return this;
        }

        private ProtoWriter Raw(ReadOnlySpan<byte> bytes)
        {
            to.AddRange(bytes);
            return this;
        }
    }
}
