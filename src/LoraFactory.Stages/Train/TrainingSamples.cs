using LoraFactory.Images;
using LoraFactory.Models.Training;

namespace LoraFactory.Stages.Train;

/// <summary>Draws the same prompts from the same noise again and again while training, so that the pictures show what the adapter learns.</summary>
internal sealed class TrainingSamples(TrainingModel model, IReadOnlyList<string> prompts, int resolution, long seed, string directory)
{
    private const int Steps = 15;
    private const double Guidance = 4;

    /// <summary>Draws all prompts into samples/step-NNNNNNNN.png; gives the file.</summary>
    public string Draw(long step, TrainingLog log)
    {
        var pictures = model.Pipeline.Generate(new()
        {
            Prompts = prompts, Width = resolution, Height = resolution, Steps = Steps, Guidance = Guidance,
            Sampler = model.Pipeline.Sampler with { ClassName = "DPMSolverMultistepScheduler" },
            Seeds = [.. prompts.Select((_, i) => TrainingRandom.Seed(seed, "samples", i))],
        });
        var grid = PictureGrid.Compose([.. pictures.Select((p, i) => new GridCell(p, prompts[i]))], Math.Min(4, prompts.Count), Math.Clamp(resolution, 128, 256), $"step {step}");
        var png = PictureWriter.Png(grid);
        var file = Path.Combine("samples", $"step-{step:D8}.png");
        Flow.AtomicFile.Write(Path.Combine(directory, file), stream => stream.Write(png));
        log.Write(new() { Event = "samples", Step = step, File = file });
        log.Picture(step, "samples", grid.Width, grid.Height, png);
        return file;
    }
}
