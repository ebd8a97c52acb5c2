namespace LoraFactory.Models.Weights;

/// <summary>Brings the spellings that files of different ages use to one.</summary>
public static class ComponentNames
{
    private static readonly (string Old, string New)[] VaeAttention =
        [(".query.", ".to_q."), (".key.", ".to_k."), (".value.", ".to_v."), (".proj_attn.", ".to_out.0.")];

    /// <summary>
    /// CLIP text encoders: text_model. in front of every name of the tower (newer libraries save it without); the position_ids buffer of old files
    /// is left out.
    /// </summary>
    public static WeightSource OfText(WeightSource source) => Renamed(source, name =>
        name.EndsWith("position_ids", StringComparison.Ordinal) ? null
        : StartsWithAny(name, "embeddings.", "encoder.", "final_layer_norm.") ? "text_model." + name : name);

    /// <summary>Autoencoders: the attention matrices under their present names, as matrices.</summary>
    public static WeightSource OfVae(WeightSource source)
    {
        var weights = new List<Weight>();
        foreach (var weight in source.Weights)
        {
            var name = weight.Name;
            if (name.Contains(".mid_block.attentions.", StringComparison.Ordinal))
                foreach (var (old, present) in VaeAttention) name = name.Replace(old, present, StringComparison.Ordinal);
            var matrix = weight.Shape.Count == 4 && name.Contains(".attentions.", StringComparison.Ordinal);
            weights.Add((matrix ? weight.Reshaped(weight.Shape[0], weight.Shape[1]) : weight).Named(name));
        }
        return new WeightSource(source.Path, weights, source.Metadata, source);
    }

    private static WeightSource Renamed(WeightSource source, Func<string, string?> rename) =>
        new(source.Path, source.Weights.Select(weight => (weight, name: rename(weight.Name))).Where(pair => pair.name is not null).Select(pair => pair.weight.Named(pair.name!)),
            source.Metadata, source);

    private static bool StartsWithAny(string text, params ReadOnlySpan<string> starts)
    {
        foreach (var start in starts)
            if (text.StartsWith(start, StringComparison.Ordinal)) return true;
        return false;
    }
}
