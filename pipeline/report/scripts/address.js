// The end of the page's address names what the viewer shows, so that it can be sent and bookmarked.

const SETTLED = 300; // milliseconds; browsers forbid to change the address too often
const written = { now: null, waiting: 0 };

/** What the address names; null if it is one of the page's other anchors, or none. */
function readAddress() {
  const named = new URLSearchParams(location.hash.slice(1));
  return named.has("set") && named.has("image") ? Object.fromEntries(named) : null;
}

/** Let the address follow what is shown, but leave it alone until that changes. */
function writeAddress({ set, image, left, right }) {
  const named = `#${new URLSearchParams({ set: set.key, image: set.ids[image], left, right })}`;
  const before = written.now;
  written.now = named;
  if (before === null || before === named) return;
  clearTimeout(written.waiting);
  written.waiting = setTimeout(() => history.replaceState(null, "", named), SETTLED);
}
