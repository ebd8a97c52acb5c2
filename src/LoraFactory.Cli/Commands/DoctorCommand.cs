using System.CommandLine;
using LoraFactory.Cli.Doctor;
using LoraFactory.Cli.Engine;
using LoraFactory.Flow;

namespace LoraFactory.Cli.Commands;

/// <summary><c>lora doctor</c>: what is there, what is missing, and what to do about it.</summary>
public sealed class DoctorCommand : ICommandFile
{
    /// <inheritdoc/>
    public CommandGroup Group => CommandGroup.Service;

    /// <inheritdoc/>
    public int Order => 20;

    /// <inheritdoc/>
    public Command Build(CommandWorld world)
    {
        var json = ResultLines.Option("One JSON object");
        var command = new Command("doctor", "Say what is found on this machine and what to do about what is missing") { json };
        command.SetAction(parsed =>
        {
            List<Finding> findings = [.. TensorFindings.All(), .. MachineFindings.All(Directory.GetCurrentDirectory())];
            var missing = findings.Exists(f => f.Health == Health.Missing);
            var results = ResultLines.Of(world, parsed);
            results.ForPrograms(new { ok = !missing, findings });
            Print(results, findings);
            return (int)(missing ? ExitCode.Failed : ExitCode.Done);
        });
        return command;
    }

    private static void Print(ResultLines results, List<Finding> findings)
    {
        foreach (var finding in findings)
        {
            var mark = finding.Health switch { Health.Ok => "ok     ", Health.Warning => "warning", _ => "MISSING" };
            results.ForPeople($"{mark}  {finding.Name,-10} {finding.Value}");
            if (finding.Advice is not null) results.ForPeople($"{"",-20} → {finding.Advice}");
        }
    }
}
