// The keys. They work all over the page while the viewer is on the screen.

const KEYS = {
  ArrowLeft: () => move(-1),
  ArrowRight: () => move(1),
  x: () => swapSides(),
  o: () => toggleView("outlines"),
  e: () => toggleView("errors"),
  m: () => change({ masks: !state.masks }),
  c: () => change({ safe: !state.safe }),
  "+": () => zoomTo(stage, stage.zoom * STEP),
  "=": () => zoomTo(stage, stage.zoom * STEP),
  "-": () => zoomTo(stage, stage.zoom / STEP),
  0: () => zoomTo(stage, 1),
  s: () => toggleMark(),
  f: () => toggleFullScreen(),
  Escape: () => document.fullscreenElement && toggleFullScreen(),
  "/": () => parts.find.select(),
  "?": () => toggleHelp(),
};
const LIST_KEYS = {
  ArrowUp: () => move(-thumbnails.columns),
  ArrowDown: () => move(thumbnails.columns),
  PageUp: () => move(-2 * thumbnails.columns),
  PageDown: () => move(2 * thumbnails.columns),
  Home: () => move(-state.order.length),
  End: () => move(state.order.length),
};

/** Whether an element needs a key itself while it has the focus. */
function needsKey(element, key) {
  if (element.matches("select, textarea, input[type=search]")) return true;
  return /^(Arrow|Page|Home|End)/.test(key) && element.matches("input, .scroll");
}

function isOnScreen(element) {
  const { top, bottom } = element.getBoundingClientRect();
  return top < innerHeight && bottom > 0;
}

function listenToKeys() {
  document.addEventListener("keydown", (event) => {
    const { key, code, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (needsKey(target, key) || !isOnScreen(tool)) return;
    const inList = target === thumbnails.box && LIST_KEYS[key];
    const act = inList || KEYS[key.length === 1 ? key.toLowerCase() : key];
    if (/^Digit[1-9]$/.test(code)) chooseLayer(Number(code.slice(5)), event.shiftKey ? "left" : "right");
    else if (act) act();
    else return;
    event.preventDefault();
  });
}
