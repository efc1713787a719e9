// The viewer's state, and what its controls do.

const data = readData();
const tool = document.getElementById("viewer-tool");
const parts = Object.fromEntries(
  [...tool.querySelectorAll("[data-part]")].map((element) => [element.dataset.part, element]),
);
const state = {
  ...{ set: null, image: 0, left: "", right: "", marks: readMarks(data.sets) },
  ...{ order: [], sort: "id", falling: false, ...EVERY },
  // The background starts hidden, so that the photograph shows around the objects.
  ...{ hidden: new Set([0]), masks: true, view: "fills", opacity: 0.7, safe: false },
};

document.getElementById("viewer-without").hidden = true;
tool.hidden = false;
parts.full.hidden = !document.fullscreenEnabled;
const stage = makeStage(parts, drawPointed);
const thumbnails = makeThumbnails(parts.thumbs, (place) => showImage(state.order[place]));

parts.set.addEventListener("change", () => chooseSet(parts.set.value));
parts.class.addEventListener("change", () => {
  state.chosenClass = parts.class.value === "" ? null : Number(parts.class.value);
  listAgain();
});
parts.sort.addEventListener("change", () => sortBy(parts.sort.value));
parts.reverse.addEventListener("click", () => {
  state.falling = !state.falling;
  listAgain();
});
parts.find.addEventListener("input", () => find(parts.find.value));
parts.find.addEventListener("keydown", ({ key }) => {
  if (key === "Enter") parts.stage.focus({ preventScroll: true });
});
parts.marked.addEventListener("click", () => {
  state.onlyMarked = !state.onlyMarked;
  listAgain(true);
});
parts.save.addEventListener("click", () => saveFile("marked.csv", tableOfMarks(data.sets, state.marks)));
parts.opacity.addEventListener("input", () => change({ opacity: parts.opacity.value / 100, masks: true }));
for (const view of VIEWS) parts[view].addEventListener("click", () => change({ view, masks: true }));
parts.all.addEventListener("click", () => change({ hidden: new Set() }));
parts.none.addEventListener("click", () => change({ hidden: new Set(Array(256).keys()) }));
const BUTTONS = { previous: "ArrowLeft", next: "ArrowRight", in: "+", out: "-", fit: "0", safe: "c" };
Object.assign(BUTTONS, { mark: "s", full: "f" });
for (const [name, key] of Object.entries(BUTTONS)) parts[name].addEventListener("click", KEYS[key]);
listenToKeys();
addEventListener("hashchange", openAddress);

offer(parts.set, data.sets.map((set) => [set.key, TITLES[set.key]]), data.sets[0].key);
chooseSet(data.sets[0].key);
openAddress();
