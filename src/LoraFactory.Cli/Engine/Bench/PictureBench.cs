using System.CommandLine;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using LoraFactory.Cli.Commands;
using LoraFactory.Flow;
using LoraFactory.Images;
using LoraFactory.Stages.Clean;
using LoraFactory.Stages.Clean.Text;
using LoraFactory.Stages.Train;

namespace LoraFactory.Cli.Engine.Bench;

/// <summary>
/// Pictures a CPU second, that of the decoding processes included: decoded, cut to a square of 256 pixels and encoded again, as training's pictures are; and
/// measured as clean measures them. Then the search for near hashes.
/// </summary>
internal static partial class PictureBench
{
    private const int Side = 256, Quality = 95;

    /// <summary>The command.</summary>
    public static Command Command(CommandWorld world)
    {
        var count = NumberOption.Of("--pictures", "Files decoded", 1000, 1, 1_000_000);
        var different = NumberOption.Of("--different", "Of these so many are different", 64, 1, 10_000);
        var hashes = NumberOption.Of("--hashes", "Random hashes searched for near ones, one in ten of them planted; 0: none", 100_000, 0, 10_000_000);
        var processes = NumberOption.Of("--processes", "Decoding processes", 2, 1, 64);
        var seed = NumberOption.Of("--seed", "Seed of the pictures: the same ones again each time", 1, 0, int.MaxValue);
        var like = new Option<string>("--like") { Description = "photo: 1024×768 with detail of every size, JPEG of quality 85; smooth: the peers' pictures, 640×480 to 800×600 without fine detail, quality 88", DefaultValueFactory = _ => "photo" };
        like.AcceptOnlyFromAmong("photo", "smooth");
        var command = new Command("pictures", "Pictures a CPU second of decoding, cutting and measuring, and the search for near ones") { count, different, like, hashes, processes, seed };
        command.SetAction((parsed, token) => Task.Run(async () =>
        {
            var made = Made(parsed.GetValue(like) == "smooth", Math.Min(parsed.GetValue(different), parsed.GetValue(count)), parsed.GetValue(seed), token);
            var files = Enumerable.Range(0, parsed.GetValue(count)).Select(i => made[i % made.Count]).ToList();
            var line = new JsonObject { ["bench"] = "pictures", ["like"] = parsed.GetValue(like), ["pictures"] = files.Count, ["different"] = made.Count, ["mean_bytes"] = files.Sum(f => (long)f.Length) / files.Count };
            var cropped = await CroppedAsync(files, parsed.GetValue(processes), token);
            line["crop_256_per_cpu_s"] = Math.Round(files.Count / cropped, 1);
            var measured = await MeasuredAsync(files, parsed.GetValue(processes), token);
            line["measured_512_per_cpu_s"] = Math.Round(files.Count / measured, 1);
            if (parsed.GetValue(hashes) is > 0 and var many) line["near_hashes"] = Searched(many, token);
            line["peak_rss_mb"] = Math.Round(ProcessMemory.PeakMiB);
            world.Out.WriteLine(line.ToJsonString(RunDirectory.Json));
            return (int)ExitCode.Done;
        }, token));
        return command;
    }

    private static async Task<double> CroppedAsync(List<byte[]> files, int processes, CancellationToken token)
    {
        var before = Used();
        long written = 0;
        using (var decoder = new IsolatedDecoder(processes: processes))
        {
            await Parallel.ForEachAsync(files, new ParallelOptions { MaxDegreeOfParallelism = processes, CancellationToken = token }, async (file, cancelled) =>
            {
                Interlocked.Add(ref written, (await decoder.SquareJpegAsync(file, Side, Quality, cancelled)).Length);
            });
        }
        if (written < files.Count * 1000L) throw new LoraException($"the {files.Count} pictures became {written} bytes, fewer than any encoder makes of them.");
        return Used() - before;
    }

    // Clean's own path, over a run's blobs; bytes made unlike at their end, since equal ones are measured once.
    private static async Task<double> MeasuredAsync(List<byte[]> files, int processes, CancellationToken token)
    {
        var folder = Directory.CreateTempSubdirectory("lora-bench-pictures").FullName;
        try
        {
            var run = new RunDirectory(folder);
            var candidates = files.Select((file, i) => new Candidate { PageId = "", PageUrl = "", PictureUrl = $"{i}.jpg", BlobHash = run.PutBlob([.. file, .. BitConverter.GetBytes(i)]), Depth = 0, Index = i }).ToList();
            var before = Used();
            var checks = new PictureChecks(run, new CleanOptions { MinSide = 1 }, EarlierScores.None, processes);
            var (kept, drops) = await checks.CheckAsync(candidates, new SilentProgress().Begin("", null, ""), token);
            var used = Used() - before;
            if (kept.Count != files.Count) throw new LoraException($"of {files.Count} pictures {kept.Count} were kept: {drops[0].Reason}, {drops[0].Detail}.");
            return used;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static JsonObject Searched(int count, CancellationToken token)
    {
        var result = new JsonObject { ["hashes"] = count };
        foreach (var distance in (int[])[6, 10, 16])
        {
            token.ThrowIfCancellationRequested();
            var random = new Random(distance);
            var search = new HashSearch(distance, count);
            var hashes = new ulong[count];
            for (var i = 0; i < count; i++)
            {
                hashes[i] = (ulong)random.NextInt64() ^ ((ulong)random.NextInt64() << 1);
                if (i % 10 != 9) continue;
                hashes[i] = hashes[i - 9];
                while (BitOperations.PopCount(hashes[i] ^ hashes[i - 9]) < distance) hashes[i] ^= 1UL << random.Next(64);
            }
            int planted = count / 10, found = 0;
            var near = new List<int>();
            var before = Environment.CpuUsage.TotalTime;
            for (var i = 0; i < count; i++)
            {
                near.Clear();
                search.Find(hashes[i], near);
                if (i % 10 == 9 && near.Contains(i - 9)) found++;
                search.Add(hashes[i]);
            }
            result[$"within_{distance}"] = new JsonObject { ["cpu_s"] = Math.Round((Environment.CpuUsage.TotalTime - before).TotalSeconds, 2), ["parts"] = search.Parts, ["found"] = found, ["planted"] = planted };
        }
        return result;
    }

    private static List<byte[]> Made(bool smooth, int count, int seed, CancellationToken token)
    {
        (int, int)[] sizes = smooth ? [(640, 480), (800, 600), (512, 512), (480, 720)] : [(1024, 768), (768, 1024)];
        var files = new byte[count][];
        Parallel.For(0, count, new ParallelOptions { CancellationToken = token, MaxDegreeOfParallelism = 2 }, i =>
        {
            var random = new Random(unchecked(seed * 100_003 + i));
            var (width, height) = sizes[i % sizes.Length];
            files[i] = smooth ? PictureWriter.Jpeg(Noise(random, 16, 12, width, height), 88) : PictureWriter.Jpeg(Photograph(random, width, height), 85);
        });
        return [.. files];
    }

    // Detail falls with its size as in photographs: noise of every octave, each half as strong as the one before, things with edges, grain.
    private static Picture Photograph(Random random, int width, int height)
    {
        var sum = new double[width * height * 3];
        for (int cells = 4, strength = 256; strength >= 16; cells *= 2, strength /= 2)
        {
            var octave = Noise(random, cells, cells, width, height).Pixels;
            for (var i = 0; i < sum.Length; i++) sum[i] += (octave[i] - 128) / 256.0 * strength;
        }
        var picture = new Picture(width, height, [.. sum.Select(v => (byte)Math.Clamp(128 + v, 0, 255))]);
        for (var thing = 0; thing < 30; thing++)
        {
            var (wide, high) = (random.Next(10, 200), random.Next(10, 200));
            var patch = Noise(random, 3, 3, wide, high);
            picture.Paste(patch, random.Next(width), random.Next(height));
        }
        for (var i = 0; i < picture.Pixels.Length; i++) picture.Pixels[i] = (byte)Math.Clamp(picture.Pixels[i] + random.Next(-6, 7), 0, 255);
        return picture;
    }

    private static Picture Noise(Random random, int across, int down, int width, int height)
    {
        var bytes = new byte[across * down * 3];
        random.NextBytes(bytes);
        return PictureResampler.Resize(new Picture(across, down, bytes), width, height, Resampling.Bicubic);
    }

    // CPU seconds of this process and of the children that have ended.
    private static double Used()
    {
        var children = 0.0;
        if (OperatingSystem.IsLinux() && getrusage(Children, out var usage) == 0) children = usage.UserSeconds + usage.SystemSeconds + (usage.UserMicroseconds + usage.SystemMicroseconds) / 1e6;
        return Environment.CpuUsage.TotalTime.TotalSeconds + children;
    }

    private const int Children = -1;

    // struct rusage of Linux on 64 bits: two times, then fourteen counts.
    [StructLayout(LayoutKind.Sequential, Size = 144)]
    private struct ResourceUsage
    {
        public long UserSeconds;
        public long UserMicroseconds;
        public long SystemSeconds;
        public long SystemMicroseconds;
    }

    [LibraryImport("libc")] private static partial int getrusage(int who, out ResourceUsage usage);
}
