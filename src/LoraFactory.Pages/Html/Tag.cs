using System.Collections.Frozen;

namespace LoraFactory.Pages.Html;

/// <summary>Elements of HTML that reading a page tells apart; all others are <see cref="Other"/>.</summary>
internal enum Tag : byte
{
    Other, Text, A, Abbr, Address, Area, Article, Aside, Audio, B, Blockquote, Body, Br, Button, Canvas, Caption, Center, Cite, Code, Col, Dd, Del, Details, Dialog, Div, Dl, Dt, Em, Embed,
    Fieldset, Figcaption, Figure, Font, Footer, Form, Frameset, H1, H2, H3, H4, H5, H6, Header, Hr, Html, I, Iframe, Img, Input, Ins, Label, Li, Link, Main, Map, Math, Menu, Meta, Nav, NoScript,
    Object, Ol, Option, P, Picture, Pre, Q, S, Samp, Script, Section, Select, Small, Source, Span, Strong, Style, Sub, Summary, Sup, Svg, Table, Tbody, Td, Template, Textarea, Tfoot, Th, Thead,
    Time, Tr, U, Ul, Video, Wbr,
}

/// <summary>What is so of an element by its name alone.</summary>
internal static class Tags
{
    private static readonly FrozenDictionary<string, Tag> Known = Enum.GetValues<Tag>().Where(tag => tag > Tag.Text).ToFrozenDictionary(tag => tag.ToString().ToLowerInvariant(), StringComparer.Ordinal);

    private static readonly bool[] Phrasing = Of(
        Tag.Text, Tag.A, Tag.Abbr, Tag.Audio, Tag.B, Tag.Br, Tag.Button, Tag.Cite, Tag.Code, Tag.Del, Tag.Em, Tag.Embed, Tag.Font, Tag.I, Tag.Img, Tag.Input, Tag.Ins, Tag.Label, Tag.Math,
        Tag.NoScript, Tag.Object, Tag.Picture, Tag.Q, Tag.S, Tag.Samp, Tag.Script, Tag.Select, Tag.Small, Tag.Source, Tag.Span, Tag.Strong, Tag.Sub, Tag.Sup, Tag.Textarea, Tag.Time, Tag.U, Tag.Wbr);

    private static readonly bool[] Unread = Of(
        Tag.Script, Tag.Style, Tag.Template, Tag.Svg, Tag.Math, Tag.Canvas, Tag.Select, Tag.Option, Tag.Textarea, Tag.Iframe, Tag.Audio, Tag.Video, Tag.Object, Tag.Embed);

    /// <summary>By local name, lower case as the parser gives it.</summary>
    public static Tag Of(string localName) => Known.GetValueOrDefault(localName);

    /// <summary>Words, and what stands among words; an unknown element does too.</summary>
    public static bool IsPhrasing(Tag tag) => Phrasing[(int)tag];

    /// <summary>Elements whose text is no text of the page: code, forms' values, drawings, what players and frames show in their place.</summary>
    public static bool IsUnread(Tag tag) => Unread[(int)tag];

    /// <summary>h1 to h6.</summary>
    public static bool IsHeading(Tag tag) => tag is >= Tag.H1 and <= Tag.H6;

    /// <summary>Whether text before and after it belongs to different lines.</summary>
    public static bool IsBlock(Tag tag) => !Phrasing[(int)tag] && tag is not (Tag.Other or Tag.Wbr);

    private static bool[] Of(params Tag[] tags)
    {
        var set = new bool[Enum.GetValues<Tag>().Length];
        foreach (var tag in tags) set[(int)tag] = true;
        return set;
    }
}
