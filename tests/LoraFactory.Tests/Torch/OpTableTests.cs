using System.Text;
using LoraFactory.Torch;

namespace LoraFactory.Tests.Torch;

[Collection("torch")]
public sealed unsafe class OpTableTests
{
    private const string Add = "aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor";

    [Theory]
    [InlineData(Add, true)]
    [InlineData("aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1, int? how=None) -> (Tensor(a))", true)]
    [InlineData("aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1, int how) -> Tensor", false)]
    [InlineData("aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> (Tensor sum, Tensor carry)", false)]
    [InlineData("aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor[]", false)]
    [InlineData("aten::add.Tensor(Tensor self, Tensor? other, *, Scalar alpha=1) -> Tensor", false)]
    public void A_schema_fits_by_arguments_and_results(string found, bool fits) => Assert.Equal(fits, SchemaText.Compatible(Add, found));

    [Theory]
    [InlineData("aten::max.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)", "aten::max.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)", true)]
    [InlineData("aten::t_(Tensor(a!) self) -> Tensor(a!)", "aten::t_(Tensor(a!) self) -> (Tensor(a!))", true)]
    [InlineData("aten::size.int(Tensor self, int dim) -> int", "aten::size.int(Tensor self, int dim) -> SymInt", true)]
    public void Spellings_of_results_are_levelled(string expected, string found, bool fits) => Assert.Equal(fits, SchemaText.Compatible(expected, found));

    [Fact]
    public void An_operator_that_changed_is_refused_only_where_nothing_stands_in_for_it()
    {
        var problems = new StringBuilder();
        var optional = new OpEntry("aten::add", "Tensor", "aten::add.Tensor(Tensor self, Tensor other) -> Tensor[]", 1, "Ops.Other");
        OpTable.Find(optional, problems);
        Assert.Equal(0, optional.Handle);
        Assert.Equal("", problems.ToString());
        OpTable.Find(new("aten::add", "Tensor", "aten::add.Tensor(Tensor self, Tensor other) -> Tensor[]", 1, null), problems);
        Assert.Contains("aten::add.Tensor: expected", problems.ToString(), StringComparison.Ordinal);
        var same = new OpEntry("aten::add", "Tensor", Add, 1, null);
        OpTable.Find(same, problems.Clear());
        Assert.NotEqual(0, same.Handle);
        Assert.Equal("", problems.ToString());
    }

    [Fact]
    public void An_operator_with_more_results_than_there_is_room_for_is_not_called() => OnTensorThread.Run(() =>
    {
        var entry = new OpEntry("aten::max", "dim", "aten::max.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)", 2, null);
        OpTable.Find(entry, new());
        var arguments = stackalloc DoorValue[2] { DoorValue.Of(Ops.Ones([2, 2])), DoorValue.Of(0L) };
        var results = stackalloc DoorValue[2];
        results[1].Tag = 77;
        Assert.Equal((int)TorchError.Arguments, Native.door_call(entry.Handle, arguments, 2, results, 1));
        Assert.Equal(77, results[1].Tag);
        Assert.Equal(0, Native.door_call(entry.Handle, arguments, 2, results, 2));
        Native.door_release((nint)results[0].U);
        Native.door_release((nint)results[1].U);
    });
}
