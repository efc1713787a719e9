// What the user can change, by a control or a key.

const TITLES = { val: "validation", weak: "weak" };
const VIEWS = ["fills", "outlines", "errors"];
const EVERY = { chosenClass: null, sought: "", onlyMarked: false }; // all images are listed

function chooseSet(key) {
  const set = data.sets.find((one) => one.key === key);
  const sorting = sortings(set);
  const [sort] = sorting.find(([name]) => name === `iou:${set.main}`) ?? sorting[0];
  const left = ["truth", "photograph"].find((name) => findLayer(set, name)?.lacking.length === 0);
  Object.assign(state, { set, left, right: set.main, image: 0, sort, falling: false, ...EVERY });
  Object.assign(stage, { zoom: 1, x: 0, y: 0 });
  parts.set.value = key;
  parts.find.value = "";
  offer(parts.sort, sorting, sort);
  const found = [...new Set(set.present.flat())].filter((i) => i < data.classes.length);
  const classes = found.sort((a, b) => a - b).map((i) => [i, className(data, i)]);
  offer(parts.class, [["", "any class"], ...classes], "");
  listAgain();
}

function sortBy(sort) {
  // Differences start with the greatest, scores with the lowest.
  Object.assign(state, { sort, falling: ["gain", "sides", "all"].includes(sort) });
  if (["gain", "sides"].includes(sort)) pickNetworks();
  listAgain();
}

/** Make both sides show networks: only they have a difference to sort by. */
function pickNetworks() {
  const { scored, main } = state.set;
  if (!scored.includes(state.right)) state.right = main;
  if (scored.includes(state.left) && state.left !== state.right) return;
  const others = scored.filter((name) => name !== state.right);
  state.left = others.includes("strong") ? "strong" : others.at(-1);
}

/** List the images whose name holds a text; show the one that has it for a name. */
function find(text) {
  state.sought = text.trim().toLowerCase();
  const exact = state.set.ids.findIndex((id) => id.toLowerCase() === state.sought);
  if (exact >= 0) state.image = exact;
  listAgain(true);
}

/** Show what the page's address names, if it names an image of this page. */
function openAddress() {
  const named = readAddress();
  const set = data.sets.find(({ key }) => key === named?.set);
  const image = set?.ids.indexOf(named.image) ?? -1;
  if (image < 0) return;
  chooseSet(set.key);
  for (const side of ["left", "right"]) {
    const layer = shownLayers(set).find(({ name }) => name === named[side]);
    if (layer && !layer.lacking.includes(image)) state[side] = layer.name;
  }
  showImage(image);
  tool.scrollIntoView();
}

function change(values) {
  Object.assign(state, values);
  draw();
}

function chooseSide(side, name) {
  change({ [side]: name });
  if (state.sort === "gain" || state.sort === "sides") listAgain(true);
}

function chooseLayer(number, side) {
  const layer = shownLayers(state.set)[number - 1];
  if (layer && !layer.lacking.includes(state.image)) chooseSide(side, layer.name);
}

function swapSides() {
  Object.assign(state, { left: state.right, right: state.left });
  chooseSide("left", state.left);
}

function toggleClass(index) {
  const hidden = new Set(state.hidden);
  if (!hidden.delete(index)) hidden.add(index);
  change({ hidden });
}

/** Change how masks are shown; the same again leads back to fills. */
function toggleView(view) {
  change({ view: state.view === view && state.masks ? "fills" : view, masks: true });
}

function toggleMark() {
  const marked = state.marks[state.set.key];
  const id = state.set.ids[state.image];
  if (!marked.delete(id)) marked.add(id);
  keepMarks(state.marks);
  const cell = thumbnails.made.get(state.order.indexOf(state.image));
  if (cell) nameThumbnail(cell, state.image);
  draw();
}

function toggleFullScreen() {
  const asked = document.fullscreenElement ? document.exitFullscreen() : tool.requestFullscreen();
  asked.catch(() => {}); // the browser may refuse
}

function toggleHelp() {
  parts.help.toggleAttribute("open");
  parts.help.scrollIntoView({ block: "nearest" });
}

function move(by) {
  const place = state.order.indexOf(state.image) + by;
  const image = state.order[Math.min(state.order.length - 1, Math.max(0, place))];
  if (image !== undefined) showImage(image);
}
