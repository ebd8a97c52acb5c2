using LoraFactory.Torch;
using LoraFactory.Torch.Optim;

namespace LoraFactory.Models.Training;

/// <summary>One micro-batch: b pictures with their noise. Everything random in it was drawn by the caller.</summary>
public sealed record DiffusionBatch
{
    /// <summary>Scaled latents, float32 [b, c, H, W].</summary>
    public required Tensor Latents { get; init; }
    /// <summary>Noise, offset included, float32 [b, c, H, W].</summary>
    public required Tensor Noise { get; init; }
    /// <summary>Timesteps, int64 [b], 0 to T − 1.</summary>
    public required Tensor Timesteps { get; init; }
    /// <summary>Text states, float32 [b, t, ctx]; null when <see cref="TokenIds"/> are encoded in the step.</summary>
    public Tensor? Context { get; init; }
    /// <summary>Token ids, int64 [b, t], for a text encoder that is trained.</summary>
    public Tensor? TokenIds { get; init; }
    /// <summary>Loss mask [b, H', W'], 0..1; null counts every pixel.</summary>
    public Tensor? Mask { get; init; }
    /// <summary>Weight of each sample [b]; null weights all alike.</summary>
    public Tensor? Weights { get; init; }
    /// <summary>SDXL's added conditions.</summary>
    public AddedCondition? Added { get; init; }

    /// <summary>A view of some rows, in the current scope.</summary>
    public DiffusionBatch Rows(long first, long count)
    {
        Tensor? Of(Tensor? t) => t?.Narrow(0, first, count);
        return this with
        {
            Latents = Of(Latents)!,
            Noise = Of(Noise)!,
            Timesteps = Of(Timesteps)!,
            Context = Of(Context),
            TokenIds = Of(TokenIds),
            Mask = Of(Mask),
            Weights = Of(Weights),
            Added = Added is { } a ? new(Of(a.TextEmbeds)!, Of(a.TimeIds)!) : null,
        };
    }
}

/// <summary>What a step did.</summary>
/// <param name="Loss">Mean loss of its micro-batches.</param>
/// <param name="GradientNorm">Global norm before clipping; NaN when the loss was not finite.</param>
/// <param name="Taken">False when loss or norm were not finite: nothing was changed.</param>
public readonly record struct StepResult(double Loss, double GradientNorm, bool Taken);

/// <summary>The prediction of one batch and what it is held against, all in the caller's scope.</summary>
public sealed record DiffusionForward(Tensor Noisy, Tensor Prediction, Tensor Target);

/// <summary>
/// One training step of a noise predictor, the same for the stage, the parity cases and the benchmark: forward, loss, backward over all
/// micro-batches, one global clip, one optimizer step. A step whose loss or gradient is not finite changes neither parameters nor
/// optimizer. Runs on the tensor thread; leaves no tensor behind but gradients' absence.
/// </summary>
public sealed class DiffusionTrainer(UNet unet, DiffusionLoss loss, Optimizer optimizer)
{
    private readonly Tensor[] parameters = [.. optimizer.Groups.SelectMany(g => g.Parameters).Select(p => p.Value)];

    /// <summary>Encodes <see cref="DiffusionBatch.TokenIds"/> to text states; needed when batches carry ids.</summary>
    public Func<Tensor, Tensor>? EncodeText { get; init; }

    /// <summary>Global norm that gradients are scaled down to; 0 never clips.</summary>
    public double MaxGradNorm { get; init; }

    /// <summary>Precision of matrix products; losses, parameters and optimizer stay float32.</summary>
    public DType Precision { get; init; } = DType.Float32;

    /// <summary>
    /// Parts that a micro-batch is cut into, done at the same time where the machine has the processors (<see cref="TorchTeam"/>), 1 to the number of
    /// its rows. Their gradients are added in order: the sum depends on the number of parts in its last bits, not on that of threads.
    /// For adapters without dropout and losses that are one mean over rows, without recomputed activations; <see cref="UNetParts"/> gives a good number.
    /// </summary>
    public int Parts { get; init; } = 1;

    /// <summary>The loss.</summary>
    public DiffusionLoss Loss => loss;

    /// <summary>The optimizer.</summary>
    public Optimizer Optimizer => optimizer;

    /// <summary>Predicts a batch; gradients are recorded as the thread's mode says.</summary>
    public DiffusionForward Forward(DiffusionBatch batch)
    {
        using var cast = new Autocast(batch.Latents.Device.Type, Precision);
        var noisy = loss.Noisy(batch.Latents, batch.Noise, batch.Timesteps);
        var context = batch.Context ?? (EncodeText ?? throw new ModelException("The batch has token ids but the trainer no text encoder: set EncodeText, or give Context."))(
            batch.TokenIds ?? throw new ModelException("A batch needs Context or TokenIds."));
        var prediction = unet.Forward(noisy, batch.Timesteps, context, batch.Added);
        return new(noisy, prediction, loss.Target(batch.Latents, batch.Noise, batch.Timesteps));
    }

    /// <summary>Loss of a batch without gradients, for validation.</summary>
    public double Evaluate(DiffusionBatch batch)
    {
        using var off = Autograd.NoGrad();
        using var scope = new Scope();
        return Value(batch).Item();
    }

    /// <summary>
    /// Accumulates the gradients of one micro-batch out of <paramref name="count"/> and returns its loss; without a backward pass when the
    /// loss is not finite.
    /// </summary>
    public double Accumulate(DiffusionBatch batch, int count = 1)
    {
        var parts = (int)Math.Min(Parts, batch.Latents.Size(0));
        if (parts > 1) return AccumulateParts(batch, parts, count);
        using var on = Autograd.WithGrad();
        using var scope = new Scope();
        var value = Value(batch);
        var number = value.Item();
        if (double.IsFinite(number)) (count == 1 ? value : value / count).Backward();
        return number;
    }

    private Tensor Value(DiffusionBatch batch)
    {
        var f = Forward(batch);
        return loss.Total(f.Prediction, f.Target, batch.Timesteps, batch.Mask, batch.Weights);
    }

    private double AccumulateParts(DiffusionBatch batch, int parts, int count)
    {
        var rows = batch.Latents.Size(0);
        var done = TorchTeam.Run(parts, i =>
        {
            var (first, size) = UNetParts.Rows(rows, i, parts);
            using var on = Autograd.WithGrad();
            using var scope = new Scope();
            var share = size / (double)rows;
            var value = Value(batch.Rows(first, size));
            var number = value.Item();
            return (Loss: number * share, Gradients: double.IsFinite(number) ? Array.ConvertAll(Autograd.Gradients(value * (share / count), parameters), g => g?.Own()) : []);
        }, d => Array.ForEach(d.Gradients, g => g?.Dispose()));
        using var scope = new Scope();
        var total = done.Sum(d => d.Loss);
        for (var p = 0; p < parameters.Length && double.IsFinite(total); p++)
            foreach (var (_, gradients) in done)
            {
                if (gradients[p] is not { } gradient) continue;
                if (parameters[p].Grad() is { } sum) sum.Add_(gradient);
                else parameters[p].SetGrad(gradient);
            }
        foreach (var gradient in done.SelectMany(d => d.Gradients)) gradient?.Dispose();
        return total;
    }

    /// <summary>Clips the accumulated gradients, steps and clears; <paramref name="meanLoss"/> decides together with the norm whether it may.</summary>
    public StepResult Finish(double meanLoss)
    {
        using var scope = new Scope();
        var norm = double.NaN;
        if (double.IsFinite(meanLoss))
        {
            var gradients = Array.ConvertAll(parameters, p => p.Grad()).OfType<Tensor>().ToArray();
            norm = MaxGradNorm > 0 ? GradientClip.ToNorm(gradients, MaxGradNorm) : GradientClip.Norm(gradients);
        }
        var taken = double.IsFinite(norm);
        if (taken) optimizer.Step();
        optimizer.ClearGradients();
        return new(meanLoss, norm, taken);
    }

    /// <summary>One whole step over micro-batches; <see cref="Accumulate"/> for each, then <see cref="Finish"/>.</summary>
    public StepResult Step(params IReadOnlyList<DiffusionBatch> batches)
    {
        var total = 0.0;
        foreach (var batch in batches)
        {
            total += Accumulate(batch, batches.Count);
            if (!double.IsFinite(total)) break;
        }
        return Finish(total / batches.Count);
    }
}
