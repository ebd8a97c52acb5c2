using System.Globalization;
using System.Text.RegularExpressions;

namespace LoraFactory.Flow;

/// <summary>What is wrong with one value, without its place.</summary>
internal sealed record ValueFault(string Id, string Message, string? Fix = null);

/// <summary>Turns written values into typed ones and checks range, length and choice. Numbers follow YAML 1.2's core schema.</summary>
internal static partial class OptionParser
{
    /// <summary>A value from a YAML node: quotes count, since a quoted number is text.</summary>
    public static object? FromYaml(OptionEntry option, YamlPart part, List<ValueFault> faults)
    {
        if (option.IsList) return ListFromYaml(option, part, faults);
        if (part is not YamlText text)
        {
            faults.Add(new("LR011", part is YamlList ? "a list stands where one value belongs" : "a section stands where one value belongs"));
            return null;
        }
        if (IsEmpty(text))
        {
            faults.Add(new("LR015", "the key has no value", $"Delete the line to get the default {Show(option.Default)}"));
            return null;
        }
        return Check(option, Single(option, text.Text, text.IsPlain, faults), faults);
    }

    /// <summary>A value from an environment variable or --set: raw text, lists separated by commas or in brackets.</summary>
    public static object? FromRaw(OptionEntry option, string raw, List<ValueFault> faults)
    {
        if (option.IsList)
        {
            try
            {
                var written = raw.TrimStart().StartsWith('[') ? raw : null;
                if (written is not null) return ListFromYaml(option, YamlTree.Read(System.Text.Encoding.UTF8.GetBytes(written))!, faults);
            }
            catch (YamlFault fault)
            {
                faults.Add(new("LR011", fault.Message));
                return null;
            }
            var parts = raw.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
            return Check(option, ToList(option, [.. parts.Select(p => Single(option, p, option.Kind != OptionKind.Text, faults))]), faults);
        }
        return Check(option, Single(option, raw, isPlain: option.Kind != OptionKind.Text, faults), faults);
    }

    /// <summary>A value as it is written in YAML.</summary>
    public static string Show(object value) => value switch
    {
        bool flag => flag ? "true" : "false",
        double number => number.ToString("R", CultureInfo.InvariantCulture),
        string text => Quote(text),
        IEnumerable<string> texts => "[" + string.Join(", ", texts.Select(Quote)) + "]",
        System.Collections.IEnumerable items => "[" + string.Join(", ", items.Cast<object>().Select(Show)) + "]",
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString() ?? "",
    };

    private static string Quote(string text)
    {
        var bare = text.Length is > 0 and < 60 && BareText().IsMatch(text) && !NumberText().IsMatch(text) && !ReservedText().IsMatch(text);
        return bare ? text : System.Text.Json.JsonSerializer.Serialize(text, RunDirectory.Json);
    }

    private static object? ListFromYaml(OptionEntry option, YamlPart part, List<ValueFault> faults)
    {
        if (part is not YamlList list)
        {
            var fix = part is YamlText { Text.Length: > 0 } single ? $"Write [{(single.IsPlain ? single.Text : Quote(single.Text))}]" : "Write [] for an empty list";
            faults.Add(new("LR011", part is YamlMap ? "a section stands where a list belongs" : "one value stands where a list belongs", fix));
            return null;
        }
        var items = new List<object?>();
        for (var i = 0; i < list.Items.Count; i++)
        {
            if (list.Items[i] is not YamlText text) faults.Add(new("LR011", $"item {i + 1} is not a single value"));
            else if (IsEmpty(text) || text.Text.Length == 0) faults.Add(new("LR015", $"item {i + 1} is empty", "Delete it"));
            else items.Add(Single(option, text.Text, text.IsPlain, faults));
        }
        return Check(option, ToList(option, items), faults);
    }

    private static object? ToList(OptionEntry option, List<object?> items)
    {
        if (items.Contains(null)) return null;
        var array = Array.CreateInstance(option.Property.PropertyType.GetGenericArguments()[0], items.Count);
        for (var i = 0; i < items.Count; i++) array.SetValue(items[i], i);
        return array;
    }

    private static object? Single(OptionEntry option, string text, bool isPlain, List<ValueFault> faults)
    {
        var fault = option.Kind switch
        {
            OptionKind.Text => isPlain ? TextFault(text) : null,
            _ when !isPlain => new ValueFault("LR011", $"\"{Short(text)}\" is text because it is quoted", $"Write {Short(text)} without quotes"),
            OptionKind.Flag => text is "true" or "false" ? null : new ValueFault("LR011", $"{Short(text)} is neither true nor false", FlagFix(text)),
            OptionKind.Integer => IntegerText().IsMatch(text) ? null : new ValueFault("LR011", $"{Short(text)} is not a whole number", NumberFix(option, text)),
            _ => NumberText().IsMatch(text) ? null : new ValueFault("LR011", $"{Short(text)} is not a number", NumberFix(option, text)),
        };
        if (fault is not null)
        {
            faults.Add(fault);
            return null;
        }
        return option.Kind switch
        {
            OptionKind.Flag => text == "true",
            OptionKind.Text => option.Declared.IsPath ? UserPath.Expand(text) : text,
            OptionKind.Number => double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture),
            _ => Whole(option, text, faults),
        };
    }

    private static object? Whole(OptionEntry option, string text, List<ValueFault> faults)
    {
        var item = option.IsList ? option.Property.PropertyType.GetGenericArguments()[0] : option.Property.PropertyType;
        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value))
        {
            if (item == typeof(long)) return value;
            if (value is >= int.MinValue and <= int.MaxValue) return (int)value;
        }
        faults.Add(new("LR012", $"{Short(text)} is out of range"));
        return null;
    }

    private static object? Check(OptionEntry option, object? value, List<ValueFault> faults)
    {
        if (value is null) return null;
        var declared = option.Declared;
        if (value is Array list)
        {
            if (Outside(list.Length, declared)) return Fault(new("LR012", $"the list has {list.Length} items"));
            var strange = declared.OneOf.Length == 0 ? null : list.Cast<string>().FirstOrDefault(w => !declared.OneOf.Contains(w));
            return strange is null ? value : Fault(WordFault(option, strange));
        }
        if (value is string text)
        {
            if (declared.OneOf.Length > 0) return declared.OneOf.Contains(text) ? value : Fault(WordFault(option, text));
            return Outside(text.Length, declared) ? Fault(new("LR012", text.Length == 0 ? "it is empty" : $"it has {text.Length} characters")) : value;
        }
        if (value is bool) return value;
        var number = Convert.ToDouble(value, CultureInfo.InvariantCulture);
        return Outside(number, declared) || double.IsInfinity(number) ? Fault(new("LR012", $"{Show(value)} is out of range")) : value;

        object? Fault(ValueFault fault)
        {
            faults.Add(fault);
            return null;
        }
    }

    private static ValueFault WordFault(OptionEntry option, string word) =>
        new("LR013", $"{Short(word)} is not a choice", NearestKey.Among(word, option.Declared.OneOf) is { } near ? $"Did you mean {near}?" : null);

    private static bool Outside(double value, OptionAttribute declared) => value < declared.Min || value > declared.Max;

    private static bool IsEmpty(YamlText text) => text.IsPlain && text.Text is "" or "~" or "null" or "Null" or "NULL";

    private static ValueFault? TextFault(string text) =>
        NumberText().IsMatch(text) || text is "true" or "false"
            ? new("LR011", $"{Short(text)} is {(text is "true" or "false" ? "a truth value" : "a number")} where text belongs", $"Write \"{Short(text)}\" in quotes")
            : null;

    private static string? FlagFix(string text) => text.ToLowerInvariant() switch
    {
        "yes" or "on" or "y" or "1" or "true" => "Write true",
        "no" or "off" or "n" or "0" or "false" => "Write false",
        _ => null,
    };

    private static string? NumberFix(OptionEntry option, string text)
    {
        var start = LeadingNumber().Match(text).Value;
        if (start.Length == text.Length && option.Kind == OptionKind.Integer && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var whole)
            && whole == Math.Floor(whole) && Math.Abs(whole) < 1e15)
            return $"Write {whole.ToString("0", CultureInfo.InvariantCulture)}";
        if (start.Length == 0 || start.Length == text.Length) return null;
        return option.Declared.Unit.Length > 0 ? $"Write the number alone, in {option.Declared.Unit}" : $"Write the number alone, as in {start}";
    }

    private static string Short(string text) => text.Length <= 60 ? text : text[..57] + "...";

    [GeneratedRegex(@"\A[-+]?[0-9]+\z", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex IntegerText();

    [GeneratedRegex(@"\A[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex NumberText();

    [GeneratedRegex(@"\A[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex LeadingNumber();

    [GeneratedRegex(@"\A[\p{L}_/][\p{L}\p{N} _./+-]*(?<! )\z", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex BareText();

    [GeneratedRegex(@"\A(true|false|null|yes|no|on|off|y|n)\z", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex ReservedText();
}
