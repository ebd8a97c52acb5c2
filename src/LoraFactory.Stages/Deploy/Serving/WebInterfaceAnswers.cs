using LoraFactory.Models.Schedulers;
using LoraFactory.Models.Weights;

namespace LoraFactory.Stages.Deploy.Serving;

/// <summary>
/// What clients of AUTOMATIC1111's API ask before they draw: models, adapters, samplers, schedulers, settings, in the form of its
/// modules/api/models.py (a JSON array each, settings an object).
/// </summary>
internal sealed class WebInterfaceAnswers(ServedModel model)
{
    private const int ShortHash = 10;

    /// <summary>The base, the one model that there is.</summary>
    public async Task<IReadOnlyList<object>> ModelsAsync()
    {
        var hash = await model.HashAsync();
        return [new Dictionary<string, object?> { ["title"] = Title(hash), ["model_name"] = ModelName, ["hash"] = hash[..ShortHash], ["sha256"] = hash, ["filename"] = model.Path, ["config"] = null }];
    }

    /// <summary>Adapters that a prompt's tag may name, with the metadata of their files.</summary>
    public IReadOnlyList<object> Adapters() => [.. model.LiveFiles.Select(file =>
    {
        using var weights = SafetensorsFile.Open(file.Path);
        return new { file.Name, Alias = file.Name, file.Path, weights.Metadata };
    })];

    /// <summary>Samplers by the names that sampler_name takes.</summary>
    public static IReadOnlyList<object> Samplers() => [.. SamplerNames.All.Select(name => new { Name = name, Aliases = Array.Empty<string>(), Options = new Dictionary<string, string>() })];

    /// <summary>Schedulers by the names that scheduler takes.</summary>
    public static IReadOnlyList<object> Schedulers() => [.. TextToImage.Schedulers.Select(name => new { Name = name.ToLowerInvariant(), Label = name, Aliases = Array.Empty<string>() })];

    /// <summary>The settings that clients look at.</summary>
    public async Task<object> SettingsAsync()
    {
        var hash = await model.HashAsync();
        return new Dictionary<string, object> { ["sd_model_checkpoint"] = Title(hash), ["sd_checkpoint_hash"] = hash, ["CLIP_stop_at_last_layers"] = 1, ["samples_format"] = "png", ["sd_vae"] = "Automatic" };
    }

    /// <summary>Whether a checkpoint's name means the base, as title, name, file or hash.</summary>
    public async Task<bool> IsBaseAsync(string named)
    {
        if (named == model.Name || named == ModelName || named == FileName || named == model.Path) return true;
        var hash = await model.HashAsync();
        return named == Title(hash) || named == hash || named == hash[..ShortHash];
    }

    private string FileName => Path.GetFileName(model.Path);

    private string ModelName => File.Exists(model.Path) ? Path.GetFileNameWithoutExtension(model.Path) : FileName;

    private string Title(string hash) => $"{FileName} [{hash[..ShortHash]}]";
}
