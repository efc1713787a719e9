// Which class a mask has at a pixel. A script may not read pixels where the page was opened as a
// file, so viewer_layers.py wrote the indices apart: into the page, or into a style sheet beside it.

const read = { set: null, image: -1, indices: null }; // of the image that was last pointed at

/** An image's indices; null while they are being read, and `ready` is called when they are. */
function indicesOf(set, image, ready) {
  const isAsked = () => read.set === set && read.image === image;
  if (!isAsked()) {
    Object.assign(read, { set, image, indices: null });
    readIndices(set, image).then(
      (indices) => {
        if (!isAsked()) return; // another image was chosen meanwhile
        read.indices = indices;
        ready();
      },
      () => {}, // the folder viewer/ is missing, as the stage says, or the browser is old
    );
  }
  return read.indices;
}

/** Indices of all masks of an image, (rows, masks, columns), the masks as in `masksOf`. */
async function readIndices(set, image) {
  const { data, folder } = set.indices;
  const text = data ? data[image] : await loadText(`${folder}${image}.css`);
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(unpacked).arrayBuffer());
}

/** The text that a style sheet holds. */
function loadText(href) {
  document.getElementById("viewer-sheet")?.remove();
  const link = node("link", { id: "viewer-sheet", rel: "stylesheet", href });
  return new Promise((done, fail) => {
    link.addEventListener("error", fail);
    link.addEventListener("load", () => {
      done(getComputedStyle(link).getPropertyValue("--indices").slice(1, -1));
    });
    document.head.append(link);
  });
}

/** Names of the layers of class indices that an image has. */
function masksOf(set, image) {
  const masks = shownLayers(set).filter((layer) => layer.name !== "photograph");
  return masks.filter((layer) => !layer.lacking.includes(image)).map((layer) => layer.name);
}

/** The class index of a layer at a pixel; undefined where it has none. */
function indexAt(set, image, indices, name, [column, row]) {
  const masks = masksOf(set, image);
  const place = masks.indexOf(name);
  const [width] = set.sizes[image];
  return place < 0 ? undefined : indices[(row * masks.length + place) * width + column];
}
