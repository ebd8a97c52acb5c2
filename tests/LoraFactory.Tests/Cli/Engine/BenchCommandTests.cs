using System.Text.Json;
using LoraFactory.Cli;

namespace LoraFactory.Tests.Cli.Engine;

/// <summary>Each benchmark at sizes that take no time: one line, the fields of the peers' scripts, figures that can be true.</summary>
[Collection("torch")]
public sealed class BenchCommandTests
{
    private static async Task<(int Code, string Out, string Error)> Run(params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = await CommandLine.RunAsync(["bench", .. args], output, error);
        return (code, output.ToString(), error.ToString());
    }

    private static async Task<JsonElement> Line(string bench, params string[] args)
    {
        var (code, text, error) = await Run(args);
        Assert.True(code == 0, error);
        var line = JsonDocument.Parse(Assert.Single(text.Split('\n', StringSplitOptions.RemoveEmptyEntries))).RootElement;
        Assert.Equal(bench, line.GetProperty("bench").GetString());
        Assert.Equal(LoraFactory.Torch.TorchLibrary.Version, line.GetProperty("torch").GetString());
        Assert.InRange(line.GetProperty("peak_rss_mb").GetDouble(), 50, 1e6);
        var calibration = line.GetProperty("calib_gflops_best_median").EnumerateArray().Select(v => v.GetDouble()).ToArray();
        Assert.Equal(2, calibration.Length);
        Assert.InRange(calibration[1], 0.1, calibration[0]);
        Assert.InRange(calibration[0], 0.1, 1e6);
        Assert.All(line.GetProperty("cpu_s").EnumerateArray(), v => Assert.True(v.GetDouble() >= 0));
        return line;
    }

    private static double Number(JsonElement line, string field) => line.GetProperty(field).GetDouble();

    [Theory]
    [InlineData("0")]
    [InlineData("1")]
    public async Task Training_steps_are_timed_at_the_peers_dimensions(string checkpointing)
    {
        var line = await Line("unet_lora", "train", "--batch", "1", "--latent", "8", "--reps", "2", "--steps", "2", "--ckpt", checkpointing, "--threads", "1");
        Assert.Equal("tiny", line.GetProperty("dims").GetString());
        Assert.Equal(checkpointing, line.GetProperty("ckpt").ToString());
        Assert.Equal(8_984_836, Number(line, "params")); // what diffusers counts
        Assert.Equal(114_688, Number(line, "trainable")); // what PEFT counts
        Assert.Equal(2, line.GetProperty("all_s").GetArrayLength());
        Assert.InRange(Number(line, "step_s"), 0.001, 100);
        Assert.Equal(1, Number(line, "step_s") * Number(line, "steps_per_s"), 0.05);
        Assert.Equal(1, Number(line, "threads"));
    }

    [Fact]
    public async Task The_pocket_model_is_measured_at_batch_eight_unless_told_otherwise()
    {
        var line = await Line("unet_lora", "train", "--dims", "pocket", "--reps", "1", "--warm", "0");
        Assert.Equal(8, Number(line, "batch"));
        Assert.Equal(16, Number(line, "latent"));
        Assert.True(Number(line, "steps_per_s") > 0);
    }

    [Fact]
    public async Task Pictures_and_passes_are_timed()
    {
        var pictures = await Line("sd_draw", "draw", "--steps", "2", "--batch", "2", "--reps", "1", "--warm", "0");
        Assert.Equal(64, Number(pictures, "side"));
        Assert.Equal(2, Number(pictures, "draw_s") * Number(pictures, "pictures_per_s"), 0.1);
        var unet = await Line("sd_infer", "draw", "--part", "unet", "--dims", "tiny", "--latent", "8", "--reps", "1");
        Assert.Equal(8_984_836, Number(unet, "params"));
        Assert.True(Number(unet, "ms") > 0);
        var vae = await Line("sd_infer", "draw", "--part", "vae", "--latent", "4", "--reps", "1", "--warm", "0");
        Assert.Equal(83_653_863, Number(vae, "params")); // Stable Diffusion 1.5's autoencoder
        Assert.True(Number(vae, "ms") > 0);
    }

    [Fact]
    public async Task Operators_cost_nanoseconds()
    {
        var line = await Line("ops", "ops", "--rounds", "3", "--calls", "500");
        var clock = line.GetProperty("ns").EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetDouble());
        Assert.Equal(["add.Tensor", "add_.Tensor", "view", "detach", "empty(16)", "linear 64x64", "linear 64x64, grad"], clock.Keys);
        Assert.All(clock.Values, ns => Assert.InRange(ns, 10, 1e8));
    }

    [Fact]
    public async Task A_file_is_mapped_read_and_left_only_where_it_was_asked_for()
    {
        var folder = TestData.NewFolder();
        var file = Path.Combine(folder, "bench.safetensors");
        var line = await Line("safetensors_load", "load", "--mb", "32", "--path", file, "--reps", "2");
        Assert.Equal(32, Number(line, "mb"));
        Assert.InRange(Number(line, "load_s"), 0, Number(line, "load_and_sum_s"));
        Assert.InRange(Number(line, "read_gb_per_s"), 0.001, 1000);
        Assert.Equal([file], Directory.GetFiles(folder));
        Assert.InRange(new FileInfo(file).Length, 32 << 20, (32 << 20) + 8192);
        Directory.Delete(folder, recursive: true);
        await Line("safetensors_load", "load", "--mb", "16", "--reps", "1");
        Assert.Empty(Directory.GetFiles(Path.GetTempPath(), "lora-bench-*"));
    }

    [Theory]
    [InlineData("--latent 12", "train", "--latent", "12")]
    [InlineData("--reps 0", "train", "--reps", "0")]
    [InlineData("--mb", "load", "--mb", "20")]
    [InlineData("huge", "train", "--dims", "huge")]
    [InlineData("--speedup 1001: it takes a number from 1 to 1000.", "crawl", "--speedup", "1001")]
    [InlineData("--speedup 0.5: it takes a number from 1 to 1000.", "web", "--speedup", "0.5")]
    [InlineData("--speedup NaN: it takes a number from 1 to 1000.", "web", "--speedup", "NaN")]
    [InlineData("--traps 2: it takes a number from 0 to 1.", "crawl", "--traps", "2")]
    public async Task What_cannot_be_measured_is_a_wrong_use(string named, params string[] args)
    {
        var (code, text, error) = await Run(args);
        Assert.Equal(2, code);
        Assert.Empty(text);
        Assert.Contains(named.EndsWith('.') ? named : named.Split(' ')[0], error, StringComparison.Ordinal);
    }
}
