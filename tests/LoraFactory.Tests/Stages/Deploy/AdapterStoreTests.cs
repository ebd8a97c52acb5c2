using System.Text.Json.Nodes;
using LoraFactory.Flow;
using LoraFactory.Stages.Deploy;
using LoraFactory.Stages.Deploy.Serving;
using Xunit;

namespace LoraFactory.Tests.Stages.Deploy;

/// <summary>Versions, champion and the way back; nothing is lost and nothing leaves the store.</summary>
public sealed class AdapterStoreTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private AdapterStore Store => new(folder.File("store"));

    private StoredAdapter Add(string content, string state = "champion", string name = "style", string run = "runs/x")
    {
        var bundle = Directory.CreateDirectory(folder.File("bundle")).FullName;
        File.WriteAllText(Path.Combine(bundle, "adapter.safetensors"), content);
        return Store.Add(new()
        {
            Name = name,
            Version = 0,
            State = state,
            Sha256 = ContentId.OfFile(Path.Combine(bundle, "adapter.safetensors")),
            AdapterId = "a",
            ReportId = "r",
            Base = "pocket-sd",
            Run = run,
            Why = "a test",
            StoredAt = DateTimeOffset.UnixEpoch,
        }, bundle);
    }

    private string States(string name = "style") => string.Join(' ', Store.Versions(name).Select(v => $"{v.Version}:{v.State}"));

    [Fact]
    public void A_new_champion_retires_the_one_before_and_the_same_bytes_are_stored_once()
    {
        Assert.Null(Store.Champion("style"));
        Add("one");
        Add("two", "candidate");
        Add("three");
        Assert.Equal("1:retired 2:candidate 3:champion", States());
        Assert.Equal(["style"], Store.Names);
        Assert.Equal(1, Add("one").Version);
        Assert.Equal("1:champion 2:candidate 3:retired", States());
        Assert.Equal("one", File.ReadAllText(Path.Combine(Store.Bundle(Store.Champion("style")!), "adapter.safetensors")));
        Assert.True(File.Exists(folder.File("bundle/adapter.safetensors")));
        Assert.Equal(["v1", "v2", "v3"], Directory.GetDirectories(Path.Combine(Store.Folder, "style")).Select(d => Path.GetFileName(d)).Order());
    }

    [Fact]
    public void Going_back_twice_goes_back_two_and_a_refused_version_never_comes_back()
    {
        Add("one");
        Add("two");
        Add("bad", "refused");
        Add("four");
        Assert.Equal(2, Store.Rollback("style", null, "why").Version);
        Assert.Equal(1, Store.Rollback("style", null, "why").Version);
        Assert.Contains("no earlier champion", Assert.Throws<LoraException>(() => Store.Rollback("style", null, "why")).Message);
        Assert.Equal(4, Store.Rollback("style", 4, "why").Version);
        Assert.Equal(ExitCode.Refused, Assert.Throws<LoraException>(() => Store.Rollback("style", 3, "why")).Code);
        Assert.Contains("has no version 9; it has 1, 2, 3, 4", Assert.Throws<LoraException>(() => Store.Rollback("style", 9, "why")).Message);
        Assert.Equal("1:retired 2:retired 3:refused 4:champion", States());
        Assert.Contains("has no adapter other; it has style", Assert.Throws<LoraException>(() => Store.Rollback("other", null, "why")).Message);
        Assert.False(Directory.Exists(Path.Combine(Store.Folder, "other")));
    }

    [Fact]
    public void A_candidate_is_promoted_by_force_and_never_by_going_back()
    {
        Add("one");
        Add("two", "candidate");
        Add("bad", "refused");
        LoraException Promoting(int version, bool force = true) => Assert.Throws<LoraException>(() => Store.Promote("style", version, force));
        Assert.Contains($"lora adapters promote style --version 2 --store {Store.Folder} --force puts", Assert.Throws<LoraException>(() => Store.Rollback("style", 2, "why")).Message);
        Assert.Contains("has no certificate.json", Promoting(2).Message); // not even by force
        var bundle = Store.Bundle(Store.Versions("style")[1]);
        var certificate = new Certificate { Sha256 = Store.Versions("style")[1].Sha256, BaseHash = "b", Fault = "", Checks = [new("a check", true, "found")] };
        RunDirectory.WriteJson(Path.Combine(bundle, Certificate.FileName), certificate with { Fault = "fried" });
        Assert.Contains("refused as fried", Promoting(2).Message);
        RunDirectory.WriteJson(Path.Combine(bundle, Certificate.FileName), certificate);
        var unforced = Promoting(2, force: false);
        Assert.Equal((ExitCode.Refused, true), (unforced.Code, unforced.Message.Contains("its gates do not all hold (a test); --force", StringComparison.Ordinal)));
        Assert.Equal(ExitCode.Refused, Promoting(3).Code);
        Assert.Contains("version 1 is champion already", Promoting(1).Message);
        Assert.Contains("has no version 9; it has 1, 2, 3", Promoting(9).Message);
        Assert.Equal("1:champion 2:candidate 3:refused", States());

        Assert.Equal(("champion", "promoted by hand; as a candidate: a test"), (Store.Promote("style", 2, force: true).State, Store.Champion("style")!.Why));
        Assert.Equal("1:retired 2:champion 3:refused", States());
        Assert.Contains($"lora adapters rollback style --version 1 --store {Store.Folder} brings", Promoting(1).Message);
        Assert.Equal(1, Store.Rollback("style", null, "why").Version);
        Assert.Contains("version 1 is champion already", Assert.Throws<LoraException>(() => Store.Rollback("style", 1, "why")).Message);
    }

    [Fact]
    public void A_store_that_is_moved_with_its_runs_names_them_where_they_are()
    {
        Add("one", run: folder.File("runs/x"));
        Add("two", run: "/elsewhere/runs/y");
        var file = Path.Combine("store", "style", "versions.json");
        Assert.DoesNotContain(folder.Path, File.ReadAllText(folder.File(file)));
        using var other = new TemporaryFolder();
        Directory.Move(folder.File("store"), other.File("store"));
        var moved = new AdapterStore(other.File("store"));
        Assert.Equal([other.File("runs/x"), "/elsewhere/runs/y"], moved.Versions("style").Select(v => v.Run));
        File.WriteAllText(other.File(file), File.ReadAllText(other.File(file)).Replace("../../runs/x", "/before/runs/x", StringComparison.Ordinal)); // as it was kept before
        Assert.Equal("/before/runs/x", moved.Rollback("style", 1, "why").Run);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_forced_promotion_stands_when_the_same_bytes_are_deployed_again(bool before)
    {
        Add("one");
        Add("two", "candidate");
        Promoted(2);
        if (before) Edit(v => Assert.True(v.Remove("forced"))); // a store from before the fact was kept beside the sentence
        for (var i = 0; i < 2; i++)
        {
            var again = Add("two", "candidate");
            Assert.Equal((2, "champion", true, "promoted by hand; as a candidate: a test"), (again.Version, again.State, again.Forced, again.Why));
            Assert.Equal("1:retired 2:champion", States());
        }
        Assert.Equal(1, Back()); // the way back is the same
        Assert.Equal(("retired", "gates not held; a person put another version into its place"), (Add("two", "candidate").State, Store.Versions("style")[1].Why)); // and a person who went it is not overruled either
        Assert.Equal("1:champion 2:retired", States());
        Assert.Equal("candidate", Add("other bytes", "candidate").State);
        Assert.Equal("1:champion 2:retired 3:candidate", States());
        Assert.Equal(2, Back(2));
        Assert.Equal("refused", Add("two", "refused").State); // no certificate any more: that no person decides
        Assert.Equal("candidate", Add("two", "candidate").State);
    }

    private void Edit(Action<JsonObject> change)
    {
        var file = Path.Combine(Store.Folder, "style", "versions.json");
        var versions = JsonNode.Parse(File.ReadAllText(file))!.AsArray();
        foreach (var version in versions) change(version!.AsObject());
        File.WriteAllText(file, versions.ToJsonString());
    }

    private int Promoted(int version)
    {
        var of = Store.Versions("style").Single(v => v.Version == version);
        RunDirectory.WriteJson(Path.Combine(Store.Bundle(of), Certificate.FileName), new Certificate { Sha256 = of.Sha256, BaseHash = "b", Fault = "", Checks = [new("a check", true, "found")] });
        return Store.Promote("style", version, force: true).Version;
    }

    [Fact]
    public void A_version_that_a_person_went_back_from_stays_retired_when_its_bytes_are_deployed_again()
    {
        Add("one");
        Add("two");
        Assert.Equal(1, Back());
        for (var i = 0; i < 2; i++)
        {
            var again = Add("two");
            Assert.Equal((2, "retired", "a person put another version into its place, and deploying the same bytes again does not undo that"), (again.Version, again.State, again.Why));
            Assert.Equal("1:champion 2:retired", States());
        }
        Assert.Equal("champion", Add("one").State); // it is in service, by the same decision
        Assert.Equal("candidate", Add("two", "candidate").State);
        Assert.Equal("retired", Add("two").State);
        Add("three"); // other bytes are judged as usual
        Assert.Equal("1:retired 2:retired 3:champion", States());
        Assert.Equal("champion", Add("one").State); // nobody went back from it
        Assert.Equal(2, Back(2));
        Assert.Equal("champion", Add("two").State); // a person took it into service again
        Add("four");
        Assert.Equal("champion", Add("two").State);
        Assert.Equal("retired", Add("one").State); // which was left for it
    }

    private int Back(int? version = null) => Store.Rollback("style", version, "why").Version;

    [Fact]
    public void Going_back_undoes_a_promotion_whatever_the_numbers_are()
    {
        Add("one");
        Add("two", "candidate");
        Add("three");
        Assert.Equal((2, 3, 1), (Promoted(2), Back(), Back()));
        Assert.Throws<LoraException>(() => Back());
        Assert.Equal((3, 1), (Back(3), Back())); // forward again, then back to where that came from
        Assert.Equal(3, Back(3));
        Assert.Equal(("retired", 3), (Add("one").State, Store.Champion("style")!.Version)); // deployed anew, it does not undo what a person decided
        Assert.Equal((1, 3), (Back(1), Back(3)));
    }

    [Fact]
    public void Going_back_from_a_promoted_first_version_ends_at_the_one_that_it_replaced()
    {
        Add("one", "candidate");
        Add("two");
        Assert.Throws<LoraException>(() => Back());
        Assert.Equal((1, 2), (Promoted(1), Back()));
        Assert.Throws<LoraException>(() => Back()); // version 1 came after 2
        Assert.Equal("1:retired 2:champion", States());
        Add("two"); // deployed again while it is champion
        Assert.Equal((1, 2), (Back(1), Back()));
    }

    [Fact]
    public void Going_back_from_a_forced_first_version_leaves_no_champion()
    {
        Add("one", "candidate");
        for (var i = 0; i < 2; i++)
        {
            Promoted(1);
            var back = Store.Rollback("style", null, "why");
            Assert.Equal(("candidate", "a test", false, false, null), (back.State, back.Why, back.Forced, back.Withdrawn, Store.Champion("style")));
            Assert.Equal("1:candidate", States());
            Assert.Throws<LoraException>(() => Back());
            Assert.Equal("candidate", Add("one", "candidate").State); // it is not in service again by being deployed
        }
        Promoted(1);
        Add("two");
        Assert.Equal((1, "1:champion 2:retired"), (Back(), States()));
        Assert.Equal((1, "1:candidate 2:retired"), (Back(), States()));
        Assert.Equal(2, Back(2));
    }

    [Fact]
    public void That_gates_did_not_hold_is_kept_when_another_version_takes_over_and_on_the_way_back()
    {
        Add("one");
        Add("two", "candidate");
        Promoted(2);
        Add("three");
        string Why(int version) => Store.Versions("style")[version - 1].Why;
        Assert.DoesNotContain("gates", Why(1), StringComparison.Ordinal);
        Assert.Equal("gates not held; another version took over", Why(2));
        Assert.Equal((2, "gates not held; why"), (Back(), Why(2)));
        Assert.Equal((1, "gates not held; a person put another version into its place", "why"), (Back(), Why(2), Why(1)));
    }

    [Fact]
    public void A_store_from_before_the_replaced_version_was_kept_goes_back_by_number()
    {
        foreach (var content in new[] { "one", "two", "three" }) Add(content);
        var removed = 0;
        Edit(v => removed += v.Remove("replaced") ? 1 : 0);
        Assert.Equal(2, removed);
        Add("four");
        Assert.Equal((3, 2, 1), (Back(), Back(), Back()));
        Assert.Throws<LoraException>(() => Back());
    }

    [Theory]
    [InlineData("../out")]
    [InlineData("..")]
    [InlineData("a/b")]
    [InlineData("")]
    [InlineData("a b")]
    public void A_name_that_could_leave_the_store_is_refused(string name)
    {
        Assert.Equal(ExitCode.BadUsage, Assert.Throws<LoraException>(() => Add("x", name: name)).Code);
        Assert.Throws<LoraException>(() => Store.Versions(name));
        Assert.Equal(["bundle"], Directory.GetDirectories(folder.Path).Select(d => Path.GetFileName(d)));
    }

    [Fact]
    public void A_second_change_at_the_same_time_is_refused_and_damage_is_named()
    {
        Add("one");
        using (File.Open(Path.Combine(Store.Folder, "style", ".lock"), FileMode.Open, FileAccess.ReadWrite, FileShare.None))
            Assert.Contains("Another process is changing style", Assert.Throws<LoraException>(() => Add("two")).Message);
        Assert.Equal("1:champion", States());
        Directory.CreateDirectory(Path.Combine(Store.Folder, "style", "v2.incoming")); // as a killed change leaves it
        Assert.Equal(2, Add("two").Version);
        File.WriteAllText(Path.Combine(Store.Folder, "style", "versions.json"), "null");
        Assert.Contains("versions.json", Assert.Throws<LoraException>(() => Store.Versions("style")).Message);
    }

    [Fact]
    public void A_bundle_whose_replacing_was_killed_is_still_there()
    {
        var stored = Add("one");
        var place = Store.Bundle(stored);
        Directory.Move(place, place + ".outgoing"); // killed between the two renames
        Assert.True(File.Exists(Path.Combine(Store.Bundle(stored), "adapter.safetensors")));
        Assert.Equal(1, Add("one").Version);
        Assert.Equal((place, false), (Store.Bundle(stored), Directory.Exists(place + ".outgoing")));
        Directory.Move(place, place + ".outgoing");
        Assert.Throws<DirectoryNotFoundException>(() => Store.Add(stored, Path.Combine(Store.Folder, "no-such-bundle"))); // a change that fails costs nothing
        Assert.True(File.Exists(Path.Combine(Store.Bundle(stored), "adapter.safetensors")));
    }

    [Fact]
    public void A_certificate_holds_for_the_bytes_that_it_was_given_for()
    {
        var bundle = Store.Bundle(Add("one"));
        Assert.Contains("has no certificate.json", Assert.Throws<LoraException>(() => Certificate.Require(bundle)).Message);
        var granted = new Certificate { Sha256 = ContentId.OfFile(Path.Combine(bundle, "adapter.safetensors")), BaseHash = "b", Fault = "", Checks = [new("c", true, "f")] };
        void Put(Certificate certificate) => RunDirectory.WriteJson(Path.Combine(bundle, Certificate.FileName), certificate);
        Put(granted with { Checks = [] });
        Assert.Throws<LoraException>(() => Certificate.Require(bundle));
        Put(granted with { Fault = "fried", Checks = [new("c", false, "f")] });
        Assert.Contains("refused as fried: c: f", Assert.Throws<LoraException>(() => Certificate.Require(bundle)).Message);
        Put(granted);
        Certificate.Require(bundle);
        File.AppendAllText(Path.Combine(bundle, "adapter.safetensors"), "!");
        Assert.Contains("belongs to other bytes", Assert.Throws<LoraException>(() => Certificate.Require(bundle)).Message);
        File.Delete(Path.Combine(bundle, "adapter.safetensors"));
        Assert.Contains("has no adapter.safetensors", Assert.Throws<LoraException>(() => Certificate.Require(bundle)).Message);
    }

    [Fact]
    public void Tags_are_taken_out_of_the_prompt()
    {
        var prompt = TaggedPrompt.Parse("a red car, <lora:ink:0.5> at night <lora:blue><lora:ink:-0.25>");
        Assert.Equal("a red car, at night", prompt.Text);
        Assert.Equal([("blue", 1.0), ("ink", 0.25)], prompt.Adapters.OrderBy(a => a.Key).Select(a => (a.Key, a.Value)));
        Assert.Equal(("a < b", 0), (TaggedPrompt.Parse("a < b").Text, TaggedPrompt.Parse("a < b").Adapters.Count));
        foreach (var bad in new[] { "<lora:x", "<lora:>", "<lora::1>", "<lora:x:y>", "<lora:x:1:2>", "<lora:x:5>", "<lora:x:NaN>" })
            Assert.Contains("the tag", Assert.Throws<LoraFactory.Models.ModelException>(() => TaggedPrompt.Parse("a " + bad)).Message);
    }
}
