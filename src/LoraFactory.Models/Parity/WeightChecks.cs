using System.Text.Json;
using LoraFactory.Models.Weights;

namespace LoraFactory.Models.Parity;

/// <summary>Safetensors files that must load or be refused, the exact bytes of every type, the order of the writer.</summary>
public sealed class SafetensorsCheck : IGoldenCheck
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Kinds => ["safetensors-edges"];

    /// <inheritdoc/>
    public void Run(GoldenCase @case, Findings found)
    {
        foreach (var entry in @case.Json.GetProperty("files").EnumerateArray())
            LoadOrRefuse.Judge(found, @case.Path(entry.GetProperty("file").GetString()!), entry.GetProperty("must").GetString()!);
        if (!@case.Json.TryGetProperty("dtypes_file", out var expected)) return;
        using var file = SafetensorsFile.Open(@case.Path("valid/dtypes.safetensors"));
        foreach (var tensor in expected.GetProperty("tensors").EnumerateObject())
        {
            if (!found.True(tensor.Name, file.TryGet(tensor.Name, out var weight), "is missing")) continue;
            found.Equal(tensor.Name + " dtype", ElementTypes.NameOf(weight!.DType), tensor.Value.GetProperty("dtype").GetString()!);
            found.Same(tensor.Name + " shape", weight.Shape, [.. tensor.Value.GetProperty("shape").EnumerateArray().Select(size => size.GetInt64())]);
            found.Equal(tensor.Name + " bytes", Convert.ToHexStringLower(weight.ToArray()), tensor.Value.GetProperty("bytes_hex").GetString()!);
        }
        var order = SafetensorsWriter.InFileOrder(file.Weights.Select(weight => WeightToWrite.From(weight)));
        found.Same("order of the writer", [.. order.Select(weight => weight.Name)], [.. expected.GetProperty("order_in_file").EnumerateArray().Select(name => name.GetString()!)]);
        foreach (var entry in expected.GetProperty("metadata").EnumerateObject())
            found.Equal("metadata " + entry.Name, file.Metadata.GetValueOrDefault(entry.Name), entry.Value.GetString());
    }
}

/// <summary>Torch checkpoints that must load or be refused; what loads has exactly the expected tensors.</summary>
public sealed class PickleCheck : IGoldenCheck
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Kinds => ["pickle-checkpoint"];

    /// <inheritdoc/>
    public void Run(GoldenCase @case, Findings found)
    {
        var expected = @case.Open();
        foreach (var entry in @case.Json.GetProperty("files").EnumerateArray())
        {
            var name = entry.GetProperty("file").GetString()!;
            using var source = LoadOrRefuse.Judge(found, @case.Path(name), entry.GetProperty("expected").GetString()!);
            if (source is null) continue;
            found.Same(name + " names", [.. source.Names.Order(StringComparer.Ordinal)], [.. expected.Names.Select(n => n["out.".Length..]).Order(StringComparer.Ordinal)]);
            foreach (var weight in source.Weights)
                if (expected.TryGet("out." + weight.Name, out var reference)) SameWeight.Compare(found, $"{name} {weight.Name}", weight, reference);
        }
    }
}

/// <summary>Checkpoints in one file with the original names: converted, each part equals the pipeline's files bit for bit, and back again.</summary>
public sealed class SingleFileCheck : IGoldenCheck
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Kinds => ["single-file"];

    /// <inheritdoc/>
    public void Run(GoldenCase @case, Findings found)
    {
        var pipeline = DiffusersFolder.Open(@case.Path(@case.Json.GetProperty("equals").GetString()!));
        using var checkpoint = LdmCheckpoint.Open(@case.Path(@case.Json.GetProperty("checkpoint").GetString()!));
        foreach (var part in @case.Json.GetProperty("expected_tensor_counts").EnumerateObject())
        {
            var config = pipeline.Config(part.Name);
            using var expected = pipeline.Weights(part.Name);
            using var converted = checkpoint.Weights(part.Name, config);
            found.Equal(part.Name + " tensors", converted.Names.Count, part.Value.GetInt32());
            found.Same(part.Name + " names", [.. converted.Names.Order(StringComparer.Ordinal)], [.. expected.Names.Order(StringComparer.Ordinal)]);
            foreach (var weight in converted.Weights)
                if (expected.TryGet(weight.Name, out var reference)) SameWeight.Compare(found, $"{part.Name} {weight.Name}", weight, reference);
            using var told = checkpoint.Weights(part.Name);
            found.Same(part.Name + " names by the configuration that the shapes tell", told.Names, converted.Names);
            foreach (var back in checkpoint.ToSingleFile(part.Name, expected, config))
            {
                using var stream = new MemoryStream();
                back.Write(stream);
                found.True($"{back.Name} written back", checkpoint.Original(back.Name) is { } original && stream.ToArray().AsSpan().SequenceEqual(original.ToArray()), "differs from the file");
            }
        }
    }
}

/// <summary>Every tensor of the published models, by both names and with both shapes, from the configuration alone.</summary>
public sealed class ModelKeysCheck : IGoldenCheck
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Kinds => ["keys"];

    /// <inheritdoc/>
    public void Run(GoldenCase @case, Findings found)
    {
        var config = new ModelConfig(@case.Json.GetProperty("config"), @case.File);
        var entries = @case.Json.GetProperty("entries").EnumerateArray().ToDictionary(row => row[0].GetString()!, StringComparer.Ordinal);
        var component = @case.Json.GetProperty("component").GetString()!;
        var keys = component switch
        {
            "unet" => LdmKeys.UNet(config),
            "vae" => LdmKeys.Vae(config),
            "openclip" => LdmKeys.OpenClip(config),
            _ => LdmKeys.ClipText(config, Prefix(entries.Values.First())),
        };
        found.Equal("tensors", keys.Count, entries.Count);
        found.Equal("parameters", keys.Sum(key => key.Shape.Aggregate(1L, (product, size) => product * size)), @case.Json.GetProperty("parameters").GetInt64());
        foreach (var key in keys)
        {
            if (!found.True(key.Name, entries.TryGetValue(key.Name, out var row), "is not in the list")) continue;
            found.Same(key.Name + " shape", key.Shape, Sizes(row[1]));
            found.Equal(key.Name + " original name", key.Ldm, row[2].GetString()!);
            found.Same(key.Name + " original shape", key.LdmShape, Sizes(row[3]));
        }
    }

    private static string Prefix(JsonElement row) => row[2].GetString()![..^row[0].GetString()!.Length];

    private static long[] Sizes(JsonElement list) => [.. list.EnumerateArray().Select(size => size.GetInt64())];
}

/// <summary>Judges a file that has to load or to be refused.</summary>
internal static class LoadOrRefuse
{
    /// <summary>Opens the file; null where it was refused. "load-or-refuse" accepts both.</summary>
    public static WeightSource? Judge(Findings found, string path, string expected)
    {
        var name = Path.GetFileName(path);
        try
        {
            var source = WeightSource.Open(path);
            foreach (var weight in source.Weights) weight.ToArray();
            found.True(name, expected != "refuse", "was loaded but must be refused");
            return source;
        }
        catch (ModelException e)
        {
            found.True(name, expected != "load", "must load: " + e.Message);
            return null;
        }
    }
}

/// <summary>Compares two weights bit for bit.</summary>
internal static class SameWeight
{
    public static void Compare(Findings found, string name, Weight actual, Weight expected)
    {
        found.Equal(name + " dtype", actual.DType, expected.DType);
        found.Same(name + " shape", actual.Shape, expected.Shape);
        found.True(name, actual.ToArray().AsSpan().SequenceEqual(expected.ToArray()), "differs in its bytes");
    }
}
