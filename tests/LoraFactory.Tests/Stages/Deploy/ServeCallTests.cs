using LoraFactory.Flow;
using LoraFactory.Stages.Deploy;

namespace LoraFactory.Tests.Stages.Deploy;

/// <summary>How the endpoint is started is said in one way: every option that differs from what lora serve takes by itself, and no other.</summary>
public sealed class ServeCallTests
{
    private static readonly StoredAdapter Stored = new()
    {
        Name = "ink", Version = 2, State = "champion", Sha256 = "s", AdapterId = "a", ReportId = "r", Base = "b", Run = "runs/ink", Why = "a test", StoredAt = DateTimeOffset.UnixEpoch,
    };

    [Fact]
    public void Only_what_is_not_usual_is_said()
    {
        var usual = RecipeReading.Empty.Among(RunDirectory.Usual).Recipe;
        Assert.Equal("lora serve", $"{new ServeCall(usual, new DeployOptions().Port)}");
        Assert.Equal("lora serve --base 'my models/base' --threads 2", $"{new ServeCall(usual with { Base = new() { Model = "my models/base" }, Resources = new() { Threads = 2 } }, 7860)}");
        Assert.Equal("lora serve --store 'my runs/store'", $"{new ServeCall(RecipeReading.Empty.Among("my runs").Recipe, new DeployOptions().Port)}");
    }

    [Fact]
    public void Deploy_names_port_and_device_of_the_recipe_and_the_store_as_other_hints_do()
    {
        var recipe = new Recipe { Deploy = new() { Port = 7861, Store = "my store" }, Resources = new() { Device = "cpu" } };
        Assert.Equal(" Serve it with: lora serve --store 'my store' --port 7861 --device cpu", DeployStage.Next(recipe, Stored));
        Assert.Equal($". lora adapters rollback ink --version 2 --store '{Path.GetFullPath("my store")}' brings it back", DeployStage.Next(recipe, Stored with { State = "retired" }));
        Assert.Equal("", DeployStage.Next(recipe, Stored with { State = "candidate" }));
    }
}
