using System.Buffers.Binary;
using LoraFactory.Stages.Train;

namespace LoraFactory.Tests.Stages.Train;

public sealed class TensorBoardFileTests
{
    // RFC 3720 B.4: 32 bytes of zeros have CRC-32C 8a9136aa.
    [Fact]
    public void The_checksum_is_the_castagnoli_crc_rotated_and_shifted()
    {
        const uint crc = 0x8A9136AA;
        Assert.Equal(unchecked(((crc >> 15) | (crc << 17)) + 0xA282EAD8), TensorBoardFile.Masked(new byte[32]));
    }

    [Fact]
    public void Records_are_framed_and_hold_version_step_tag_and_value()
    {
        var path = Path.Combine(TestData.NewFolder(), "events.out.tfevents.1");
        using (var board = new TensorBoardFile(path, TimeProvider.System))
        {
            board.Scalar(7, "loss/train", 0.25);
            board.Picture(8, "samples", 2, 3, new byte[] { 1, 2, 3 });
        }
        var bytes = File.ReadAllBytes(path);
        var records = new List<byte[]>();
        for (var at = 0; at < bytes.Length;)
        {
            var length = (int)BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(at));
            Assert.Equal(TensorBoardFile.Masked(bytes.AsSpan(at, 8)), BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at + 8)));
            records.Add(bytes[(at + 12)..(at + 12 + length)]);
            Assert.Equal(TensorBoardFile.Masked(records[^1]), BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at + 12 + length)));
            at += 16 + length;
        }
        Assert.Equal(3, records.Count);
        Assert.Contains("brain.Event:2", System.Text.Encoding.ASCII.GetString(records[0]), StringComparison.Ordinal);
        // field 2 (step) = 7; summary { value { tag, simple_value = 0.25f } }
        Assert.Equal([0x10, 7], records[1][9..11]);
        Assert.Equal([0x2A, 0x13, 0x0A, 0x11, 0x0A, 10], records[1][11..17]);
        Assert.Equal("loss/train"u8.ToArray(), records[1][17..27]);
        Assert.Equal([0x15, 0, 0, 0x80, 0x3E], records[1][27..]);
        Assert.Equal([0x22, 11, 0x08, 3, 0x10, 2, 0x18, 3, 0x22, 3, 1, 2, 3], records[2][^13..]);
    }
}
