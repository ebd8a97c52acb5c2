using System.Text.Json.Nodes;
using LoraFactory.Torch;

namespace LoraFactory.Cli.Engine.Bench;

/// <summary>Nanoseconds of single operators through the door, from C# call to released result: what a call costs beside its arithmetic.</summary>
public static class OperatorBench
{
    private const int CallsOfScope = 100;

    /// <summary>
    /// Measures each operator in <paramref name="rounds"/> rounds of <paramref name="calls"/> calls; the fastest round counts. "ns" is by the
    /// clock, "cpu_ns" the CPU time of the whole process, which a busy machine moves less.
    /// </summary>
    public static JsonObject Run(int rounds, int calls, BenchSettings settings) => Measurement.OnTensorThread(settings, () =>
    {
        var one = Ops.Randn([1]);
        var other = Ops.Randn([1]);
        var plane = Ops.Randn([4, 4]);
        var x = Ops.Randn([64, 64]);
        var weight = Ops.Randn([64, 64]);
        var bias = Ops.Randn([64]);
        var trained = Ops.Randn([64, 64]);
        trained.RequiresGrad = true;
        long[] flat = [16];
        var measurement = new Measurement("ops", settings);
        var (clock, cpu) = (new JsonObject(), new JsonObject());
        void Measure(string name, Action call)
        {
            var time = measurement.Best(() => Repeat(call, calls), rounds, warm: 1);
            clock[name] = Math.Round(time.Best / calls * 1e9, 1);
            cpu[name] = Math.Round(time.Cpu / calls * 1e9, 1);
        }
        using (Autograd.NoGrad())
        {
            Measure("add.Tensor", () => one.Add(other));
            Measure("add_.Tensor", () => one.Add_(other));
            Measure("view", () => plane.View(flat));
            Measure("detach", () => one.Detach());
            Measure("empty(16)", () => Ops.Empty(flat, dtype: DType.Float32));
            Measure("linear 64x64", () => Ops.Linear(x, weight, bias));
        }
        using (Autograd.WithGrad()) Measure("linear 64x64, grad", () => Ops.Linear(x, trained, bias));
        return measurement.Line(new() { ["rounds"] = rounds, ["calls"] = calls, ["ns"] = clock, ["cpu_ns"] = cpu });
    });

    // results are released a hundred at a time, as the scope of a block of layers does it
    private static void Repeat(Action call, int calls)
    {
        for (var done = 0; done < calls; done += CallsOfScope)
        {
            using var scope = new Scope();
            for (var i = Math.Min(CallsOfScope, calls - done); i > 0; i--) call();
        }
    }
}
