using LoraFactory.Images.Scenes;
using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Stages.Train.Pretraining;

/// <summary>The facts of a scene as classes: how many each fact has, which one a scene is of, and how much each counts.</summary>
internal static class FactClasses
{
    /// <summary>Class of what cannot be seen; cross-entropy leaves it out.</summary>
    public const long Unseen = -100;

    /// <summary>Name, number of classes, weight. Shapes are far harder to learn than colours: with equal weights towers hardly look at them.</summary>
    public static readonly IReadOnlyList<(string Fact, int Classes, double Weight)> All =
        [("object", 16, 1), ("colour", 10, 0.2), ("place", 7, 0.2), ("style", 6, 0.2), ("count", 3, 0.5), ("side", 2, 0.3)];

    /// <summary>Class of a scene by the number of the fact in <see cref="All"/>.</summary>
    public static long Of(SceneFacts f, int fact) => fact switch
    {
        0 => (long)f.Object,
        1 => f.ColourIsVisible ? (long)f.Colour : Unseen,
        2 => (long)f.Place,
        3 => (long)f.Style,
        4 => f.Count - 1,
        _ => f.Side == SceneSide.Middle ? Unseen : (long)f.Side - 1,
    };

    /// <summary>
    /// Weighted sum of the cross-entropies of logits [b, 44], the facts' classes side by side; each fact's own goes to
    /// <paramref name="parts"/> under its name after <paramref name="prefix"/>.
    /// </summary>
    public static Tensor Loss(Tensor logits, IReadOnlyList<SceneFacts> facts, Dictionary<string, double> parts, string prefix = "")
    {
        Tensor? sum = null;
        var at = 0;
        for (var fact = 0; fact < All.Count; fact++)
        {
            var (name, classes, weight) = All[fact];
            var right = facts.Select(f => Of(f, fact)).ToArray();
            // A batch without a single row of a fact has no mean.
            if (Array.Exists(right, r => r >= 0))
            {
                var part = logits.Narrow(1, at, classes).CrossEntropyLoss(Tensor.From(right, right.Length));
                parts[prefix + name] = part.Item();
                sum = sum is null ? part * weight : sum + part * weight;
            }
            at += classes;
        }
        return sum!;
    }
}

/// <summary>
/// A linear layer that names the facts of a picture from the vision tower's class token, trained beside the model and thrown away. Through
/// it the tower learns shapes before texts mean anything; a tower that hears from an untrained text side alone stays blind for long.
/// </summary>
internal sealed class FactHeads
{
    private readonly Linear layer;

    public FactHeads(int width)
    {
        layer = new(Store.Root["facts"], width, FactClasses.All.Sum(f => f.Classes));
        Store.Initialize();
    }

    /// <summary>Its weights; in checkpoints, not in the exported model.</summary>
    public ParameterStore Store { get; } = new();

    /// <summary>The loss for class tokens [b, d].</summary>
    public Tensor Loss(Tensor classTokens, IReadOnlyList<SceneFacts> facts, Dictionary<string, double> parts) =>
        FactClasses.Loss(layer.Forward(classTokens), facts, parts, "head ");
}
