// The images to choose from, as viewer.py wrote them, and what they can be sorted by.

const HELD = ["photograph", "thumbnail", "truth", "seeds"]; // layers without a score

function readData() {
  return JSON.parse(document.getElementById("viewer-data").textContent);
}

/** Layers a side can show: all but the thumbnail. */
function shownLayers(set) {
  return set.layers.filter((layer) => layer.name !== "thumbnail");
}

function findLayer(set, name) {
  return set.layers.find((layer) => layer.name === name);
}

/** URL of an image's picture in a layer, or null if it has none. */
function pictureOf(layer, image) {
  if (layer.lacking.includes(image)) return null;
  if (!layer.data) return `${layer.folder}${image}.${layer.end}`;
  const kind = layer.end === "jpg" ? "jpeg" : layer.end;
  return `data:image/${kind};base64,${layer.data[image]}`;
}

function thumbnailOf(set, image) {
  return pictureOf(findLayer(set, "thumbnail") ?? findLayer(set, "photograph"), image);
}

/** Whether a layer can be right or wrong in an image: it has a score, and the truth is known. */
function isCompared(set, name, image) {
  const truth = findLayer(set, "truth");
  return set.scored.includes(name) && truth !== undefined && !truth.lacking.includes(image);
}

/** IoU of a layer within an image in percent, of `chosenClass` unless that is null; or null. */
function iouOf(set, name, image, chosenClass) {
  const place = set.scored.indexOf(name);
  if (place < 0) return null;
  if (chosenClass === null) return set.iou[image][place];
  const values = set.by_class[image][place];
  return values[set.present[image].indexOf(chosenClass)] ?? null;
}

/** Percent of pixels in which two layers differ; null if one of them has no score. */
function apartOf(set, first, second, image) {
  const wanted = [first, second].map((name) => set.scored.indexOf(name)).sort((a, b) => a - b);
  const pair = set.pairs.findIndex(([a, b]) => a === wanted[0] && b === wanted[1]);
  return pair < 0 ? null : set.apart[image][pair];
}

function meanApart(set, image) {
  const values = set.apart[image];
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Keys and names of all ways to sort a set. */
function sortings(set) {
  const known = set.iou.some((values) => values[0] !== null);
  const made = known ? set.scored.map((name) => [`iou:${name}`, `IoU of ${name}`]) : [];
  if (set.pairs.length) {
    made.push(["gain", "IoU gained from left to right"]);
    made.push(["sides", "difference of left and right"]);
    made.push(["all", "difference of all networks"]);
  }
  return [...made, ["id", "name"]];
}

/** The number an image is sorted by, or null. */
function valueOf(state, image) {
  const { set, sort, left, right, chosenClass } = state;
  if (sort.startsWith("iou:")) return iouOf(set, sort.slice(4), image, chosenClass);
  if (sort === "sides") return apartOf(set, left, right, image);
  if (sort === "all") return meanApart(set, image);
  if (sort !== "gain") return null;
  const [a, b] = [right, left].map((name) => iouOf(set, name, image, chosenClass));
  return a === null || b === null ? null : a - b;
}

/** Whether an image has the class, the text in its name and the mark that are asked for. */
function isWanted(state, image) {
  const { set, chosenClass, sought, onlyMarked } = state;
  if (chosenClass !== null && !set.present[image].includes(chosenClass)) return false;
  return set.ids[image].toLowerCase().includes(sought) && (!onlyMarked || isMarked(state, image));
}

/** Indices of the images to show, in order; those without a value always come last. */
function ordered(state) {
  const { set, sort, falling } = state;
  const images = [...set.ids.keys()].filter((image) => isWanted(state, image));
  const sign = falling ? -1 : 1;
  if (sort === "id") {
    const compare = new Intl.Collator("en", { numeric: true }).compare;
    return images.sort((a, b) => sign * compare(set.ids[a], set.ids[b]));
  }
  const values = new Map(images.map((image) => [image, valueOf(state, image)]));
  return images.sort((a, b) => {
    const [x, y] = [values.get(a), values.get(b)];
    if (x === null || y === null) return (x === null) - (y === null) || a - b;
    return sign * (x - y) || a - b;
  });
}
