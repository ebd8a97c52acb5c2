using System.Net;
using LoraFactory.Flow;
using LoraFactory.Stages.Crawl;

namespace LoraFactory.Tests.Stages.Crawl;

public sealed class AddressGuardTests
{
    [Theory]
    [InlineData("127.0.0.1", false)]
    [InlineData("10.1.2.3", false)]
    [InlineData("169.254.169.254", false)]
    [InlineData("100.64.0.1", false)]
    [InlineData("192.168.0.1", false)]
    [InlineData("172.31.255.255", false)]
    [InlineData("0.0.0.0", false)]
    [InlineData("224.0.0.1", false)]
    [InlineData("255.255.255.255", false)]
    [InlineData("::1", false)]
    [InlineData("::", false)]
    [InlineData("::ffff:10.0.0.1", false)]
    [InlineData("::10.0.0.1", false)]
    [InlineData("64:ff9b::7f00:1", false)]
    [InlineData("2002:7f00:1::", false)]
    [InlineData("2001::1", false)]
    [InlineData("fe80::1", false)]
    [InlineData("fd00::1", false)]
    [InlineData("ff02::1", false)]
    [InlineData("8.8.8.8", true)]
    [InlineData("172.32.0.1", true)]
    [InlineData("::ffff:8.8.8.8", true)]
    [InlineData("2606:4700:4700::1111", true)]
    public void Only_global_addresses_pass(string address, bool global) => Assert.Equal(global, AddressGuard.IsGlobal(IPAddress.Parse(address)));

    [Theory]
    [InlineData("http://localhost/")]
    [InlineData("http://a.localhost:99/")]
    [InlineData("http://2130706433/")]
    [InlineData("http://0x7f.1/")]
    [InlineData("http://017700000001/")]
    [InlineData("http://[::ffff:127.0.0.1]/")]
    [InlineData("http://127.0.0.1./")]
    [InlineData("ftp://8.8.8.8/")]
    public void Literals_are_judged_before_anything_is_asked(string url) => Assert.Equal("address-refused", new AddressGuard().Judge(new Uri(url))?.Reason);

    [Theory]
    [InlineData("http://example.org/", true)]
    [InlineData("https://example.org/", true)]
    [InlineData("http://example.org:443/", true)]
    [InlineData("http://example.org:22/", false)]
    [InlineData("https://example.org:8443/", true)]
    [InlineData("http://inside.test:6379/", true)]
    public void Public_hosts_are_asked_at_the_webs_ports_and_those_allowed(string url, bool allowed) =>
        Assert.Equal(allowed, new AddressGuard(["inside.test"], allowPorts: ["8443"]).Judge(new(url)) is null);

    [Fact]
    public async Task What_was_judged_is_what_is_dialled()
    {
        var asked = 0;
        var guard = new AddressGuard(resolve: (_, _) => Task.FromResult<IPAddress[]>([++asked == 1 ? IPAddress.Parse("8.8.8.8") : IPAddress.Loopback]));
        var points = await guard.EndPointsAsync("rebind.test", 80, CancellationToken.None);
        Assert.Equal(new IPEndPoint(IPAddress.Parse("8.8.8.8"), 80), Assert.Single(points));
        await Assert.ThrowsAsync<AddressRefusedException>(() => guard.EndPointsAsync("rebind.test", 80, CancellationToken.None));
    }

    [Fact]
    public async Task One_private_answer_refuses_the_name()
    {
        var guard = new AddressGuard(resolve: (_, _) => Task.FromResult<IPAddress[]>([IPAddress.Parse("8.8.8.8"), IPAddress.Parse("192.168.1.1")]));
        await Assert.ThrowsAsync<AddressRefusedException>(() => guard.EndPointsAsync("mixed.test", 80, CancellationToken.None));
    }

    [Fact]
    public async Task A_fixed_address_needs_leave_to_be_private()
    {
        await Assert.ThrowsAsync<AddressRefusedException>(() => new AddressGuard(resolveMap: ["a.test=127.0.0.1:8080"]).EndPointsAsync("a.test", 80, CancellationToken.None));
        var allowed = new AddressGuard(["a.test"], ["A.test.=127.0.0.1:8080"]);
        Assert.Equal(8080, Assert.Single(await allowed.EndPointsAsync("a.test", 80, CancellationToken.None)).Port);
        var error = Assert.Throws<LoraException>(() => new AddressGuard(resolveMap: ["a.test=localhost:1"]));
        Assert.Equal(ExitCode.BadUsage, error.Code);
    }
}

public sealed class AddressRangeTests
{
    [Theory]
    [InlineData("10.0.0.0/8", "10.255.0.1", true)]
    [InlineData("10.1.2.3/8", "10.255.0.1", true)]
    [InlineData("10.0.0.0/8", "11.0.0.0", false)]
    [InlineData("0.0.0.0/0", "8.8.8.8", true)]
    [InlineData("192.168.1.128/25", "192.168.1.127", false)]
    [InlineData("2001:db8::/33", "2001:db8:7fff::1", true)]
    [InlineData("2001:db8::/33", "2001:db8:8000::1", false)]
    [InlineData("::1", "::1", true)]
    [InlineData("::/0", "1.2.3.4", false)]
    public void Holds_what_shares_the_prefix(string range, string address, bool within) =>
        Assert.Equal(within, AddressRange.Parse(range)!.Contains(System.Net.IPAddress.Parse(address)));

    [Theory]
    [InlineData("10.0.0.0/33")]
    [InlineData("10.0.0.0/")]
    [InlineData("10.0.0.0/-1")]
    [InlineData("10.0.0.0/8/8")]
    [InlineData("::/129")]
    [InlineData("ten/8")]
    [InlineData("")]
    public void What_is_no_range_is_refused(string text) => Assert.Null(AddressRange.Parse(text));
}
