using LoraFactory.Torch;

namespace LoraFactory.Models.Weights;

/// <summary>Element types as safetensors files spell them.</summary>
public static class ElementTypes
{
    /// <summary>
    /// In the order in which the reference writer lays tensors out (before their names): wide first.
    /// The hashes sshs_model_hash and sshs_legacy_hash depend on it.
    /// </summary>
    private static readonly (DType Type, string Name)[] Order =
    [
        (DType.Int64, "I64"), (DType.Float64, "F64"), (DType.Float32, "F32"), (DType.Int32, "I32"), (DType.BFloat16, "BF16"), (DType.Float16, "F16"),
        (DType.Int16, "I16"), (DType.Float8E4M3, "F8_E4M3"), (DType.Float8E5M2, "F8_E5M2"), (DType.Int8, "I8"), (DType.UInt8, "U8"), (DType.Bool, "BOOL"),
    ];

    /// <summary>Name in a safetensors header, such as F32.</summary>
    public static string NameOf(DType type) => Order[Rank(type)].Name;

    /// <summary>Place in the order of the reference writer.</summary>
    public static int Rank(DType type)
    {
        for (var i = 0; i < Order.Length; i++)
            if (Order[i].Type == type) return i;
        throw new ModelException($"Element type {type} has no form in a file.");
    }

    /// <summary>Reads a header's name; names are upper case. False for one that this project does not read.</summary>
    public static bool TryParse(string name, out DType type)
    {
        foreach (var entry in Order)
        {
            if (entry.Name != name) continue;
            type = entry.Type;
            return true;
        }
        type = default;
        return false;
    }
}
