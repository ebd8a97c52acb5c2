namespace LoraFactory.Models;

/// <summary>A model, checkpoint or vocabulary that cannot be used. The message is one sentence: what, where, valid range, what to do.</summary>
public sealed class ModelException : Exception
{
    /// <summary>A failure that the user can mend.</summary>
    public ModelException(string message, Exception? inner = null) : base(message, inner) { }
}
