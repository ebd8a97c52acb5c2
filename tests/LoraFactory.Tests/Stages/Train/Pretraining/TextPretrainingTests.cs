using LoraFactory.Flow;
using LoraFactory.Images.Scenes;
using LoraFactory.Models;
using LoraFactory.Models.Scoring;
using LoraFactory.Stages.Train.Pretraining;
using LoraFactory.Torch;
using Xunit;

namespace LoraFactory.Tests.Stages.Train.Pretraining;

/// <summary>What the pocket text encoder learns from: WordNet's files as wndb(5WN) has them, copies of texts, and the loss over both.</summary>
[Collection("torch")]
public sealed class TextPretrainingTests
{
    [Fact]
    public void Meanings_that_share_a_more_general_one_are_a_group_and_words_of_one_meaning_may_stand_for_each_other()
    {
        var corpus = GlossCorpus.Read(Tiny());
        Assert.Equal(["boat", "ferry", "raft", "yacht"], corpus.HeldOut.Concat(corpus.Training).Single().SelectMany(g => g.Words).Except(["ferryboat"]).Order(StringComparer.Ordinal));
        var ferry = corpus.HeldOut.Concat(corpus.Training).Single().Single(g => g.Words.Contains("ferry"));
        Assert.Equal("a boat that carries people across", ferry.Definition);
        Assert.Equal(["the ferry was late", "take the ferry"], ferry.Examples);
        Assert.Equal(["ferryboat"], corpus.Synonyms["ferry"]);
        Assert.False(corpus.Synonyms.ContainsKey("boat")); // of two meanings
        Assert.Throws<LoraException>(() => GlossCorpus.Read(TestData.NewFolder()));
    }

    [Fact]
    public void A_copy_is_the_same_text_changed_and_the_same_again_from_the_same_seed()
    {
        var variants = new TextVariants(GlossCorpus.Read(Tiny()));
        string[] text = ["The ferry crosses the river every hour in summer.", "It carries people and bicycles.", "In winter it lies at the quay."];
        var config = new NgramConfig(4096, 16, 3, 4, 1000, 1);
        var encoder = new NgramEncoder(config, [.. Enumerable.Range(0, 4096 * 16).Select(i => (float)Math.Sin(i * 12.9898 + i % 16))]);
        var (whole, changed) = (string.Join(' ', text), 0);
        for (var i = 0; i < 50; i++)
        {
            var (one, again) = (new SceneRandom(7, i), new SceneRandom(7, i));
            var copy = variants.Copy(text, ref one);
            Assert.Equal(copy, variants.Copy(text, ref again));
            Assert.True(ClipScorer.Cosine(encoder.Embed(whole), encoder.Embed(copy)) > 0.4, copy);
            if (copy != whole) changed++;
        }
        Assert.InRange(changed, 25, 50);
    }

    [Fact]
    public void The_loss_falls_when_the_table_follows_its_gradient()
    {
        Assert.SkipUnless(Directory.Exists(GlossCorpus.Folder), "WordNet is not installed (wordnet-base)");
        TorchThread.Shared.Run(() =>
        {
            using var scope = new Scope();
            TorchLibrary.Seed(1);
            using var model = new TextPretraining(new PretrainOptions { Kind = "text", Output = "unused", BatchSize = 48 });
            var table = model.Trained.Single().Item2.Parameters.Single();
            table.Value.RequiresGrad = true;
            double Loss() => model.Loss(0).Item();
            var before = Loss();
            for (var step = 0; step < 4; step++)
            {
                using var inner = new Scope();
                model.Loss(0).Backward();
                using var off = Autograd.NoGrad();
                var gradient = table.Value.Grad()!;
                table.Value.Add_(gradient, -0.05 / gradient.Square().Mean().Sqrt().Item() / 100);
                gradient.Zero_();
            }
            Assert.True(Loss() < before, $"{before} before, {Loss()} after");
            Assert.True(model.Parts["copies"] > 0 && model.Parts["meanings"] > 0);
        });
    }

    // Six meanings: four boats of one kind, a second meaning of "boat", and something else.
    private static string Tiny()
    {
        var folder = TestData.NewFolder();
        File.WriteAllLines(Path.Combine(folder, "data.noun"),
        [
            "  1 a line of the licence",
            "00000100 06 n 01 boat 0 001 @ 00000900 n 0000 | a small vessel; \"the boat leaked\"  ",
            "00000200 06 n 02 ferry 0 ferryboat 0 001 @ 00000900 n 0000 | a boat that carries people across; \"the ferry was late\"; \"take the ferry\"  ",
            "00000300 06 n 01 raft 0 001 @ 00000900 n 0000 | logs that float  ",
            "00000400 06 n 01 yacht 0 001 @ 00000900 n 0000 | a boat for pleasure  ",
            "00000500 06 n 02 boat 1 gravy_boat 0 001 @ 00000800 n 0000 | a dish for sauce  ",
        ]);
        File.WriteAllText(Path.Combine(folder, "data.verb"), "00000100 30 v 01 float 0 000 01 + 02 00 | be on the water  \n");
        File.WriteAllText(Path.Combine(folder, "data.adj"), "00000100 00 a 01 last(a) 0 001 & 00000200 a 0000 | coming after all others  \n");
        File.WriteAllText(Path.Combine(folder, "data.adv"), "");
        return folder;
    }
}
