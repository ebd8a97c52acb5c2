using LoraFactory.Images;

namespace LoraFactory.Stages.Clean;

/// <summary>The process in which pictures from the web are decoded; the program calls it before it looks at anything else.</summary>
public static class PictureWorker
{
    /// <summary>Whether these arguments ask for it.</summary>
    public static bool IsAsked(IReadOnlyList<string> arguments) => arguments is [DecodeWorker.Verb];

    /// <summary>Decodes what comes on standard input until it ends; returns the exit code.</summary>
    public static int Run() => DecodeWorker.Run();
}
