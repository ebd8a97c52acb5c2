using System.Text.RegularExpressions;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Models.Lora;

/// <summary>
/// Which layers of a model carry an adapter, and of what size. Linear and 1×1 convolutions take <see cref="Rank"/>, larger kernels
/// <see cref="ConvRank"/> (LoCon); patterns set single modules apart.
/// </summary>
public sealed record LoraSpec
{
    /// <summary>Largest rank that is made or read.</summary>
    public const int MaximumRank = 4096;

    /// <summary>Which layers. Default: the attention projections.</summary>
    public LoraTargets Targets { get; init; } = LoraTargets.Attention;
    /// <summary>Layers left out although <see cref="Targets"/> names them; null leaves none out.</summary>
    public LoraTargets? Exclude { get; init; }
    /// <summary>Rank of Linear layers and 1×1 convolutions, 1 to 4096. Default 8.</summary>
    public int Rank { get; init; } = 8;
    /// <summary>Alpha; the branch is scaled by alpha / rank. Default 8. Finite.</summary>
    public double Alpha { get; init; } = 8;
    /// <summary>Rank of convolutions with a larger kernel: 0 leaves them out, -1 (default) takes <see cref="Rank"/>.</summary>
    public int ConvRank { get; init; } = -1;
    /// <summary>Alpha of convolutions with a larger kernel; null (default) keeps <see cref="Alpha"/>.</summary>
    public double? ConvAlpha { get; init; }
    /// <summary>Share of inputs zeroed before down while training, 0 to below 1. Default 0.</summary>
    public double Dropout { get; init; }
    /// <summary>Rank of modules whose path ends with the key, a regular expression (PEFT's rank_pattern); the first key that fits counts.</summary>
    public IReadOnlyList<KeyValuePair<string, int>> RankPattern { get; init; } = [];
    /// <summary>Alpha of modules whose path ends with the key (PEFT's alpha_pattern).</summary>
    public IReadOnlyList<KeyValuePair<string, double>> AlphaPattern { get; init; } = [];
    /// <summary>Scale by alpha / √rank instead of alpha / rank (Kalajdzievski 2023); folded into the module's alpha.</summary>
    public bool RankStabilized { get; init; }

    /// <summary>Rank and alpha of one layer, or null where it carries no adapter.</summary>
    public (int Rank, double Alpha)? For(string path, AdaptableLayer layer)
    {
        if (!Targets.Fits(path) || (Exclude?.Fits(path) ?? false)) return null;
        var wide = layer is Conv2d { Kernel: > 1 };
        if (wide && ConvRank == 0) return null;
        var rank = First(RankPattern, path) ?? (wide && ConvRank > 0 ? ConvRank : Rank);
        var alpha = First(AlphaPattern, path) ?? (wide ? ConvAlpha ?? Alpha : Alpha);
        if (rank is < 1 or > MaximumRank) throw new ModelException($"The rank of '{path}' is {rank}; it has to lie from 1 to {MaximumRank}.");
        return (rank, RankStabilized ? alpha * Math.Sqrt(rank) : alpha);
    }

    /// <summary>Refuses values outside their ranges with one sentence.</summary>
    public void Validate()
    {
        if (Rank is < 1 or > MaximumRank) throw new ModelException($"The rank of an adapter is {Rank}; it has to lie from 1 to {MaximumRank}.");
        if (ConvRank is < -1 or > MaximumRank) throw new ModelException($"The convolution rank of an adapter is {ConvRank}; it has to be -1, 0, or at most {MaximumRank}.");
        if (!double.IsFinite(Alpha) || ConvAlpha is { } c && !double.IsFinite(c)) throw new ModelException("The alpha of an adapter has to be a finite number.");
        if (Dropout is not (>= 0 and < 1)) throw new ModelException($"The dropout of an adapter is {Dropout}; it has to lie from 0 to below 1.");
    }

    private static T? First<T>(IReadOnlyList<KeyValuePair<string, T>> patterns, string path) where T : struct
    {
        foreach (var (pattern, value) in patterns)
            if (LoraTargets.EndsWith(path, pattern)) return value;
        return null;
    }
}

/// <summary>
/// A choice of layers by path, as PEFT's target_modules: a list of names, each fitting a path that is it or ends with "." and it, or one
/// regular expression that has to fit the whole path.
/// </summary>
public sealed class LoraTargets
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(1);
    private readonly string[]? names;
    private readonly Regex? pattern;

    private LoraTargets(string[]? names, Regex? pattern, string text)
    {
        this.names = names;
        this.pattern = pattern;
        Text = text;
    }

    /// <summary>The choice as written.</summary>
    public string Text { get; }

    /// <summary>The names, where it is a list of them.</summary>
    public IReadOnlyList<string>? Names => names;

    /// <summary>Attention projections of a UNet (to_q, to_k, to_v, to_out.0) and of a CLIP text encoder (q, k, v, out).</summary>
    public static LoraTargets Attention { get; } = OfPattern(@"(.*\.)?(attn\d\.(to_[qkv]|to_out\.0)|self_attn\.(q|k|v|out)_proj)");

    /// <summary>What kohya's trainers adapt: attention, feed-forward and the transformers' proj_in and proj_out; fc1 and fc2 of a text encoder.</summary>
    public static LoraTargets AttentionAndFeedForward { get; } = OfPattern(
        @"(.*\.)?(attn\d\.(to_[qkv]|to_out\.0)|ff\.net\.(0\.proj|2)|attentions\.\d+\.proj_(in|out)|self_attn\.(q|k|v|out)_proj|mlp\.fc[12])");

    /// <summary>Those, and the residual blocks' convolutions and time projections, down- and upsamplers (LoCon).</summary>
    public static LoraTargets All { get; } = OfPattern(
        @"(.*\.)?(attn\d\.(to_[qkv]|to_out\.0)|ff\.net\.(0\.proj|2)|attentions\.\d+\.proj_(in|out)|self_attn\.(q|k|v|out)_proj|mlp\.fc[12]" +
        @"|resnets\.\d+\.(conv[12]|conv_shortcut|time_emb_proj)|(down|up)samplers\.\d+\.conv)");

    /// <summary>A set by its name in recipes: attention, attention-ff or all.</summary>
    public static LoraTargets Named(string name) => name switch
    {
        "attention" => Attention,
        "attention-ff" => AttentionAndFeedForward,
        "all" => All,
        _ => throw new ModelException($"There is no set of target modules called '{name}': use attention, attention-ff or all, or a pattern of your own."),
    };

    /// <summary>A list of names, e.g. "to_q" or "mlp.fc1".</summary>
    public static LoraTargets OfNames(IEnumerable<string> names)
    {
        string[] all = [.. names];
        return new(all, null, string.Join(", ", all));
    }

    /// <summary>A regular expression for the whole path.</summary>
    public static LoraTargets OfPattern(string pattern) => new(null, Compile($"^(?:{pattern})$", pattern), pattern);

    /// <summary>Whether a path is chosen.</summary>
    public bool Fits(string path)
    {
        if (pattern is not null) return IsMatch(pattern, path, Text);
        foreach (var name in names!)
            if (path == name || (path.EndsWith(name, StringComparison.Ordinal) && path[path.Length - name.Length - 1] == '.')) return true;
        return false;
    }

    /// <summary>Whether the whole path, or its end after a dot, fits a regular expression; ^ in it anchors to the path's start.</summary>
    internal static bool EndsWith(string path, string pattern) => IsMatch(Compile($@"^(.*\.)?(?:{pattern})$", pattern), path, pattern);

    private static Regex Compile(string whole, string pattern)
    {
        if (pattern.Length > 4096) throw new ModelException($"A module pattern of {pattern.Length} characters is longer than 4096.");
        try
        {
            return new Regex(whole, RegexOptions.CultureInvariant, Limit);
        }
        catch (ArgumentException e)
        {
            throw new ModelException($"The module pattern '{pattern}' is not a regular expression: {e.Message}", e);
        }
    }

    private static bool IsMatch(Regex regex, string path, string pattern)
    {
        try
        {
            return regex.IsMatch(path);
        }
        catch (RegexMatchTimeoutException e)
        {
            throw new ModelException($"The module pattern '{pattern}' takes longer than {Limit.TotalSeconds} s to match '{path}': write it without nested repetition.", e);
        }
    }

    /// <inheritdoc/>
    public override string ToString() => Text;
}
