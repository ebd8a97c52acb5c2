using LoraFactory.Flow;

namespace LoraFactory.Tests;

/// <summary>A progress board that keeps the lines that a stage says.</summary>
internal sealed class Said : IProgressBoard
{
    public List<string> Lines { get; } = [];
    public IProgressTask Begin(string title, long? total, string unit) => new SilentProgress().Begin(title, total, unit);
    public void Line(string text) => Lines.Add(text);
}
