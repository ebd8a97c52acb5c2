using LoraFactory.Flow;

namespace LoraFactory.Tests.Flow;

public sealed class KeptPathTests
{
    [Theory]
    [InlineData("/home/me/work/runs/demo", "/home/me/work")]
    [InlineData("/home/me/work/runs/demo/", "/home/me/work")]
    [InlineData("/data/runs/demo", "/data")]
    [InlineData("/runs/demo", "/runs")] // not the whole disk
    [InlineData("/demo", "/demo")]
    public void A_project_is_what_holds_the_folder_of_runs(string run, string project) => Assert.Equal(project, KeptPath.ProjectOf(run));

    [Theory]
    [InlineData("/home/me/work/runs/demo/5-train/a.safetensors", "../5-train/a.safetensors")]
    [InlineData("/home/me/work/runs/store/demo/v1", "../../store/demo/v1")]
    [InlineData("/home/me/work/assets/pocket-sd", "../../../assets/pocket-sd")]
    [InlineData("/home/me/models/sd15", "/home/me/models/sd15")] // the user's own, elsewhere
    [InlineData("/home/me/workshop/sd15", "/home/me/workshop/sd15")]
    public void What_lies_in_the_project_is_named_relative_to_the_file_that_names_it(string path, string kept)
    {
        Assert.Equal(kept, KeptPath.Of(path, "/home/me/work/runs/demo/7-deploy", "/home/me/work/runs/demo"));
        Assert.Equal(path, KeptPath.Read(kept, "/home/me/work/runs/demo/7-deploy"));
        Assert.Equal(path, KeptPath.Read(path, "/moved/runs/demo/7-deploy")); // as it was kept before
        if (kept != path) Assert.Equal(path.Replace("/home/me/work", "/moved", StringComparison.Ordinal), KeptPath.Read(kept, "/moved/runs/demo/7-deploy"));
    }

    [Fact]
    public void A_file_outside_the_project_names_what_lies_in_it_absolutely() =>
        Assert.Equal("/home/me/work/runs/demo", KeptPath.Of("/home/me/work/runs/demo", "/srv/store/demo", "/home/me/work/runs/demo"));
}
