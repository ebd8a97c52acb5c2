using System.Runtime.InteropServices;
using System.Text;

namespace LoraFactory.Torch;

public sealed unsafe partial class Tensor
{
    /// <summary>Whether gradients flow to it. Set it on leaves of floating dtype only.</summary>
    public bool RequiresGrad
    {
        get => Native.door_requires_grad(Handle) != 0;
        set => Native.Ok(Native.door_set_requires_grad(Handle, value ? 1 : 0), "requires_grad");
    }

    /// <summary>Whether it is a leaf of the graph.</summary>
    public bool IsLeaf => Native.door_is_leaf(Handle) != 0;

    /// <summary>The accumulated gradient, in the current scope; null when there is none.</summary>
    public Tensor? Grad()
    {
        nint grad = 0;
        Native.Ok(Native.door_grad(Handle, &grad), "grad");
        return grad == 0 ? null : new(grad);
    }

    /// <summary>Replaces the gradient; null frees it.</summary>
    public void SetGrad(Tensor? grad) => Native.Ok(Native.door_set_grad(Handle, grad?.Handle ?? 0), "set_grad");

    /// <summary>Accumulates gradients of this scalar into every leaf that requires them.</summary>
    public void Backward(bool retainGraph = false)
    {
        var me = Handle;
        Native.Ok(Native.door_backward(&me, null, 1, retainGraph ? 1 : 0, 0, null, 0), "backward");
    }
}

/// <summary>Gradient mode, gradients of chosen inputs, and gradient checkpointing.</summary>
public static unsafe class Autograd
{
    /// <summary>Whether this thread records operations.</summary>
    public static bool Enabled
    {
        get => Native.door_grad_enabled() != 0;
        set => Native.door_set_grad_enabled(value ? 1 : 0);
    }

    /// <summary>Turns recording off on this thread until disposed. Never await inside.</summary>
    public static GradMode NoGrad() => new(false);

    /// <summary>Turns recording on on this thread until disposed.</summary>
    public static GradMode WithGrad() => new(true);

    /// <summary>Gradients of one scalar by each input; null where an input takes no part.</summary>
    public static Tensor?[] Gradients(Tensor output, ReadOnlySpan<Tensor> inputs)
    {
        var handles = new nint[inputs.Length];
        for (var i = 0; i < handles.Length; i++) handles[i] = inputs[i].Handle;
        var results = new nint[inputs.Length];
        var o = output.Handle;
        fixed (nint* p = handles)
        fixed (nint* r = results)
            Native.Ok(Native.door_autograd_grad(&o, null, 1, p, handles.Length, 0, 0, 1, r), "grad");
        return Array.ConvertAll(results, h => h == 0 ? null : Tensor.Adopt(h));
    }

    /// <summary>
    /// Runs <paramref name="function"/> now without keeping activations, and once more in the backward pass (Chen et al. 2016).
    /// <paramref name="parameters"/> are the trainable leaves that it uses besides its inputs: without them named here, and with no input
    /// that requires a gradient, none would flow. The states of the generators of the CPU and of the inputs' devices are replayed, so dropout draws the same numbers.
    /// The function gets its own scope and returns one tensor. What it throws comes back as a <see cref="TorchException"/> of the same kind.
    /// </summary>
    public static Tensor Checkpoint(Func<Tensor[], Tensor> function, ReadOnlySpan<Tensor> inputs, ReadOnlySpan<Tensor> parameters)
    {
        var ins = new nint[Math.Max(inputs.Length, 1)];
        var ps = new nint[Math.Max(parameters.Length, 1)];
        for (var i = 0; i < inputs.Length; i++) ins[i] = inputs[i].Handle;
        for (var i = 0; i < parameters.Length; i++) ps[i] = parameters[i].Handle;
        var user = (void*)GCHandle.ToIntPtr(GCHandle.Alloc(function));
        nint result = 0;
        var count = 0;
        fixed (nint* pi = ins)
        fixed (nint* pp = ps)
            Native.Ok(Native.door_checkpoint(&Run, user, &Drop, pi, inputs.Length, pp, parameters.Length, 1, &result, 1, &count), "checkpoint");
        return Tensor.Adopt(result);
    }

    [UnmanagedCallersOnly]
    private static int Run(void* user, int recompute, nint* inputs, int count, nint* results, int max)
    {
        try
        {
            using var scope = new Scope();
            var function = (Func<Tensor[], Tensor>)GCHandle.FromIntPtr((nint)user).Target!;
            var borrowed = new Tensor[count];
            for (var i = 0; i < count; i++) borrowed[i] = Tensor.Adopt(Native.door_retain(inputs[i]));
            results[0] = Native.door_retain(function(borrowed).Handle);
            return 1;
        }
        catch (Exception e)
        {
            fixed (byte* text = Encoding.UTF8.GetBytes(e.Message + "\0")) Native.door_set_error(text);
            return -(int)(e switch { TorchException torch => torch.Error, OutOfMemoryException => TorchError.OutOfMemory, _ => TorchError.Callback });
        }
    }

    [UnmanagedCallersOnly]
    private static void Drop(void* user) => GCHandle.FromIntPtr((nint)user).Free();
}

/// <summary>Sets gradient mode and puts it back when disposed.</summary>
public readonly struct GradMode : IDisposable
{
    private readonly bool before;

    internal GradMode(bool on)
    {
        before = Autograd.Enabled;
        Autograd.Enabled = on;
    }

    /// <summary>Puts back what was.</summary>
    public void Dispose() => Autograd.Enabled = before;
}

/// <summary>
/// Runs matrix products and convolutions in half precision on this thread until disposed; norms, softmax and losses stay in float32 by
/// libtorch's own lists. libtorch 1.13 has bfloat16 only on the CPU.
/// </summary>
public sealed unsafe class Autocast : IDisposable
{
    private readonly DeviceType device;
    private readonly int before;
    private readonly int dtypeBefore;

    /// <summary>Turns it on; Float32 leaves everything as it is.</summary>
    public Autocast(DeviceType device, DType dtype)
    {
        this.device = device;
        int enabled, was;
        Native.Ok(Native.door_autocast_get((int)device, &enabled, &was), "autocast");
        before = enabled;
        dtypeBefore = was;
        if (dtype != DType.Float32) Native.Ok(Native.door_autocast_set((int)device, 1, (int)dtype, 1), "autocast");
    }

    /// <summary>Whether products on a kind of device run in half precision on this thread now; also true where activations are recomputed.</summary>
    public static bool IsOn(DeviceType device)
    {
        int enabled, dtype;
        Native.Ok(Native.door_autocast_get((int)device, &enabled, &dtype), "autocast");
        return enabled != 0;
    }

    /// <summary>Puts back what was.</summary>
    public void Dispose() => Native.Ok(Native.door_autocast_set((int)device, before, dtypeBefore, 1), "autocast");
}
