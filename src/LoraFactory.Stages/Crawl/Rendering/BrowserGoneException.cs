namespace LoraFactory.Stages.Crawl.Rendering;

/// <summary>The browser ended, or says nothing that can be used any more: every page in it is lost.</summary>
internal sealed class BrowserGoneException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>The browser refuses one command; the page that it was for is lost.</summary>
internal sealed class DevToolsException(string method, string message) : Exception($"{method}: {message}");
