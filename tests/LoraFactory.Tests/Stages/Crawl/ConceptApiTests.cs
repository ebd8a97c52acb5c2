using System.Text;
using LoraFactory.Flow;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Tests.Stages.Crawl;

public sealed class ConceptApiTests : IDisposable
{
    private const string Answer = """
        {"@id": "/c/en/blueprint", "edges": [
          {"rel": {"@id": "/r/RelatedTo"}, "start": {"@id": "/c/en/blueprint/n"}, "end": {"@id": "/c/en/cyanotype"}, "weight": 4, "license": "cc:by-sa/4.0"},
          {"rel": {"@id": "/r/IsA"}, "start": {"@id": "/c/en/floor_plan"}, "end": {"@id": "/c/en/blueprint"}, "weight": 1.0},
          {"rel": {"@id": "/r/Synonym"}, "start": {"@id": "/c/fr/bleu"}, "end": {"@id": "/c/en/blueprint"}, "weight": 9},
          {"rel": {"@id": "/r/IsA"}, "start": {"@id": "/c/en/a"}, "end": {"@id": "/c/en/b"}}, {"rel": 7}, 8, {}]}
        """;

    private readonly TemporaryFolder folder = new();
    private readonly List<string> said = [];

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Terms_are_asked_for_once_a_run()
    {
        await using var server = Serving(path => path.StartsWith("/c/en/", StringComparison.Ordinal) ? Answer : null);
        using (var api = await ConceptApi.AskAsync(Context(server.Port), Stop))
        {
            Assert.Equal([new ConceptEdge("cyanotype", "/r/RelatedTo", 4, "cc:by-sa/4.0"), new ConceptEdge("floor plan", "/r/IsA", 1, "")], api!.Of("Blueprint"));
            Assert.Empty(api.Of("something else"));
            var seed = SeedExpansion.ExpandFrom(Context(server.Port).Recipe.Seed, null, api.Of);
            Assert.Contains(seed.Terms, t => t is { Text: "cyanotype", Relation: "conceptnet:RelatedTo" });
            Assert.Contains(seed.Terms, t => t is { Text: "floor plan", Relation: "conceptnet:IsA" });
        }
        Assert.Equal(["/robots.txt", "/.well-known/tdmrep.json", "/c/en/blueprint?limit=1000", "/c/en/sun_print?limit=1000"], Paths(server).Where(p => p != "/favicon.ico"));
        server.Heads.Clear();
        using (var again = await ConceptApi.AskAsync(Context(server.Port), Stop)) Assert.NotEmpty(again!.Of("blueprint"));
        Assert.DoesNotContain(Paths(server), p => p.StartsWith("/c/", StringComparison.Ordinal));
        Assert.Empty(said);
    }

    [Fact]
    public async Task An_interface_that_fails_twice_is_left_alone_and_costs_a_line_each()
    {
        await using var server = Serving(_ => null);
        using var api = await ConceptApi.AskAsync(Context(server.Port, "one", "two", "three", "four"), Stop);
        Assert.Empty(api!.Of("blueprint"));
        Assert.Equal(2, Paths(server).Count(p => p.StartsWith("/c/", StringComparison.Ordinal)));
        Assert.Equal(2, said.Count);
        Assert.All(said, line => Assert.Contains("bad-status 404", line, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Words_that_it_does_not_know_are_no_failures()
    {
        await using var server = LoopbackServer.Saying(path => path.StartsWith("/c/", StringComparison.Ordinal) ? "404 Not Found\nContent-Type: application/json" : "404 Not Found", "{\"edges\": []}"u8.ToArray());
        using var api = await ConceptApi.AskAsync(Context(server.Port, "one", "two", "three", "four"), Stop);
        Assert.Equal(5, Paths(server).Count(p => p.StartsWith("/c/", StringComparison.Ordinal)));
        Assert.Empty(said);
    }

    [Fact]
    public async Task What_robots_txt_denies_is_not_asked_for()
    {
        await using var server = Serving(path => path == "/robots.txt" ? "User-agent: *\nDisallow: /" : Answer);
        using var api = await ConceptApi.AskAsync(Context(server.Port), Stop);
        Assert.Empty(api!.Of("blueprint"));
        Assert.All(Paths(server), p => Assert.Equal("/robots.txt", p));
        Assert.Contains(said, line => line.Contains("robots-denied", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Nobody_is_asked_where_no_interface_is_named()
    {
        var context = Context(1);
        Assert.Null(await ConceptApi.AskAsync(new() { Run = context.Run, Progress = context.Progress, Seed = 1, Recipe = context.Recipe with { Seed = context.Recipe.Seed with { ConceptApi = "" } } }, Stop));
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{\"edges\": 7}")]
    [InlineData("no json")]
    [InlineData("{\"edges\": [{\"rel\": {\"@id\": \"\\ud800\"}, \"start\": {}, \"end\": {}}]}")]
    public void Answers_of_another_kind_are_no_edges(string json) => Assert.Empty(ConceptApi.Read(Encoding.UTF8.GetBytes(json), "blueprint") ?? []);

    private static LoopbackServer Serving(Func<string, string?> text) => new(async (head, stream, token) =>
    {
        var body = text(head.Split(' ')[1]);
        await stream.WriteAsync(Encoding.UTF8.GetBytes(body is null ? "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" : $"HTTP/1.1 200 OK\r\nContent-Type: application/ld+json\r\nConnection: close\r\n\r\n{body}"), token);
    });

    private static IEnumerable<string> Paths(LoopbackServer server) => server.Heads.Select(h => h.Split(' ')[1]);

    private StageContext Context(int port, params string[] synonyms) => new()
    {
        Run = new RunDirectory(folder.File("run")),
        Progress = new Listener(said),
        Seed = 1,
        Recipe = new Recipe
        {
            Seed = new() { Topic = "blueprint", Synonyms = synonyms.Length > 0 ? synonyms : ["sun print"], ConceptApi = "http://api.test/" },
            Crawl = new() { DelaySeconds = 0, TimeoutSeconds = 5, AllowPrivateHosts = ["api.test"], Resolve = [$"api.test=127.0.0.1:{port}"] },
        },
    };

    private sealed class Listener(List<string> said) : IProgressBoard
    {
        private readonly SilentProgress silent = new();

        public IProgressTask Begin(string title, long? total, string unit) => silent.Begin(title, total, unit);

        public void Line(string text) => said.Add(text);
    }
}
