using LoraFactory.Flow;
using LoraFactory.Torch;
using LoraFactory.Torch.Nn;

namespace LoraFactory.Stages.Train.Pretraining;

/// <summary>One kind of model that can be trained from scratch on drawn scenes. Everything runs on the tensor thread.</summary>
internal interface IPretraining : IDisposable
{
    /// <summary>Steps, batch and rate where the options leave them to the kind.</summary>
    (int Steps, int BatchSize, double LearningRate) Defaults { get; }

    /// <summary>All weights that are trained, each store under a name of its own ("unet", "text_encoder"; "" when there is one).</summary>
    IReadOnlyList<(string Name, ParameterStore Store)> Trained { get; }

    /// <summary>The loss of one step, a scalar to run backward from; it depends on weights, seed and step alone.</summary>
    Tensor Loss(int step);

    /// <summary>Parts of the last loss by name, for events.jsonl; empty when it has none.</summary>
    IReadOnlyDictionary<string, double> Parts => new Dictionary<string, double>();

    /// <summary>Keeps weights in their valid range after a step.</summary>
    void AfterStep() { }

    /// <summary>Writes the model as float16 in Hugging Face or diffusers layout.</summary>
    void Export(string folder);

    /// <summary>Examines the model on freshly drawn scenes.</summary>
    IReadOnlyList<Metric> Examine(int scenes);

    /// <summary>What the card says about the model: title, a paragraph on what it is, a paragraph on its use.</summary>
    (string Title, string What, string Use) Card { get; }

    /// <summary>What it was made from, for the card, after "Made by this project alone, from ".</summary>
    string Origin => "scenes that it drew; no third-party weights, pictures or vocabulary are in it";

    /// <summary>What the exam was held on, for the card, after "Measured on ".</summary>
    string ExaminedOn => "freshly drawn scenes of another seed than the training's";

    /// <summary>Licence line of the card.</summary>
    string Licence => "Licence: Apache-2.0, as the project.";
}
