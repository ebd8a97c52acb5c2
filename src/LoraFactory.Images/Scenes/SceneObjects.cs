namespace LoraFactory.Images.Scenes;

/// <summary>How each object is drawn: within about −1..1 in both directions of a pen placed at its middle, y downwards.</summary>
internal static class SceneObjects
{
    private static readonly Rgb Wood = new(112, 74, 44), Door = new(92, 62, 44), Lamp = new(250, 236, 160), Glass = new(206, 230, 244),
        Black = new(22, 24, 28), Tyre = new(36, 36, 42), Stem = new(58, 130, 62), Pollen = new(250, 214, 80), Nose = new(220, 110, 120),
        Flesh = new(244, 232, 208), Spot = new(252, 250, 244), Leaf = new(70, 150, 66), Flame = new(250, 170, 50), Beak = new(244, 166, 40),
        Cord = new(100, 100, 104), Handle = new(90, 70, 60);

    public static void Draw(SceneObject it, ScenePen pen, Rgb c)
    {
        Action<ScenePen, Rgb> draw = it switch
        {
            SceneObject.House => House,
            SceneObject.Tree => Tree,
            SceneObject.Fish => Fish,
            SceneObject.Boat => Boat,
            SceneObject.Car => Car,
            SceneObject.Flower => Flower,
            SceneObject.Cat => Cat,
            SceneObject.Mushroom => Mushroom,
            SceneObject.Cup => Cup,
            SceneObject.Apple => Apple,
            SceneObject.Rocket => Rocket,
            SceneObject.Umbrella => Umbrella,
            SceneObject.Star => Star,
            SceneObject.Bird => Bird,
            SceneObject.Balloon => Balloon,
            _ => Key,
        };
        draw(pen, c);
    }

    private static void House(ScenePen p, Rgb c)
    {
        p.Polygon(c, (-.7f, 1), (-.7f, -.05f), (.7f, -.05f), (.7f, 1));
        p.Polygon(c.Dark(), (-1, -.05f), (0, -1), (1, -.05f));
        p.Polygon(Door, (-.18f, 1), (-.18f, .45f), (.18f, .45f), (.18f, 1));
        p.Polygon(Lamp, (.3f, .1f), (.3f, .38f), (.56f, .38f), (.56f, .1f));
    }

    private static void Tree(ScenePen p, Rgb c)
    {
        p.Polygon(Wood, (-.14f, 1), (-.14f, .1f), (.14f, .1f), (.14f, 1));
        p.Oval(c, -.42f, -.1f, .46f, .46f);
        p.Oval(c, .42f, -.1f, .46f, .46f);
        p.Oval(c, 0, -.5f, .52f, .52f);
    }

    private static void Fish(ScenePen p, Rgb c)
    {
        p.Polygon(c.Dark(), (.5f, 0), (1, -.45f), (1, .45f));
        p.Oval(c, -.1f, 0, .78f, .48f);
        p.Oval(Black, -.5f, -.12f, .1f, .1f);
    }

    private static void Boat(ScenePen p, Rgb c)
    {
        p.Polygon(c.Dark(), (-1, .3f), (1, .3f), (.6f, .85f), (-.6f, .85f));
        p.Polygon(c, (-.05f, -1), (-.05f, .2f), (.8f, .2f));
        p.Polygon(c.Light(), (-.15f, -.8f), (-.15f, .2f), (-.7f, .2f));
    }

    private static void Car(ScenePen p, Rgb c)
    {
        p.Polygon(c, (-1, .5f), (-1, 0), (-.55f, -.05f), (-.3f, -.5f), (.4f, -.5f), (.65f, -.05f), (1, .05f), (1, .5f));
        p.Polygon(Glass, (-.38f, -.05f), (-.22f, -.38f), (.32f, -.38f), (.46f, -.05f));
        p.Oval(Tyre, -.52f, .52f, .26f, .26f);
        p.Oval(Tyre, .52f, .52f, .26f, .26f);
    }

    private static void Flower(ScenePen p, Rgb c)
    {
        p.Line(Stem, .12f, (0, 0), (0, 1));
        for (var k = 0; k < 6; k++)
        {
            var (sin, cos) = MathF.SinCos(k * MathF.PI / 3);
            p.Oval(c, .42f * cos, -.3f + .42f * sin, .3f, .3f);
        }
        p.Oval(Pollen, 0, -.3f, .26f, .26f);
    }

    private static void Cat(ScenePen p, Rgb c)
    {
        for (var s = -1; s <= 1; s += 2) p.Polygon(c.Dark(), (s * .8f, -.95f), (s * .78f, 0), (s * .15f, -.6f));
        p.Oval(c, 0, .1f, .85f, .78f);
        for (var s = -1; s <= 1; s += 2) p.Oval(Black, s * .34f, 0, .13f, .17f);
        p.Polygon(Nose, (-.1f, .3f), (.1f, .3f), (0, .42f));
    }

    private static void Mushroom(ScenePen p, Rgb c)
    {
        p.Polygon(Flesh, (-.26f, 0), (.26f, 0), (.34f, 1), (-.34f, 1));
        p.Dome(c, 0, .1f, 1, .95f);
        p.Oval(Spot, -.45f, -.22f, .14f, .14f);
        p.Oval(Spot, .1f, -.5f, .14f, .14f);
        p.Oval(Spot, .5f, -.2f, .14f, .14f);
    }

    private static void Cup(ScenePen p, Rgb c)
    {
        p.Ring(c, .62f, .05f, .38f, .14f);
        p.Polygon(c, (-.7f, -.6f), (.6f, -.6f), (.45f, .8f), (-.55f, .8f));
        p.Oval(c.Dark(.55f), -.05f, -.6f, .65f, .16f);
    }

    private static void Apple(ScenePen p, Rgb c)
    {
        p.Oval(c, -.28f, .15f, .56f, .7f);
        p.Oval(c, .28f, .15f, .56f, .7f);
        p.Line(Wood, .12f, (0, -.4f), (.1f, -.9f));
        p.Oval(Leaf, .36f, -.7f, .28f, .14f);
    }

    private static void Rocket(ScenePen p, Rgb c)
    {
        for (var s = -1; s <= 1; s += 2) p.Polygon(c.Dark(), (s * .3f, .2f), (s * .75f, .8f), (s * .3f, .7f));
        p.Polygon(c, (-.34f, .75f), (-.34f, -.35f), (0, -1), (.34f, -.35f), (.34f, .75f));
        p.Oval(Glass, 0, -.2f, .18f, .18f);
        p.Polygon(Flame, (-.2f, .75f), (.2f, .75f), (0, 1.05f));
    }

    private static void Umbrella(ScenePen p, Rgb c)
    {
        p.Line(Handle, .1f, (0, -.1f), (0, .85f), (.25f, .95f));
        p.Dome(c, 0, .05f, 1, .95f);
        for (var k = -1; k <= 1; k++) p.Oval(c.Dark(), k * .65f, .05f, .3f, .13f);
    }

    private static void Star(ScenePen p, Rgb c)
    {
        Span<(float, float)> corners = stackalloc (float, float)[10];
        for (var k = 0; k < corners.Length; k++)
        {
            var (sin, cos) = MathF.SinCos(k * MathF.PI / 5);
            var reach = k % 2 == 0 ? 1 : .42f;
            corners[k] = (reach * sin, -reach * cos);
        }
        p.Polygon(c, corners);
    }

    private static void Bird(ScenePen p, Rgb c)
    {
        p.Oval(c, 0, 0, .72f, .5f);
        p.Oval(c, -.6f, -.35f, .32f, .32f);
        p.Polygon(Beak, (-.88f, -.4f), (-1.15f, -.28f), (-.86f, -.22f));
        p.Polygon(c.Dark(), (-.2f, -.05f), (.5f, -.7f), (.5f, .05f));
        p.Polygon(c.Dark(), (.55f, 0), (1.1f, -.2f), (1.05f, .25f));
        p.Oval(Black, -.66f, -.42f, .07f, .07f);
    }

    private static void Balloon(ScenePen p, Rgb c)
    {
        p.Line(Cord, .05f, (0, .4f), (.08f, 1.1f));
        p.Oval(c, 0, -.25f, .66f, .75f);
        p.Oval(c.Light(.6f), -.22f, -.5f, .14f, .2f);
    }

    private static void Key(ScenePen p, Rgb c)
    {
        p.Ring(c, -.5f, 0, .42f, .2f);
        p.Line(c, .2f, (-.1f, 0), (1, 0));
        p.Line(c, .16f, (.55f, 0), (.55f, .35f));
        p.Line(c, .16f, (.85f, 0), (.85f, .35f));
    }
}
