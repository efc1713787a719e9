// Images the user marks. The browser keeps them where it may, and they can be saved as a file.

const STORE = `viewer-marks ${location.pathname}`;

/** The marked ids of each set, as the browser kept them. */
function readMarks(sets) {
  let kept = null;
  try {
    kept = JSON.parse(localStorage.getItem(STORE));
  } catch {
    // Nothing may be kept here, or what was kept is damaged: start without.
  }
  return Object.fromEntries(
    sets.map(({ key, ids }) => {
      const old = new Set([kept?.[key]].flat());
      return [key, new Set(ids.filter((id) => old.has(id)))];
    }),
  );
}

function keepMarks(marks) {
  const lists = Object.entries(marks).map(([key, ids]) => [key, [...ids]]);
  try {
    localStorage.setItem(STORE, JSON.stringify(Object.fromEntries(lists)));
  } catch {
    // They last as long as the page is open.
  }
}

function isMarked({ set, marks }, image) {
  return marks[set.key].has(set.ids[image]);
}

function countMarks(marks) {
  return Object.values(marks).reduce((sum, ids) => sum + ids.size, 0);
}

/** All marked images as a table with the columns set and id. */
function tableOfMarks(sets, marks) {
  const cell = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const rows = sets.flatMap(({ key, ids }) =>
    ids.filter((id) => marks[key].has(id)).map((id) => `${key},${cell(id)}`),
  );
  return ["set,id", ...rows, ""].join("\n");
}

function saveFile(name, text) {
  const href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  node("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}
