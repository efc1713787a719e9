// The picture: two sides on top of each other, a divider between them, zoom and pan.

const MOST = 16; // times the whole image
const STEP = 1.5;
const PATIENCE = 100; // milliseconds

/** Make the picture; `moved` is called when another pixel may be under the pointer. */
function makeStage(parts, moved) {
  const stage = { box: parts.stage, divider: parts.divider, zoom: 1, x: 0, y: 0, split: 0.5, moved };
  Object.assign(stage, { size: [1, 1], pointer: null });
  stage.sides = [parts["left-side"], parts["right-side"]].map((box) => {
    const picture = (className) => node("img", { className, alt: "", draggable: false });
    const [photograph, truth, mask] = ["photograph", "truth", "mask"].map(picture);
    const masks = node("div", { className: "masks" }, [truth, mask]);
    const plane = node("div", { className: "plane" }, [photograph, masks]);
    truth.style.filter = "url(#viewer-truth)";
    box.append(plane);
    return { box, plane, photograph, masks, truth, mask };
  });
  listenToPointers(stage);
  listenToDivider(stage);
  new ResizeObserver(() => layOut(stage)).observe(stage.box);
  return stage;
}

/** Show URLs on one side: a mask over the photograph or, with its truth, where it is wrong. */
function showSide(side, photograph, mask, truth, tiny) {
  for (const [name, url] of Object.entries({ photograph, mask, truth })) {
    side[name].hidden = url === null;
    if (url !== null && side[name].getAttribute("src") !== url) side[name].src = url;
  }
  side.photograph.classList.toggle("tiny", tiny);
  const errors = truth !== null; // of the difference of two pictures
  side.masks.style.filter = errors ? "url(#viewer-errors)" : "";
  side.mask.style.filter = errors ? "url(#viewer-mask)" : "url(#viewer-colours)";
  side.mask.style.mixBlendMode = errors ? "difference" : "";
}

/** Hide a plane while its pictures load, so that no mask shows over another photograph. */
function awaitPictures(stage, gone) {
  for (const side of stage.sides) {
    const { plane, photograph, mask, truth } = side;
    const late = setTimeout(() => (plane.style.visibility = "hidden"), PATIENCE);
    const shown = [photograph, mask, truth].filter((image) => !image.hidden);
    const waiting = shown.map((image) => image.decode());
    side.waiting = waiting;
    Promise.allSettled(waiting).then((ends) => {
      clearTimeout(late);
      if (side.waiting !== waiting) return; // another image was chosen meanwhile
      plane.style.visibility = "";
      gone.hidden = ends.every((end) => end.status === "fulfilled");
    });
  }
}

function setImageSize(stage, size) {
  stage.size = size;
  layOut(stage);
}

/** Place the planes for zoom and pan, on whole pixels, so that no class indices mix. */
function layOut(stage) {
  const [wide, tall] = [stage.box.clientWidth, stage.box.clientHeight];
  const scale = Math.min(wide / stage.size[0], tall / stage.size[1]) * stage.zoom;
  const [width, height] = stage.size.map((side) => Math.round(side * scale));
  const [mostX, mostY] = [Math.max(0, (width - wide) / 2), Math.max(0, (height - tall) / 2)];
  stage.x = Math.min(mostX, Math.max(-mostX, stage.x));
  stage.y = Math.min(mostY, Math.max(-mostY, stage.y));
  const left = Math.round((wide - width) / 2 + stage.x);
  const top = Math.round((tall - height) / 2 + stage.y);
  for (const { plane } of stage.sides) {
    const place = { left, top, width, height };
    for (const [key, value] of Object.entries(place)) plane.style[key] = `${value}px`;
  }
  stage.box.classList.toggle("zoomed", stage.zoom > 1);
  stage.inside = [Math.max(0, left), Math.min(wide, left + width)];
  drawDivider(stage);
  stage.moved();
}

function drawDivider(stage) {
  const [from, to] = stage.inside;
  const at = Math.round(from + stage.split * (to - from));
  stage.divider.style.left = `${at}px`;
  stage.divider.setAttribute("aria-valuenow", Math.round(100 * stage.split));
  stage.sides[0].box.style.clipPath = `inset(0 calc(100% - ${at}px) 0 0)`;
  stage.sides[1].box.style.clipPath = `inset(0 0 0 ${at}px)`;
}

function setSplit(stage, split) {
  stage.split = Math.min(1, Math.max(0, split));
  drawDivider(stage);
}

/** Zoom while the point at (x, y) from the stage's middle stays in place. */
function zoomTo(stage, zoom, x = 0, y = 0) {
  const next = Math.min(MOST, Math.max(1, zoom));
  const factor = next / stage.zoom;
  Object.assign(stage, { zoom: next, x: x - (x - stage.x) * factor, y: y - (y - stage.y) * factor });
  layOut(stage);
}

function fromMiddle(stage, event) {
  const box = stage.box.getBoundingClientRect();
  return [event.clientX - box.left - box.width / 2, event.clientY - box.top - box.height / 2];
}

/** The pixel of the image under the pointer, [column, row]; null beside the image. */
function pixelAt({ pointer, size, sides }) {
  if (!pointer) return null;
  const { left, top, width, height } = sides[0].plane.getBoundingClientRect();
  const column = Math.floor(((pointer.clientX - left) / width) * size[0]);
  const row = Math.floor(((pointer.clientY - top) / height) * size[1]);
  return column >= 0 && column < size[0] && row >= 0 && row < size[1] ? [column, row] : null;
}

function follow(stage, pointer) {
  stage.pointer = pointer;
  stage.moved();
}

function listenToPointers(stage) {
  const fingers = new Map();
  const { box } = stage;
  box.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    box.setPointerCapture(event.pointerId);
    follow(stage, event);
  });
  box.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "mouse") follow(stage, null); // where a finger was can still be read
  });
  box.addEventListener("pointermove", (event) => {
    follow(stage, event);
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const now = [event.clientX, event.clientY];
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    fingers.set(event.pointerId, now);
    if (other) {
      const far = ([x, y]) => Math.hypot(x - other[0], y - other[1]) || 1;
      zoomTo(stage, (stage.zoom * far(now)) / far(before), ...fromMiddle(stage, event));
    } else {
      Object.assign(stage, { x: stage.x + now[0] - before[0], y: stage.y + now[1] - before[1] });
      layOut(stage);
    }
  });
  for (const end of ["pointerup", "pointercancel"]) {
    box.addEventListener(end, (event) => fingers.delete(event.pointerId));
  }
  box.addEventListener("dblclick", (event) => {
    if (event.target === stage.divider) setSplit(stage, 0.5);
    else zoomTo(stage, stage.zoom > 1 ? 1 : 4, ...fromMiddle(stage, event));
  });
  const wheel = (event) => {
    // Without a click before, the wheel scrolls the page.
    if (!event.ctrlKey && !box.contains(document.activeElement)) return;
    event.preventDefault();
    zoomTo(stage, stage.zoom * Math.exp(-event.deltaY / 300), ...fromMiddle(stage, event));
  };
  box.addEventListener("wheel", wheel, { passive: false });
}

function listenToDivider(stage) {
  const { divider, box } = stage;
  divider.addEventListener("pointerdown", (event) => {
    event.stopPropagation();
    divider.setPointerCapture(event.pointerId);
  });
  divider.addEventListener("pointermove", (event) => {
    if (!divider.hasPointerCapture(event.pointerId)) return;
    const [from, to] = stage.inside;
    setSplit(stage, (event.clientX - box.getBoundingClientRect().left - from) / (to - from || 1));
  });
  divider.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -0.05, ArrowRight: 0.05, ArrowDown: -0.05, ArrowUp: 0.05 };
    const ends = { Home: 0, End: 1 };
    if (!(event.key in steps) && !(event.key in ends)) return;
    event.preventDefault();
    event.stopPropagation();
    setSplit(stage, ends[event.key] ?? stage.split + steps[event.key]);
  });
}
