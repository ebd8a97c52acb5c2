namespace LoraFactory.Flow;

/// <summary>Where an endpoint notes what it drew and how people rated it. Deploy gives, feedback keeps.</summary>
public interface IRatings : IDisposable
{
    /// <summary>Notes that a picture was drawn.</summary>
    void AddGeneration(string id, string adapter, int version, string prompt, DateTimeOffset at);

    /// <summary>Keeps a rating of 0 to 1; false when no such picture was drawn here.</summary>
    bool Rate(string generation, double rating, string comment, DateTimeOffset at);
}
