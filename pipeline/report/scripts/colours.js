// Masks are grey pictures whose value is the class index. One SVG filter colours both sides: the
// first table of 256 gives the colour, a second one whether the class is shown.

const FILTER = "viewer-colours";

/** Make a filter in `svg` of the colours (#rrggbb) of all 256 indices, and whether each is shown. */
function paintFilter(svg, colours, shown) {
  // A quarter more: some browsers round the product with 255, others cut it off.
  const channel = (at) =>
    colours.map((c) => ((parseInt(c.slice(at, at + 2), 16) + 0.25) / 255).toFixed(5)).join(" ");
  const element = (name, attributes, children = []) => {
    const made = document.createElementNS(svg.namespaceURI, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };
  const table = (name, values) => element(name, { type: "discrete", tableValues: values });
  const index = "0 0 0 0 0  0 0 0 0 0  0 0 0 0 0  1 0 0 0 0"; // red, the index, as opacity
  const box = { x: 0, y: 0, width: 1, height: 1, "color-interpolation-filters": "sRGB" };
  const filter = element("filter", { id: FILTER, ...box }, [
    element("feComponentTransfer", { in: "SourceGraphic", result: "coloured" }, [
      table("feFuncR", channel(1)),
      table("feFuncG", channel(3)),
      table("feFuncB", channel(5)),
    ]),
    element("feColorMatrix", { in: "SourceGraphic", values: index }),
    element("feComponentTransfer", { result: "shown" }, [
      table("feFuncA", shown.map(Number).join(" ")),
    ]),
    element("feComposite", { in: "coloured", in2: "shown", operator: "in" }),
  ]);
  svg.replaceChildren(filter);
}

/** The colour of every index: the data set's own, or safe ones for the classes present. */
function coloursOf(data, present, safe) {
  const own = Array.from({ length: 256 }, (_, i) => data.colours[i] ?? "#808080");
  own[NO_LABEL] = data.no_label;
  if (!safe) return own;
  const free = new Set(data.safe.keys());
  const objects = present.filter((index) => index !== 0 && index !== NO_LABEL);
  for (const index of objects) {
    // Its own place among the seven hues if free, so that most classes keep their colour.
    const home = (index - 1) % (data.safe.length / 2);
    const place = free.has(home) ? home : [...free][0] ?? home;
    free.delete(place);
    own[index] = data.safe[place];
  }
  own[0] = "#000000";
  own[NO_LABEL] = "#ffffff";
  return own;
}
