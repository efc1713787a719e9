// The viewer's state, and what each choice of the user changes.

const data = readData();
const tool = document.getElementById("viewer-tool");
const parts = Object.fromEntries([...tool.querySelectorAll("[data-part]")].map((e) => [e.dataset.part, e]));
const TITLES = { val: "validation", weak: "weak" };
// The background starts hidden, so that the photograph shows around the objects.
const state = { set: null, image: 0, order: [], left: "", right: "", chosenClass: null, sort: "id" };
Object.assign(state, { falling: false, hidden: new Set([0]), safe: false, opacity: 0.6, masks: true });

document.getElementById("viewer-without").hidden = true;
tool.hidden = false;
const stage = makeStage(parts);
const thumbnails = makeThumbnails(parts.thumbs, (place) => showImage(state.order[place]));

function chooseSet(key) {
  const set = data.sets.find((one) => one.key === key);
  const sorting = sortings(set);
  const sort = sorting.find(([name]) => name === `iou:${set.main}`) ?? sorting[0];
  const left = ["truth", "photograph"].find((name) => findLayer(set, name)?.lacking.length === 0);
  Object.assign(state, { set, left, right: set.main, sort: sort[0], chosenClass: null, falling: false });
  offer(parts.sort, sorting, state.sort);
  const found = [...new Set(set.present.flat())].filter((i) => i < data.classes.length);
  const classes = found.sort((a, b) => a - b).map((i) => [i, className(data, i)]);
  offer(parts.class, [["", "any class"], ...classes], "");
  sortAgain();
}

/** Sort the images again; show the first of them, or with `keep` the one shown now. */
function sortAgain(keep = false) {
  state.order = ordered(state);
  parts.count.textContent = `${state.order.length} of ${state.set.ids.length} images`;
  parts.reverse.textContent = state.sort === "id" ? "A first" : "lowest first";
  if (state.falling) parts.reverse.textContent = state.sort === "id" ? "Z first" : "highest first";
  thumbnails.box.scrollTop = 0;
  fill(thumbnails, state.order.length, drawThumbnail);
  showImage(keep && state.order.includes(state.image) ? state.image : state.order[0]);
}

function drawThumbnail(cell, place) {
  const image = state.order[place];
  const [id, value] = [state.set.ids[image], valueOf(state, image)];
  const picture = node("img", { alt: "", decoding: "async", src: thumbnailOf(state.set, image) });
  picture.classList.toggle("tiny", state.set.tiny);
  const ending = id.length > 10 ? `…${id.slice(-9)}` : id; // where ids differ
  cell.append(picture, node("small", {}, [value === null ? ending : shortNumber(value)]));
  cell.title = id;
  cell.setAttribute("aria-label", value === null ? id : `${id}, ${shortNumber(value)}`);
}

function showImage(image) {
  state.image = image;
  setImageSize(stage, state.set.sizes[image]);
  select(thumbnails, state.order.indexOf(image));
  draw();
}

/** Draw the state, except for the list of thumbnails. */
function draw() {
  const { set, image } = state;
  const colours = coloursOf(data, set.present[image], state.safe);
  paintFilter(parts.filter, colours, colours.map((_, index) => !state.hidden.has(index)));
  ["left", "right"].forEach((name, number) => {
    const layer = findLayer(set, state[name]);
    const masked = state[name] !== "photograph" && state.masks;
    const mask = masked ? pictureOf(layer, image) : null;
    showSide(stage.sides[number], pictureOf(findLayer(set, "photograph"), image), mask, set.tiny);
    stage.sides[number].mask.style.opacity = state.opacity;
    parts[`${name}-tag`].textContent = state[name];
  });
  awaitPictures(stage, parts.gone);
  parts.stage.setAttribute("aria-label", `${set.ids[image]}: left ${state.left}, right ${state.right}`);
  parts.safe.setAttribute("aria-pressed", state.safe);
  parts.opacity.value = 100 * state.opacity;
  drawLayers(parts, state, chooseSide);
  drawClasses(parts, data, state, colours, toggleClass);
  drawName(parts, data, state);
}

function change(values) {
  Object.assign(state, values);
  draw();
}

function chooseSide(side, name) {
  change({ [side]: name });
  if (state.sort === "gain" || state.sort === "sides") sortAgain(true);
}

/** Make both sides show networks: only they have a difference to sort by. */
function pickNetworks() {
  const { scored, main } = state.set;
  if (!scored.includes(state.right)) state.right = main;
  if (scored.includes(state.left) && state.left !== state.right) return;
  const others = scored.filter((name) => name !== state.right);
  state.left = others.includes("strong") ? "strong" : others.at(-1);
}

function toggleClass(index) {
  const hidden = new Set(state.hidden);
  if (!hidden.delete(index)) hidden.add(index);
  change({ hidden });
}

function move(by) {
  const place = state.order.indexOf(state.image) + by;
  showImage(state.order[Math.min(state.order.length - 1, Math.max(0, place))]);
}

function pressDigit(event) {
  const layer = shownLayers(state.set)[Number(event.code.slice(5)) - 1];
  if (layer && !layer.lacking.includes(state.image)) {
    chooseSide(event.shiftKey ? "left" : "right", layer.name);
  }
}

const KEYS = {
  ArrowLeft: () => move(-1),
  ArrowRight: () => move(1),
  x: () => {
    Object.assign(state, { left: state.right, right: state.left });
    chooseSide("left", state.left);
  },
  c: () => change({ safe: !state.safe }),
  m: () => change({ masks: !state.masks }),
  "+": () => zoomTo(stage, stage.zoom * STEP),
  "=": () => zoomTo(stage, stage.zoom * STEP),
  "-": () => zoomTo(stage, stage.zoom / STEP),
  0: () => zoomTo(stage, 1),
  "?": () => parts.help.toggleAttribute("open"),
};
const LIST_KEYS = {
  ArrowUp: () => move(-thumbnails.columns),
  ArrowDown: () => move(thumbnails.columns),
  PageUp: () => move(-2 * thumbnails.columns),
  PageDown: () => move(2 * thumbnails.columns),
  Home: () => move(-state.order.length),
  End: () => move(state.order.length),
};

tool.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select")) return;
  // The range and the radio buttons need the arrows while they have the focus.
  if (event.target.matches("input") && event.key.startsWith("Arrow")) return;
  const inList = event.target === thumbnails.box && LIST_KEYS[event.key];
  const act = inList || KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (/^Digit[1-9]$/.test(event.code)) pressDigit(event);
  else if (act) act();
  else return;
  event.preventDefault();
});
parts.set.addEventListener("change", () => chooseSet(parts.set.value));
parts.class.addEventListener("change", () => {
  state.chosenClass = parts.class.value === "" ? null : Number(parts.class.value);
  sortAgain();
});
parts.sort.addEventListener("change", () => {
  // Differences start with the greatest, scores with the lowest.
  const falling = ["gain", "sides", "all"].includes(parts.sort.value);
  Object.assign(state, { sort: parts.sort.value, falling });
  if (["gain", "sides"].includes(state.sort)) pickNetworks();
  sortAgain();
});
parts.reverse.addEventListener("click", () => {
  state.falling = !state.falling;
  sortAgain();
});
parts.opacity.addEventListener("input", () => change({ opacity: parts.opacity.value / 100, masks: true }));
parts.previous.addEventListener("click", () => move(-1));
parts.next.addEventListener("click", () => move(1));
parts.in.addEventListener("click", KEYS["+"]);
parts.out.addEventListener("click", KEYS["-"]);
parts.fit.addEventListener("click", KEYS[0]);
parts.all.addEventListener("click", () => change({ hidden: new Set() }));
parts.none.addEventListener("click", () => change({ hidden: new Set(Array(256).keys()) }));
parts.safe.addEventListener("click", KEYS.c);

offer(parts.set, data.sets.map((set) => [set.key, TITLES[set.key]]), data.sets[0].key);
chooseSet(data.sets[0].key);
