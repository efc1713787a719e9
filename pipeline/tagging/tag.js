// Tagging by single keys. Every change is sent, and written by the server, before the page goes on.
"use strict";

const { classes, pictures } = JSON.parse(document.getElementById("tag-data").textContent);
const parts = Object.fromEntries(
  [...document.querySelectorAll("[data-part]")].map((element) => [element.dataset.part, element]),
);
const LETTERS = "abcdefghijklmnopqrstuvwxyz";
const AHEAD = 3; // photographs to fetch while one is looked at

let at = Math.max(0, nextWithoutTags(-1));
let last = null; // the tags given last
const changes = []; // { number, tags } as they were before each change
let saving = Promise.resolve(); // ends when everything is written; fails if something is not

/** The key of a class: 1 to 9, then letters; the others have to be clicked. */
function keyOf(index) {
  return index < 9 ? String(index + 1) : (LETTERS[index - 9] ?? "");
}

/** The first picture without tags after a place, from the start again; -1 if all have some. */
function nextWithoutTags(place) {
  const free = pictures.map((picture, number) => number).filter((number) => !pictures[number].tags);
  return free.find((number) => number > place) ?? free[0] ?? -1;
}

/** What is chosen for a picture: its tags, or what is proposed. */
function chosenFor({ tags, guess }) {
  return tags ?? guess;
}

/** Set the tags of a picture, here and in the file. */
function save(number, tags) {
  const before = pictures[number].tags;
  pictures[number].tags = tags;
  draw();
  const write = async () => {
    try {
      await send(number, tags);
    } catch (error) {
      pictures[number].tags = before;
      tell(`Not saved: ${error.message}`);
      throw error;
    }
  };
  saving = saving.catch(() => {}).then(write);
  saving.catch(() => {}); // `go` looks at it
}

async function send(number, tags) {
  let answer;
  try {
    answer = await fetch("tags", { method: "POST", body: JSON.stringify({ picture: number, tags }) });
  } catch {
    throw new Error("swseg tag does not answer. Start it again and open the address that it says.");
  }
  if (!answer.ok) throw new Error((await answer.text()) || `the server answered ${answer.status}`);
}

/** Change the tags of the picture that is shown. */
function give(tags) {
  changes.push({ number: at, tags: pictures[at].tags });
  if (tags) last = tags;
  save(at, tags);
}

function toggle(name) {
  const chosen = chosenFor(pictures[at]) ?? [];
  const left = classes.filter((other) => chosen.includes(other) !== (other === name));
  if (!left.length) pictures[at].guess = null; // else it would be proposed again
  give(left.length ? left : null); // that nothing is there is said by 0
}

/** Show another picture as soon as everything is written. */
async function go(number) {
  try {
    await saving;
  } catch {
    saving = Promise.resolve(); // the next change tries again
    return;
  }
  if (number < 0 || number >= pictures.length) return;
  at = number;
  tell("");
  draw();
}

function goOn() {
  const number = nextWithoutTags(at);
  return go(number < 0 ? at : number);
}

function done() {
  const { tags, guess } = pictures[at];
  if (!tags && guess) give(guess);
  return goOn();
}

function undo() {
  const change = changes.pop();
  if (!change) return;
  at = change.number;
  save(change.number, change.tags);
}

function repeat() {
  if (!last) return;
  give(last);
  goOn();
}

function tell(text) {
  parts.trouble.textContent = text;
  parts.trouble.hidden = !text;
  if (text) draw();
}

function draw() {
  const picture = pictures[at];
  const chosen = chosenFor(picture);
  const tagged = pictures.filter(({ tags }) => tags).length;
  parts.count.textContent = `${tagged} of ${pictures.length} tagged`;
  parts.progress.max = pictures.length;
  parts.progress.value = tagged;
  const source = `photographs/${at}`;
  if (parts.picture.getAttribute("src") !== source) parts.picture.src = source;
  parts.picture.alt = picture.id;
  parts.name.textContent = picture.id;
  parts.state.textContent = stateOf(picture, tagged);
  parts.classes.classList.toggle("guessed", !picture.tags && Boolean(picture.guess));
  for (const button of parts.classes.children) {
    const { name } = button.dataset;
    const isDown = name ? chosen?.includes(name) : chosen?.length === 0;
    button.setAttribute("aria-pressed", String(Boolean(isDown)));
  }
  parts.undo.disabled = !changes.length;
  parts.repeat.disabled = !last;
  fetchAhead();
}

function stateOf({ tags, guess }, tagged) {
  if (tagged === pictures.length) return "all photographs have tags";
  if (tags) return "saved";
  return guess ? "proposed: Enter takes it" : "no tags yet";
}

function fetchAhead() {
  let number = at;
  for (let count = 0; count < AHEAD; count += 1) {
    number = nextWithoutTags(number);
    if (number >= 0) new Image().src = `photographs/${number}`;
  }
}

function button(key, text, name, act) {
  const made = document.createElement("button");
  made.type = "button";
  if (name) made.dataset.name = name;
  if (key) made.append(Object.assign(document.createElement("kbd"), { textContent: key }), " ");
  made.append(text);
  made.addEventListener("click", act);
  return made;
}

function none() {
  give([]);
  return goOn();
}

function alone(index) {
  give([classes[index]]);
  return goOn();
}

const KEYS = {
  ArrowLeft: () => go(at - 1),
  ArrowRight: () => go(at + 1),
  Enter: done,
  " ": done,
  ".": repeat,
  Backspace: undo,
  0: none,
  "?": () => {
    parts.help.open = !parts.help.open;
  },
};

function listen(event) {
  const { key, code, shiftKey, target, repeat: held } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || held) return;
  if ((key === "Enter" || key === " ") && target.matches("button, summary")) return;
  const digit = /^Digit([1-9])$/.exec(code)?.[1]; // with Shift, `key` is another sign
  const index = classes.findIndex((_, place) => keyOf(place) === (digit ?? key.toLowerCase()));
  if (index >= 0) (shiftKey ? alone(index) : toggle(classes[index]));
  else if (KEYS[key]) KEYS[key]();
  else return;
  event.preventDefault();
}

parts.classes.append(
  ...classes.map((name, index) => button(keyOf(index), name, name, () => toggle(name))),
  button("0", "none of them", "", none),
);
parts.back.addEventListener("click", () => go(at - 1));
parts.on.addEventListener("click", () => go(at + 1));
for (const [name, act] of Object.entries({ done, repeat, undo })) {
  parts[name].addEventListener("click", act);
}
document.addEventListener("keydown", listen);
// A click leaves the focus where it was, so that Enter does not press the button once more.
document.addEventListener("mousedown", (event) => {
  if (event.target.closest("button")) event.preventDefault();
});
draw();
