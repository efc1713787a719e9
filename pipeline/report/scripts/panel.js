// Beside the picture: the layers with their scores, and the classes shown.

function node(name, properties = {}, children = []) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** Fill a select; `entries` are pairs of value and text. */
function offer(select, entries, value) {
  select.replaceChildren(...entries.map(([key, text]) => node("option", { value: key }, [text])));
  select.value = value;
}

function shortNumber(value) {
  return value === null ? "–" : value.toFixed(1);
}

/** One row per layer, with a radio button for each side. */
function drawLayers(parts, state, choose) {
  const rows = shownLayers(state.set).map((layer, number) => {
    const picks = ["left", "right"].map((side) => {
      const button = node("input", { type: "radio", name: `viewer-${side}`, value: layer.name });
      button.setAttribute("aria-label", `${side}: ${layer.name}`);
      button.checked = state[side] === layer.name;
      button.disabled = layer.lacking.includes(state.image);
      button.addEventListener("change", () => choose(side, layer.name));
      return node("td", { className: "pick" }, [button]);
    });
    const held = HELD.includes(layer.name);
    const value = held ? "" : shortNumber(iouOf(state.set, layer.name, state.image, state.chosenClass));
    const name = node("td", { className: "text", title: layer.name }, [layer.name]);
    if (number < 9) name.prepend(node("kbd", {}, [String(number + 1)]), " ");
    return node("tr", {}, [...picks, name, node("td", {}, [value])]);
  });
  // The rows are new: give the focus back to the button that had it.
  const focused = document.activeElement?.closest?.("[data-part=layers] input");
  parts.layers.replaceChildren(...rows);
  if (focused) {
    const again = [...parts.layers.querySelectorAll("input")];
    again.find((b) => b.name === focused.name && b.value === focused.value)?.focus();
  }
}

function className(data, index) {
  return data.classes[index] ?? "no label";
}

/** A class's colour and name. */
function namedClass(data, state, index) {
  const swatch = node("i", { className: "swatch" });
  swatch.style.background = state.colours[index];
  return [swatch, className(data, index)];
}

/** The class that a layer has under the pointer; nothing if there is none. */
function drawPointedClass(box, data, state, name, index) {
  box.replaceChildren(...(index === undefined ? [] : [`${name}: `, ...namedClass(data, state, index)]));
}

function drawButtons(parts, state) {
  for (const view of VIEWS) parts[view].setAttribute("aria-pressed", state.view === view);
  parts.errors.disabled = findLayer(state.set, "truth")?.lacking.includes(state.image) ?? true;
  parts.safe.setAttribute("aria-pressed", state.safe);
  parts.opacity.value = 100 * state.opacity;
  parts.opacity.disabled = state.view === "outlines";
  const [marked, count] = [isMarked(state, state.image), countMarks(state.marks)];
  parts.mark.setAttribute("aria-pressed", marked);
  parts.mark.textContent = marked ? "★ Marked" : "☆ Mark";
  parts.save.textContent = count ? `Save ${count} marked` : "Save marked";
  parts.save.disabled = count === 0;
}

/** A button for each class in the image's masks, pressed while the class is shown. */
function drawClasses(parts, data, state, toggle) {
  const buttons = state.set.present[state.image].map((index) => {
    const button = node("button", { type: "button" }, namedClass(data, state, index));
    button.dataset.index = index;
    button.setAttribute("aria-pressed", !state.hidden.has(index));
    button.addEventListener("click", () => toggle(index));
    return button;
  });
  const focused = document.activeElement?.closest?.("[data-part=classes] button")?.dataset.index;
  parts.classes.replaceChildren(...buttons);
  buttons.find((button) => button.dataset.index === focused)?.focus();
}

function drawName(parts, data, state) {
  const { set, image, order, left, right } = state;
  const at = order.indexOf(image);
  const place = at < 0 ? "not in the list" : `image ${at + 1} of ${order.length}`;
  const tags = set.tags[image]?.map((index) => className(data, index));
  const inside = tags ? tags.join(", ") || "no object" : "tags not known";
  parts.name.replaceChildren(
    node("strong", {}, [set.ids[image]]),
    node("small", {}, [`${place}: ${inside}`]),
  );
  const apart = left === right ? null : apartOf(set, left, right, image);
  parts.apart.textContent =
    apart === null ? "" : `${left} and ${right} differ in ${apart.toFixed(1)} % of the pixels.`;
  const chosen = state.chosenClass;
  parts.measure.textContent = chosen === null ? "IoU %" : `IoU of ${className(data, chosen)} %`;
}
