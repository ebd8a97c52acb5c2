using LoraFactory.Flow;
using LoraFactory.Stages.Train;
using LoraFactory.Tests.Stages.Train;

namespace LoraFactory.Tests.Cli;

/// <summary>A full disk is one clear line; with more space the same command goes on, to the same bytes.</summary>
[Collection("torch")]
public sealed class FullDiskTests(FinishedLine line) : FinishedLineTests(line)
{
    [Fact]
    public async Task Output_that_cannot_be_written_is_said_so()
    {
        await using var lora = LoraProcess.StartProgram("sh", ["-c", "exec dotnet \"$0\" --help > /dev/full", LoraProcess.Program]);
        Assert.Equal(1, await lora.EndAsync());
        Assert.Equal("lora: the disk is full. Free some space and run the same command again; nothing was lost.", lora.Text);
    }

    [Fact]
    public async Task Crawl_and_training_on_a_small_disk_end_in_one_line_and_go_on_when_it_is_larger()
    {
        var disk = Directory.CreateDirectory(Folder.File("disk")).FullName;
        var mount = await PrivateMount.FindAsync(disk, "a full disk in crawl and training");
        if (mount is null) return; // /dev/full above has to do
        var straight = TrainRun.Make(Folder.File("straight"));
        await new TrainStage().RunAsync(TrainRun.Context(straight), TestContext.Current.CancellationToken);
        TrainRun.Make(Folder.File("source"));
        // first room for a few pages, then for the run and half a checkpoint
        const string Script = """
            exec 2>&1
            disk=$1; source=$2; lora=$3; shift 3
            mount -t tmpfs -o size=300k tmpfs "$disk"
            echo "== crawl, small"; dotnet "$lora" crawl "$@"; echo "= $?"
            mount -o remount,size=64m "$disk"
            echo "== crawl, larger"; dotnet "$lora" crawl "$@"; echo "= $?"
            rm -r "$disk"/runs; cp -r "$source"/. "$disk"
            mount -o remount,size=$(( $(df --output=used -k "$disk" | tail -n 1) + 330 ))k "$disk"
            echo "== train, small"; dotnet "$lora" train-plan "$disk"/a-run; echo "= $?"
            mount -o remount,size=64m "$disk"
            echo "== train, larger"; dotnet "$lora" train-plan "$disk"/a-run; echo "= $?"
            sha256sum < "$disk"/a-run/5-train/adapter.safetensors
            find "$disk" -name '*.tmp'
            """;
        await using var shell = LoraProcess.StartProgram(mount[0], [.. mount.Skip(1), "sh", "-c", Script, "sh", disk, Folder.File("source"), LoraProcess.Program, .. Line.Recipe(disk)]);
        Assert.Equal(0, await shell.EndAsync());
        var parts = shell.Text.Split("== ").Skip(1).ToDictionary(p => p.Split('\n')[0]);
        foreach (var what in new[] { "crawl", "train" })
        {
            Assert.Contains("\n= 1", parts[$"{what}, small"]);
            Assert.Contains("could not be written: the disk is full. Free some space and run the same command again; nothing was lost.\n= 1", parts[$"{what}, small"]);
            Assert.DoesNotContain("   at ", parts[$"{what}, small"]);
            Assert.Contains($"{what}: going on from where it was interrupted", parts[$"{what}, larger"]);
            Assert.Contains("\n= 0", parts[$"{what}, larger"]);
        }
        Assert.Contains("40 pictures fetched", parts["crawl, larger"]);
        Assert.EndsWith($"{ContentId.OfFile(straight.File(StageName.Train, "adapter.safetensors"))}  -", parts["train, larger"]);
    }
}
