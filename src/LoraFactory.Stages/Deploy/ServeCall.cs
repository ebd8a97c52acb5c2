using System.Globalization;
using LoraFactory.Flow;

namespace LoraFactory.Stages.Deploy;

/// <summary><c>lora serve</c> for a recipe's base and store on a port: as the demo starts it, and as deploy tells a person to.</summary>
public sealed class ServeCall(Recipe recipe, int port)
{
    private static readonly Recipe Usual = new();

    private readonly (string Option, string Value, string Usual)[] options =
    [
        ("--base", recipe.Base.Model, Usual.Base.Model),
        ("--store", recipe.Deploy.Store, DeployOptions.StoreAmong(RunDirectory.Usual)),
        ("--port", Number(port), Number(Usual.Deploy.Port)),
        ("--prediction", recipe.Base.Prediction, Usual.Base.Prediction),
        ("--device", recipe.Resources.Device, Usual.Resources.Device),
        ("--threads", Number(recipe.Resources.Threads), Number(Usual.Resources.Threads)),
    ];

    /// <summary>All arguments of lora, "serve" first.</summary>
    public IReadOnlyList<string> Arguments => ["serve", .. options.SelectMany(o => new[] { o.Option, o.Value })];

    /// <summary>The command to type, without the options that say what is usual anyway.</summary>
    public override string ToString() => string.Join(' ', ["lora serve", .. options.Where(o => o.Value != o.Usual).Select(o => $"{o.Option} {UserPath.Quoted(o.Value)}")]);

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);
}
