using LoraFactory.Cli;
using LoraFactory.Stages.Clean;

// A process that only decodes pictures: nothing else of the program is loaded.
if (PictureWorker.IsAsked(args)) return PictureWorker.Run();
return await CommandLine.RunAsync(args, Console.Out, Console.Error);
