namespace LoraFactory.Flow;

/// <summary>7-deploy/endpoint.json: the <see cref="Endpoint"/> of a run, with its paths as <see cref="KeptPath"/> has them.</summary>
public static class EndpointFile
{
    /// <summary>Where it lies.</summary>
    public static string PathIn(RunDirectory run) => run.File(StageName.Deploy, "endpoint.json");

    /// <summary>Writes it, atomically.</summary>
    public static void Write(RunDirectory run, Endpoint endpoint) =>
        RunDirectory.WriteJson(PathIn(run), Placed(endpoint, path => KeptPath.Of(path, run.Of(StageName.Deploy), run.Path)));

    /// <summary>Reads it; its paths are absolute again.</summary>
    public static Endpoint Read(RunDirectory run) =>
        Placed(RunDirectory.ReadJson<Endpoint>(PathIn(run)), kept => KeptPath.Read(kept, run.Of(StageName.Deploy)));

    private static Endpoint Placed(Endpoint endpoint, Func<string, string> place) => endpoint with { Certificate = place(endpoint.Certificate), Bundle = place(endpoint.Bundle) };
}
