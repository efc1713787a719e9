// Masks are grey pictures whose value is the class index. SVG filters colour them, so that a change
// of colours needs no other pictures, and the script reads no pixels.

const NO_LABEL = 255;
const OUTLINE = 2; // CSS pixels on either side of a border
const WRONG = { bright: "#ff0000", safe: "#ffffff" }; // in the map of errors

/** Make the filters; `colours` (#rrggbb) and `shown` have an entry for each of the 256 indices. */
function paintFilters(svg, colours, shown, outlined, wrong) {
  const border = outlined ? borderSteps() : [];
  svg.replaceChildren(
    svgFilter("viewer-colours", [...colourSteps(colours, shown), ...border]),
    ...errorFilters(wrong),
  );
}

/** The colours of the indices; those not shown are transparent. */
function colourSteps(colours, shown) {
  // A quarter more: some browsers round the product with 255, others cut it off.
  const channel = (at) =>
    colours.map((c) => ((parseInt(c.slice(at, at + 2), 16) + 0.25) / 255).toFixed(5)).join(" ");
  const table = (name, values) => svgNode(name, { type: "discrete", tableValues: values });
  return [
    svgNode("feComponentTransfer", { in: "SourceGraphic", result: "coloured" }, [
      table("feFuncR", channel(1)),
      table("feFuncG", channel(3)),
      table("feFuncB", channel(5)),
    ]),
    matrix(["0 0 0 0 0", "0 0 0 0 0", "0 0 0 0 0", "1 0 0 0 0"], { result: "index" }),
    svgNode("feComponentTransfer", { in: "index", result: "shown" }, [
      table("feFuncA", shown.map(Number).join(" ")),
    ]),
    svgNode("feComposite", { in: "coloured", in2: "shown", operator: "in", result: "filled" }),
  ];
}

/** What of them lies at a border: where the highest index nearby is not the lowest. */
function borderSteps() {
  const nearby = { in: "index", radius: OUTLINE };
  return [
    svgNode("feMorphology", { ...nearby, operator: "dilate", result: "highest" }),
    svgNode("feMorphology", { ...nearby, operator: "erode", result: "lowest" }),
    svgNode("feComposite", { in: "highest", in2: "lowest", operator: "arithmetic", k2: 1, k3: -1 }),
    svgNode("feComponentTransfer", { result: "border" }, [
      svgNode("feFuncA", { type: "linear", slope: 255 }),
    ]),
    svgNode("feComposite", { in: "filled", in2: "border", operator: "in" }),
  ];
}

/** For the difference of a mask and its truth: red is the index, blue that the truth has none. */
function errorFilters(wrong) {
  const painted = [1, 3, 5].map((at) => `0 0 0 0 ${parseInt(wrong.slice(at, at + 2), 16) / 255}`);
  const [index, none, opaque] = ["1 0 0 0 0", "0 0 0 0 0", "0 0 0 1 0"];
  return [
    svgFilter("viewer-truth", [matrix([index, none, "255 0 0 0 -254", opaque])]),
    svgFilter("viewer-mask", [matrix([index, none, none, opaque])]),
    svgFilter("viewer-errors", [matrix([...painted, "255 0 -255 0 0"])]),
  ];
}

function svgNode(name, attributes, children = []) {
  const made = document.createElementNS(parts.filter.namespaceURI, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function svgFilter(id, steps) {
  const box = { x: 0, y: 0, width: 1, height: 1, "color-interpolation-filters": "sRGB" };
  return svgNode("filter", { id, ...box }, steps);
}

/** Red, green, blue and opacity as sums of those of the picture and a constant. */
function matrix(rows, more = {}) {
  return svgNode("feColorMatrix", { in: "SourceGraphic", values: rows.join("  "), ...more });
}

/** The colour of every index: bright ones, or safe ones, for the classes present. */
function coloursOf(data, present, safe) {
  const [background, ...bright] = data.colours;
  const palette = safe ? data.safe : bright;
  const homes = safe ? palette.length / 2 : palette.length; // the paler half is for the rest
  const made = Array(256).fill("#808080");
  made[0] = background;
  made[NO_LABEL] = safe ? "#ffffff" : data.no_label;
  const free = new Set(palette.keys());
  for (const index of present.filter((one) => one !== 0 && one !== NO_LABEL)) {
    // Its own place if free, so that most classes have one colour in all images.
    const home = (index - 1) % homes;
    const place = free.has(home) ? home : [...free][0] ?? home;
    free.delete(place);
    made[index] = palette[place];
  }
  return made;
}
