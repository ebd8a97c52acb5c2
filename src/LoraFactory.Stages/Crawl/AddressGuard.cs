using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace LoraFactory.Stages.Crawl;

/// <summary>An address that a crawl may not connect to.</summary>
public sealed class AddressRefusedException(string message) : IOException(message);

/// <summary>
/// Keeps a crawl away from every address that is not global unicast (server-side request forgery): names are resolved here, each address is
/// judged, and exactly the judged address is dialled, so that a second answer of DNS cannot slip in between. Ranges: IANA special-purpose
/// registries for IPv4 and IPv6, plus addresses on which clouds serve metadata.
/// </summary>
public sealed class AddressGuard
{
    private static readonly AddressRange[] Denied = [.. new[]
    {
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15",
        "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
    }.Select(text => AddressRange.Parse(text)!)];

    private static readonly AddressRange GlobalUnicast6 = AddressRange.Parse("2000::/3")!;

    // Addresses by which turns are taken; they are looked up anew, and judged anew, when dialled.
    private const int MostAddresses = 20_000;

    /// <summary>How long the address by which a host's turns are taken stands, and a connection to it is used: so the turn is that of the address that is asked.</summary>
    public static readonly TimeSpan AddressLasts = TimeSpan.FromMinutes(2);

    private readonly ConcurrentDictionary<string, (long At, IPAddress? Address)> addresses = new(StringComparer.OrdinalIgnoreCase);
    private readonly HashSet<int> ports;
    private readonly HashSet<string> privateHosts;
    private readonly Dictionary<string, IPEndPoint> fixedAddresses;
    private readonly Func<string, CancellationToken, Task<IPAddress[]>> resolve;
    private volatile bool turns; // of addresses are taken

    /// <summary>A guard with its exceptions.</summary>
    /// <param name="allowPrivateHosts">Host names that may be loopback or private.</param>
    /// <param name="resolveMap">"host=ip:port" entries that replace DNS and the URL's port.</param>
    /// <param name="resolve">Name lookup; null uses the system's.</param>
    /// <param name="allowPorts">Ports besides 80 and 443 that may be dialled at public hosts.</param>
    public AddressGuard(
        IEnumerable<string>? allowPrivateHosts = null,
        IEnumerable<string>? resolveMap = null,
        Func<string, CancellationToken, Task<IPAddress[]>>? resolve = null,
        IEnumerable<string>? allowPorts = null)
    {
        ports = [80, 443, .. (allowPorts ?? []).Select(p => int.Parse(p, NumberStyles.None, CultureInfo.InvariantCulture))];
        privateHosts = new((allowPrivateHosts ?? []).Select(Name), StringComparer.OrdinalIgnoreCase);
        fixedAddresses = new(StringComparer.OrdinalIgnoreCase);
        foreach (var entry in resolveMap ?? [])
        {
            var equals = entry.IndexOf('=');
            if (equals < 1 || !IPEndPoint.TryParse(entry[(equals + 1)..], out var point) || point.Port == 0)
                throw new Flow.LoraException($"crawl.resolve: \"{entry}\" is not host=ip:port, e.g. drawings.test=127.0.0.1:8080.", Flow.ExitCode.BadUsage);
            fixedAddresses[Name(entry[..equals])] = point;
        }
        this.resolve = resolve ?? ((host, token) => Dns.GetHostAddressesAsync(host, token));
    }

    /// <summary>Is the address global unicast? IPv4 inside IPv6 ("::ffff:…") is judged by its IPv4 part.</summary>
    public static bool IsGlobal(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        if (address.AddressFamily == AddressFamily.InterNetworkV6 && (!GlobalUnicast6.Contains(address) || address.ScopeId != 0)) return false;
        return !Array.Exists(Denied, range => range.Contains(address));
    }

    /// <summary>Judges a URL by scheme and literal host, before any name is resolved; null when it may be tried.</summary>
    public Refusal? Judge(Uri url)
    {
        if (url.Scheme is not ("http" or "https")) return new("address-refused", $"the scheme {url.Scheme} is not http or https");
        var host = Name(url.IdnHost);
        if (privateHosts.Contains(host)) return null;
        if (host is "localhost" || host.EndsWith(".localhost", StringComparison.Ordinal)) return new("address-refused", $"{host} is this computer");
        if (Literal(host) is { } address && !IsGlobal(address)) return new("address-refused", $"{address} is not a public address");
        return url.IsDefaultPort || ports.Contains(url.Port) ? null : new("address-refused", $"port {url.Port} is not one of crawl.allow_ports");
    }

    /// <summary>The addresses, all judged, that may be dialled for this host, in the order of the answer. Throws <see cref="AddressRefusedException"/>.</summary>
    public async Task<IReadOnlyList<IPEndPoint>> EndPointsAsync(string host, int port, CancellationToken token)
    {
        var name = Name(host);
        if (fixedAddresses.TryGetValue(name, out var point))
        {
            if (!privateHosts.Contains(name) && !IsGlobal(point.Address))
                throw new AddressRefusedException($"{name} is mapped to {point.Address}, which is not a public address, and is not in crawl.allow_private_hosts");
            return [point];
        }
        var addresses = Literal(name) is { } literal ? [literal] : await resolve(name, token);
        if (addresses.Length == 0) throw new SocketException((int)SocketError.HostNotFound);
        // One private answer among public ones refuses the name: honest sites have none.
        if (!privateHosts.Contains(name) && Array.Find(addresses, a => !IsGlobal(a)) is { } bad)
            throw new AddressRefusedException($"{name} resolves to {bad}, which is not a public address");
        return [.. addresses.Select(a => new IPEndPoint(a, port))];
    }

    /// <summary>The address that would be dialled first; null where the host has none or may not be dialled.</summary>
    public async ValueTask<IPAddress?> AddressAsync(string host, int port, CancellationToken token)
    {
        turns = true;
        if (addresses.TryGetValue(host, out var known) && Environment.TickCount64 - known.At < AddressLasts.TotalMilliseconds) return known.Address;
        IPAddress? address = null;
        try
        {
            address = (await EndPointsAsync(host, port, token))[0].Address;
        }
        catch (Exception e) when (e is AddressRefusedException or SocketException)
        {
            // dialling says why
        }
        Remember(host, address);
        return address;
    }

    /// <summary>
    /// Dials for <see cref="SocketsHttpHandler.ConnectCallback"/>: the address judged is the address connected to. Where addresses take turns, one that
    /// refuses or hangs is not followed by the next at once: that one has its turn when the host is asked again.
    /// </summary>
    public async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken token)
    {
        var points = await EndPointsAsync(context.DnsEndPoint.Host, context.DnsEndPoint.Port, token);
        Exception? last = null;
        var order = InTurn(context.DnsEndPoint.Host, points).ToList();
        foreach (var (i, point) in order.Index())
        {
            var socket = new Socket(point.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                await socket.ConnectAsync(point, token);
                Remember(context.DnsEndPoint.Host, point.Address);
                return new NetworkStream(socket, ownsSocket: true);
            }
            catch (SocketException e)
            {
                socket.Dispose();
                last = e;
                if (!turns || NothingWasSent(e.SocketErrorCode)) continue;
                Next();
                throw;
            }
            catch
            {
                socket.Dispose();
                if (turns) Next();
                throw;
            }

            void Next() => Remember(context.DnsEndPoint.Host, order[(i + 1) % order.Count].Address);
        }
        throw last!;
    }

    // This computer has no way there: nobody was asked.
    private static bool NothingWasSent(SocketError error) => error is SocketError.NetworkUnreachable or SocketError.NetworkDown or SocketError.AddressFamilyNotSupported or SocketError.AddressNotAvailable;

    private void Remember(string host, IPAddress? address)
    {
        if (addresses.Count > MostAddresses) addresses.Clear();
        addresses[host] = (Environment.TickCount64, address);
    }

    // The address whose turn it is comes first, where the name still has it.
    private IEnumerable<IPEndPoint> InTurn(string host, IReadOnlyList<IPEndPoint> points) =>
        addresses.TryGetValue(host, out var known) && known.Address is { } turn ? points.OrderByDescending(point => point.Address.Equals(turn)) : points;

    private static string Name(string host) => host.Trim('[', ']').TrimEnd('.').ToLowerInvariant();

    // inet_aton's forms too ("2130706433", "0x7f.1"): some resolvers dial them, so they are judged as addresses here.
    private static IPAddress? Literal(string host)
    {
        if (IPAddress.TryParse(host, out var plain)) return plain;
        var parts = host.Split('.');
        if (parts.Length > 4) return null;
        var values = new uint[parts.Length];
        for (var i = 0; i < parts.Length; i++)
            if (!Number(parts[i], out values[i])) return null;
        ulong address = values[^1];
        for (var i = 0; i < parts.Length - 1; i++)
        {
            if (values[i] > 255) return null;
            address |= (ulong)values[i] << (24 - 8 * i);
        }
        return address > uint.MaxValue ? null : new IPAddress([(byte)(address >> 24), (byte)(address >> 16), (byte)(address >> 8), (byte)address]);
    }

    private static bool Number(string text, out uint value)
    {
        value = 0;
        if (text.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
            return uint.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
        if (text.Length > 1 && text[0] == '0')
        {
            foreach (var c in text)
            {
                if (c is < '0' or > '7' || value > uint.MaxValue >> 3) return false;
                value = value * 8 + (uint)(c - '0');
            }
            return true;
        }
        return uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);
    }
}
