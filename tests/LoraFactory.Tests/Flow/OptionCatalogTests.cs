using System.Reflection;
using System.Text;
using System.Text.Json;
using LoraFactory.Flow;
using Xunit;

namespace LoraFactory.Tests.Flow;

/// <summary>Template, schema and reader are made from the catalog, so they agree with it and with the code.</summary>
public sealed class OptionCatalogTests
{
    private static readonly IReadOnlyDictionary<string, string> NoEnvironment = new Dictionary<string, string>();

    [Fact]
    public void Every_property_of_every_section_is_an_option()
    {
        var properties = typeof(Recipe).GetProperties().Where(p => p.Name != "EqualityContract")
            .SelectMany(p => p.PropertyType.Namespace == typeof(Recipe).Namespace ? p.PropertyType.GetProperties().Where(q => q.Name != "EqualityContract") : [p]).ToList();
        Assert.Equal(properties.Count, OptionCatalog.All.Count);
        Assert.True(properties.Count > 60, $"only {properties.Count}");
        Assert.Equal(OptionCatalog.All.Count, OptionCatalog.All.Select(o => o.Key).Distinct().Count());
    }

    [Fact]
    public void Units_are_one_word_of_a_key()
    {
        Assert.Contains(OptionCatalog.All, o => o.Key == "resources.memory_mib");
        Assert.Equal("peak_memory_mib", KeyNaming.Instance.ConvertName("PeakMemoryMiB"));
        Assert.Equal("{\"estimated_memory_mib\":1}", JsonSerializer.Serialize(new { EstimatedMemoryMiB = 1 }, RunDirectory.Json));
    }

    [Fact]
    public void Every_default_keeps_its_own_rules()
    {
        foreach (var option in OptionCatalog.All)
        {
            var reading = RecipeReader.ReadBytes([], "none", [$"{option.Key}={Raw(option.Default)}"], NoEnvironment);
            Assert.DoesNotContain(reading.Problems, p => p.Key == option.Key && p.Id.StartsWith("LR01", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void The_template_reads_back_as_the_defaults()
    {
        var reading = RecipeReader.ReadBytes(Encoding.UTF8.GetBytes(RecipeText.Template()), "template", environment: NoEnvironment);
        Assert.All(reading.Problems, p => Assert.Contains(p.Id, new[] { "LR110", "LR111" })); // a topic and an address are the reader's to give
        AssertSame(new Recipe(), reading.Recipe);
    }

    [Fact]
    public void The_effective_recipe_reads_back_as_itself()
    {
        var random = new Random(7);
        for (var round = 0; round < 200; round++)
        {
            var recipe = OptionCatalog.Compose(OptionCatalog.All.ToDictionary(o => o.Key, o => Arbitrary(o, random)));
            var text = RecipeText.Effective(recipe, new Dictionary<string, string> { ["train.rank"] = "recipe.yaml:3" });
            var reading = RecipeReader.ReadBytes(Encoding.UTF8.GetBytes(text), "effective", environment: NoEnvironment);
            Assert.DoesNotContain(reading.Problems, p => string.CompareOrdinal(p.Id, "LR100") < 0);
            AssertSame(recipe, reading.Recipe);
        }
    }

    [Fact]
    public void The_schema_has_exactly_the_keys_of_the_catalog_with_their_bounds()
    {
        using var schema = JsonDocument.Parse(RecipeText.Schema());
        var found = new Dictionary<string, JsonElement>();
        foreach (var property in schema.RootElement.GetProperty("properties").EnumerateObject())
        {
            if (!property.Value.TryGetProperty("properties", out var inner)) found[property.Name] = property.Value;
            else foreach (var key in inner.EnumerateObject()) found[$"{property.Name}.{key.Name}"] = key.Value;
        }
        Assert.Equal(OptionCatalog.All.Select(o => o.Key).Order(), found.Keys.Order());
        var rank = found["train.rank"];
        Assert.Equal("integer", rank.GetProperty("type").GetString());
        Assert.Equal(1024, rank.GetProperty("maximum").GetInt32());
        Assert.All(OptionCatalog.All, o => Assert.Contains(o.Declared.Effect, found[o.Key].GetProperty("description").GetString()));
    }

    [Theory]
    [InlineData("rank", "rank", 0)]
    [InlineData("rnak", "rank", 1)]
    [InlineData("rak", "rank", 1)]
    [InlineData("ranks", "rank", 1)]
    [InlineData("", "rank", 4)]
    [InlineData("kitten", "sitting", 3)]
    public void Edits_count_insertions_deletions_replacements_and_swaps(string a, string b, int edits) => Assert.Equal(edits, NearestKey.Edits(a, b));

    private static void AssertSame(Recipe expected, Recipe actual)
    {
        var (a, b) = (OptionCatalog.Values(expected), OptionCatalog.Values(actual));
        foreach (var key in a.Keys) Assert.Equal(a[key], b[key]);
    }

    private static string Raw(object value) => value switch
    {
        IEnumerable<string> list => "[" + string.Join(",", list.Select(item => JsonSerializer.Serialize(item))) + "]",
        bool flag => flag ? "true" : "false",
        _ => value.ToString()!,
    };

    private static object Arbitrary(OptionEntry option, Random random)
    {
        var (low, high) = (double.IsNaN(option.Declared.Min) ? 0 : option.Declared.Min, double.IsNaN(option.Declared.Max) ? 20 : option.Declared.Max);
        if (option.IsList) return Enumerable.Range(0, (int)low + random.Next(3)).Select(_ => option.Declared.OneOf is { Length: > 0 } words ? words[random.Next(words.Length)] : Words(random, 1, 30)).ToArray();
        if (option.Declared.OneOf.Length > 0) return option.Declared.OneOf[random.Next(option.Declared.OneOf.Length)];
        return option.Kind switch
        {
            OptionKind.Flag => random.Next(2) == 0,
            // a path's leading ~ is the home directory by the time that the effective recipe is written
            OptionKind.Text when option.Declared.IsPath => "./" + Words(random, (int)low, (int)Math.Min(high, 60) - 2),
            OptionKind.Text => Words(random, (int)low, (int)Math.Min(high, 60)),
            OptionKind.Number => low + (high - low) * random.NextDouble(),
            _ when option.Property.PropertyType == typeof(int) => (int)(low + Math.Floor((high - low) * random.NextDouble())),
            _ => (long)(low + Math.Floor((high - low) * random.NextDouble())),
        };
    }

    private static string Words(Random random, int least, int most)
    {
        const string letters = "abc XYZ019:#\"'\\-{}[]&*!|>%@`,?~\n\té水墨\u2028\u0085";
        var length = random.Next(Math.Max(1, least), most + 1);
        return string.Concat(Enumerable.Range(0, length).Select(_ => letters[random.Next(letters.Length)]));
    }
}
