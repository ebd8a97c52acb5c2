using System.Globalization;
using System.Text;

namespace LoraFactory.Stages.Deploy.Serving;

/// <summary>Counters in Prometheus' text format.</summary>
internal sealed class ServingMetrics
{
    private readonly Lock gate = new();
    private long pictures;
    private long requests;
    private long ratings;
    private double seconds;

    public void Drew(int count, double took)
    {
        lock (gate)
        {
            requests++;
            pictures += count;
            seconds += took;
        }
    }

    public void Rated() => Interlocked.Increment(ref ratings);

    public string Text(ServedModel model)
    {
        lock (gate)
        {
            var text = new StringBuilder();
            void Line(string name, string kind, string help, double value) =>
                text.Append($"# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value.ToString(CultureInfo.InvariantCulture)}\n");
            Line("lora_pictures_total", "counter", "Pictures drawn.", pictures);
            Line("lora_requests_total", "counter", "Requests for pictures that were answered.", requests);
            Line("lora_draw_seconds_total", "counter", "Seconds spent on them, waiting included.", seconds);
            Line("lora_ratings_total", "counter", "Ratings received.", Interlocked.Read(ref ratings));
            Line("lora_waiting", "gauge", "Requests that wait or run.", model.Waiting);
            Line("lora_drawing", "gauge", "1 while a request is being drawn.", model.Drawing ? 1 : 0);
            Line("lora_adapters", "gauge", "Adapters loaded.", model.Live.Count);
            return text.ToString();
        }
    }
}
