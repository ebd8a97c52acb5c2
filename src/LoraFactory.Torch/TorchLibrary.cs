namespace LoraFactory.Torch;

/// <summary>The library as a whole: version, threads, seeds, memory. Nothing here loads libtorch before it is called.</summary>
public static unsafe class TorchLibrary
{
    /// <summary>Where libdoor.so is; null when it was not built yet. Does not load it.</summary>
    public static string? DoorPath => Native.DoorPath();

    /// <summary>Version of the libtorch that the door was built for, e.g. "1.13.0".</summary>
    public static string Version => Native.Text(Native.door_version());

    /// <summary>Whether this libtorch has tensors of a type: those of 8-bit floats came with 2.1.</summary>
    public static bool Knows(DType type) => type is not (DType.Float8E4M3 or DType.Float8E5M2) || System.Version.Parse(Version) >= new Version(2, 1);

    /// <summary>libtorch's own description: BLAS, compiler flags, CPU capability.</summary>
    public static string Configuration => Native.Text(Native.door_runtime_config());

    /// <summary>Loads the library and holds ops.txt against it. Throws <see cref="TorchException"/> naming each operator that does not fit.</summary>
    public static void Load() => OpTable.Load();

    /// <summary>Whether an optional operator of ops.txt is there, e.g. "aten::scaled_dot_product_attention".</summary>
    public static bool Has(string op) => OpTable.Has(op);

    /// <summary>Threads of one operator. Set it on the thread that does the tensor work.</summary>
    public static int Threads
    {
        get => Native.door_get_num_threads();
        set => Native.Ok(Native.door_set_num_threads(value), "set_num_threads");
    }

    /// <summary>
    /// Numbers of one vector register that the door's own products of frozen layers use: 16 (AVX-512), 8 (AVX2), or 0 where libtorch does
    /// all. Setting takes the largest that the processor has and that is not above the value.
    /// </summary>
    public static int Lanes
    {
        get => Native.door_get_lanes();
        set => Native.door_set_lanes(value);
    }

    /// <summary>Seeds the generators of all devices.</summary>
    public static void Seed(long seed) => Native.Ok(Native.door_manual_seed(seed), "manual_seed");

    /// <summary>State of the CPU generator, a uint8 tensor [n].</summary>
    public static Tensor RandomState()
    {
        nint state = 0;
        Native.Ok(Native.door_rng_get_state(0, -1, &state), "rng_get_state");
        return Tensor.Adopt(state);
    }

    /// <summary>Sets the state of the CPU generator.</summary>
    public static void SetRandomState(Tensor state) => Native.Ok(Native.door_rng_set_state(0, -1, state.Handle), "rng_set_state");

    /// <summary>Treats denormal floats as zero on this thread; much faster when activations die out.</summary>
    public static void FlushDenormals(bool on)
    {
        Native.door_set_flush_denormal(on ? 1 : 0);
        FlushesDenormals = on;
    }

    /// <summary>What <see cref="FlushDenormals"/> set on this thread.</summary>
    public static bool FlushesDenormals
    {
        get => flushesDenormals;
        private set => flushesDenormals = value;
    }

    [ThreadStatic] private static bool flushesDenormals;

    /// <summary>Asks for deterministic kernels.</summary>
    public static void Deterministic(bool on) => Native.Ok(Native.door_set_deterministic(on ? 1 : 0), "set_deterministic");

    /// <summary>Counts the bytes of CPU tensors from now on. Call before the first tensor.</summary>
    public static void CountMemory() => Native.Ok(Native.door_cpu_counting(1), "cpu_counting");

    /// <summary>Bytes of CPU tensors alive; 0 unless <see cref="CountMemory"/> was called.</summary>
    public static long LiveBytes => Native.door_cpu_live();

    /// <summary>Most bytes alive at one time since <see cref="ResetPeak"/>.</summary>
    public static long PeakBytes => Native.door_cpu_peak();

    /// <summary>Starts the peak anew.</summary>
    public static void ResetPeak() => Native.door_cpu_reset_peak();

    /// <summary>Beyond this many bytes an allocation fails with <see cref="TorchError.OutOfMemory"/>; 0 sets no limit.</summary>
    public static void LimitMemory(long bytes) => Native.door_cpu_limit(bytes);

    /// <summary>Whether a CUDA device can be used.</summary>
    public static bool CudaAvailable => Native.door_cuda_available() != 0;

    /// <summary>Number of CUDA devices.</summary>
    public static int CudaDevices => Native.door_cuda_device_count();

    /// <summary>Waits for a CUDA device; does nothing on the CPU.</summary>
    public static void Synchronize(Device device) =>
        Native.Ok(Native.door_device_synchronize((int)device.Type, device.Index), "synchronize");
}
