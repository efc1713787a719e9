// Draws the state: the list of images, the picture, and what stands beside it.

const SIDES = ["left", "right"];

/** List the images again; show the first of them, or with `keep` the one shown now. */
function listAgain(keep = false) {
  state.order = ordered(state);
  parts.count.textContent = `${state.order.length} of ${state.set.ids.length} images`;
  parts.reverse.textContent = state.sort === "id" ? "A first" : "lowest first";
  if (state.falling) parts.reverse.textContent = state.sort === "id" ? "Z first" : "highest first";
  parts.marked.setAttribute("aria-pressed", state.onlyMarked);
  thumbnails.box.scrollTop = 0;
  fill(thumbnails, state.order.length, drawThumbnail);
  const kept = keep && state.order.includes(state.image);
  showImage(kept ? state.image : state.order[0] ?? state.image);
}

function drawThumbnail(cell, place) {
  const image = state.order[place];
  const [id, value] = [state.set.ids[image], valueOf(state, image)];
  const picture = node("img", { alt: "", decoding: "async", src: thumbnailOf(state.set, image) });
  picture.classList.toggle("tiny", state.set.tiny);
  const ending = id.length > 7 ? `…${id.slice(-6)}` : id; // where ids differ, in full
  cell.append(picture, node("small", {}, [value === null ? ending : shortNumber(value)]));
  cell.title = id;
  nameThumbnail(cell, image);
}

/** Say what a thumbnail shows, and whether it is marked. */
function nameThumbnail(cell, image) {
  const [value, marked] = [valueOf(state, image), isMarked(state, image)];
  const words = [cell.title, value === null ? "" : shortNumber(value), marked ? "marked" : ""];
  cell.setAttribute("aria-label", words.filter((word) => word).join(", "));
  cell.classList.toggle("marked", marked);
}

function showImage(image) {
  state.image = image;
  setImageSize(stage, state.set.sizes[image]);
  select(thumbnails, state.order.indexOf(image));
  draw();
}

/** Draw the state, except for the list of images. */
function draw() {
  const { set, image, left, right, hidden, safe, view } = state;
  state.colours = coloursOf(data, set.present[image], safe);
  const outlined = view === "outlines";
  // Round a stripe without a label there would be two more lines.
  const isShown = (index) => !hidden.has(index) && !(outlined && index === NO_LABEL);
  const shown = state.colours.map((_, index) => isShown(index));
  paintFilters(parts.filter, state.colours, shown, outlined, safe ? WRONG.safe : WRONG.bright);
  SIDES.forEach((name, number) => drawSide(stage.sides[number], state[name], parts[`${name}-tag`]));
  awaitPictures(stage, parts.gone);
  parts.stage.setAttribute("aria-label", `${set.ids[image]}: left ${left}, right ${right}`);
  drawButtons(parts, state);
  drawLayers(parts, state, chooseSide);
  drawClasses(parts, data, state, toggleClass);
  drawName(parts, data, state);
  drawPointed();
  writeAddress(state);
}

/** A layer on one side: the photograph under its mask or, if asked for, under what is wrong. */
function drawSide(side, name, tag) {
  const { set, image, masks, view, opacity } = state;
  const urlOf = (layer) => pictureOf(findLayer(set, layer), image);
  const mask = masks && name !== "photograph" ? urlOf(name) : null;
  const wrong = mask !== null && view === "errors" && isCompared(set, name, image);
  showSide(side, urlOf("photograph"), mask, wrong ? urlOf("truth") : null, set.tiny);
  side.masks.style.opacity = view === "outlines" ? 1 : opacity;
  tag.textContent = wrong ? `${name}: errors` : name;
}

/** Name the classes under the pointer. */
function drawPointed() {
  const { set, image } = state;
  const pixel = pixelAt(stage);
  const indices = pixel && indicesOf(set, image, drawPointed);
  for (const side of SIDES) {
    const index = indices ? indexAt(set, image, indices, state[side], pixel) : undefined;
    drawPointedClass(parts[`${side}-class`], data, state, state[side], index);
  }
  parts.hint.hidden = pixel !== null;
}
