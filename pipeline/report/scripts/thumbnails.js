// The list of thumbnails. Only visible ones are in the page, so 5,000 cost as much as 50.

/** Make the list in `box`; `pick` is called with the place the user clicked. */
function makeThumbnails(box, pick) {
  const room = document.createElement("div");
  room.className = "room";
  room.setAttribute("role", "presentation");
  box.append(room);
  const list = { box, room, made: new Map(), count: 0, columns: 1, tall: 1, draw: null, waiting: 0 };
  box.addEventListener("scroll", () => {
    list.waiting ||= requestAnimationFrame(() => {
      list.waiting = 0;
      drawVisible(list);
    });
  });
  box.addEventListener("click", (event) => {
    const cell = event.target.closest("[role=option]");
    if (cell) pick(Number(cell.dataset.place));
  });
  new ResizeObserver(() => {
    measure(list);
    drawVisible(list);
  }).observe(box);
  return list;
}

/** Show `count` images; `draw(cell, place)` fills an empty cell. */
function fill(list, count, draw) {
  for (const cell of list.made.values()) cell.remove();
  list.made.clear();
  Object.assign(list, { count, draw });
  measure(list);
  drawVisible(list);
}

function measure(list) {
  const probe = document.createElement("div");
  list.box.append(probe);
  const { width, height } = probe.getBoundingClientRect();
  probe.remove();
  const columns = Math.max(1, Math.floor(list.box.clientWidth / (width || 1)));
  Object.assign(list, { wide: list.box.clientWidth / columns, tall: height || 1, columns });
  list.room.style.height = `${Math.ceil(list.count / columns) * list.tall}px`;
  list.made.forEach((cell, place) => put(list, cell, place));
}

function put(list, cell, place) {
  cell.style.left = `${(place % list.columns) * list.wide}px`;
  cell.style.top = `${Math.floor(place / list.columns) * list.tall}px`;
}

function drawVisible(list) {
  const { box, made, columns, tall, count } = list;
  const first = Math.max(0, Math.floor(box.scrollTop / tall) - 1) * columns;
  const end = Math.min(count, (Math.ceil((box.scrollTop + box.clientHeight) / tall) + 1) * columns);
  for (const [place, cell] of made) {
    if (place < first || place >= end) {
      cell.remove();
      made.delete(place);
    }
  }
  for (let place = first; place < end; place += 1) {
    if (!made.has(place)) made.set(place, newCell(list, place));
  }
}

function newCell(list, place) {
  const cell = document.createElement("div");
  cell.id = `viewer-thumb-${place}`;
  cell.dataset.place = place;
  cell.setAttribute("role", "option");
  cell.setAttribute("aria-setsize", list.count);
  cell.setAttribute("aria-posinset", place + 1);
  cell.setAttribute("aria-selected", place === list.selected);
  list.draw(cell, place);
  put(list, cell, place);
  list.box.append(cell);
  return cell;
}

/** Select one place and scroll to it; with -1 none. */
function select(list, place) {
  list.made.get(list.selected)?.setAttribute("aria-selected", "false");
  list.selected = place;
  if (place < 0) return list.box.removeAttribute("aria-activedescendant");
  const top = Math.floor(place / list.columns) * list.tall;
  const { box } = list;
  if (top < box.scrollTop) box.scrollTop = top;
  const bottom = top + list.tall - box.clientHeight;
  if (bottom > box.scrollTop) box.scrollTop = bottom;
  drawVisible(list);
  list.made.get(place)?.setAttribute("aria-selected", "true");
  box.setAttribute("aria-activedescendant", `viewer-thumb-${place}`);
}
