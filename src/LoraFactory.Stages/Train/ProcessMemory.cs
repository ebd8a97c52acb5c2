namespace LoraFactory.Stages.Train;

/// <summary>Memory of this process.</summary>
public static class ProcessMemory
{
    /// <summary>Largest resident set so far, in MiB.</summary>
    public static double PeakMiB
    {
        get
        {
            const string status = "/proc/self/status";
            if (File.Exists(status))
            {
                foreach (var line in File.ReadLines(status))
                {
                    if (!line.StartsWith("VmHWM:", StringComparison.Ordinal)) continue;
                    var digits = new string([.. line.Where(char.IsAsciiDigit)]);
                    return double.Parse(digits, System.Globalization.CultureInfo.InvariantCulture) / 1024;
                }
            }
            return Environment.WorkingSet / (1024.0 * 1024);
        }
    }
}
