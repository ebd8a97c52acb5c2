namespace LoraFactory.Stages.Crawl.Rendering;

/// <summary>
/// Reads a document's markup, in a world that the page's scripts cannot reach. Where elements have open shadow trees these are written in the elements' place,
/// with what is slotted into them, as a reader sees them. Getters are taken from their prototypes, since a form's fields can hide its own; the walk is a loop.
/// </summary>
internal static class PageMarkup
{
    // Lone surrogates would be no text, so they are made well-formed; what is too long is not handed over.
    private const string Function = """
        (most => {
          const getter = (type, name) => { const get = Object.getOwnPropertyDescriptor(type.prototype, name).get; return node => get.call(node); };
          const kind = getter(Node, 'nodeType'), kids = getter(Node, 'childNodes'), parent = getter(Node, 'parentNode'), name = getter(Element, 'localName'),
            attributes = getter(Element, 'attributes'), shadow = getter(Element, 'shadowRoot'), rooted = node => Node.prototype.getRootNode.call(node) instanceof ShadowRoot;
          const empty = new Set('area base br col embed hr img input link meta source track wbr'.split(' ')), raw = new Set('script style xmp iframe noembed noframes plaintext noscript'.split(' '));
          const escape = text => text.replaceAll('&', '&amp;').replaceAll('\u00a0', '&nbsp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
          const below = node => shadow(node) ? kids(shadow(node)) : name(node) === 'template' && node.content ? kids(node.content)
            : name(node) === 'slot' && rooted(node) && node.assignedNodes().length > 0 ? node.assignedNodes() : kids(node);
          const flat = root => {
            const parts = [], open = [root];
            for (let length = 0; open.length > 0 && length <= most;) {
              const node = open.pop();
              let part = '';
              if (typeof node === 'string') part = node;
              else if (kind(node) === 3) part = parent(node) && kind(parent(node)) === 1 && raw.has(name(parent(node))) ? node.data : escape(node.data);
              else if (kind(node) === 1) {
                part = '<' + name(node);
                for (const a of attributes(node)) part += ` ${a.name}="${a.value.replaceAll('&', '&amp;').replaceAll('"', '&quot;')}"`;
                part += '>';
                if (!empty.has(name(node))) {
                  open.push(`</${name(node)}>`);
                  const all = below(node);
                  for (let i = all.length - 1; i >= 0; i--) open.push(all[i]);
                }
              }
              parts.push(part);
              length += part.length;
            }
            return parts.join('');
          };
          const root = document.documentElement;
          let html = root ? root.outerHTML : '';
          if (html.length <= most && [...document.querySelectorAll('*')].some(shadow)) html = flat(root);
          return html.length > most ? { n: html.length } : { n: html.length, h: html.toWellFormed(), u: document.URL };
        })
        """;

    /// <summary>An expression whose value has n, the number of characters, and, where they are at most <paramref name="most"/>, the markup h and the document's address u.</summary>
    public static string Expression(long most) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Function}({most})");
}
