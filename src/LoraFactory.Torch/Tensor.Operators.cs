namespace LoraFactory.Torch;

public sealed partial class Tensor
{
    /// <summary>Sum with broadcasting.</summary>
    public static Tensor operator +(Tensor a, Tensor b) => a.Add(b);
    /// <summary>Sum with a number.</summary>
    public static Tensor operator +(Tensor a, double b) => a.Add((Scalar)b);
    /// <summary>Sum with a number.</summary>
    public static Tensor operator +(double a, Tensor b) => b.Add((Scalar)a);
    /// <summary>Difference with broadcasting.</summary>
    public static Tensor operator -(Tensor a, Tensor b) => a.Sub(b);
    /// <summary>Difference with a number.</summary>
    public static Tensor operator -(Tensor a, double b) => a.Sub((Scalar)b);
    /// <summary>A number less a tensor.</summary>
    public static Tensor operator -(double a, Tensor b) => b.Rsub((Scalar)a);
    /// <summary>Negation.</summary>
    public static Tensor operator -(Tensor a) => a.Neg();
    /// <summary>Product, element by element, with broadcasting.</summary>
    public static Tensor operator *(Tensor a, Tensor b) => a.Mul(b);
    /// <summary>Product with a number.</summary>
    public static Tensor operator *(Tensor a, double b) => a.Mul((Scalar)b);
    /// <summary>Product with a number.</summary>
    public static Tensor operator *(double a, Tensor b) => b.Mul((Scalar)a);
    /// <summary>Quotient, element by element, with broadcasting.</summary>
    public static Tensor operator /(Tensor a, Tensor b) => a.Div(b);
    /// <summary>Quotient by a number.</summary>
    public static Tensor operator /(Tensor a, double b) => a.Div((Scalar)b);
}
