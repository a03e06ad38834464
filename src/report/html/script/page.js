// Where the address leads, what keys and buttons do.

// Opens all that an element is folded in, itself included.
function unfold(element) {
  for (let at = element.closest("details"); at; at = at.parentElement.closest("details")) at.open = true;
}

// The element of a fragment. Somebody may have written it by hand, with names as they are read.
function named(fragment) {
  const decoded = (part) => { try { return decodeURIComponent(part); } catch { return part; } };
  const encoded = (part) => encodeURIComponent(decoded(part)).replace(/[!'()*]/g, (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase());
  return document.getElementById(fragment) ?? document.getElementById(fragment.split("/").map(encoded).join("/"));
}

async function follow() {
  const [, name, first, last] = /^#(.*?)(?::L(\d+)(?:-L?(\d+))?)?$/s.exec(location.hash) ?? [];
  const target = name && named(name);
  if (!target) return;
  unfold(target);
  const log = logOf.get(target.querySelector(":scope > .body > .log"));
  for (const other of viewers.values()) if (other.log !== log && other.marked[1] > 0) other.mark(0, -1);
  if (!first || !log) {
    target.scrollIntoView();
    return;
  }
  const shown = await viewer(log);
  const [from, to] = [Number(first), Number(last ?? first)].sort((one, other) => one - other);
  shown.mark(from, to);
  shown.reveal(log.line(from));
}
addEventListener("hashchange", follow);

// A log is unpacked once its step is opened.
document.addEventListener("toggle", (event) => {
  if (!event.target.open) return;
  const log = logOf.get(event.target.querySelector(":scope > .body > .log"));
  if (log) viewer(log);
}, true);

const acts = {
  theme: () => document.dispatchEvent(new Event("farmout:theme")),
  help: () => document.getElementById("page:help").showModal(),
  next: () => step(1),
  previous: () => step(-1),
  wrap: () => {
    document.body.classList.toggle("wrap");
    viewers.forEach((shown) => shown.refresh());
  },
  search: () => { query.focus(); query.select(); },
  "next builder": () => walk("details.builder > summary", 1),
  "previous builder": () => walk("details.builder > summary", -1),
  finding: () => walk(".finding .excerpt", 1),
};
const keys = {
  "/": "search", "?": "help", n: "next", p: "previous", N: "previous", j: "next builder", k: "previous builder", f: "finding", t: "theme", w: "wrap",
};

// Moves the focus to the next or previous one of these, as seen from where it is.
function walk(selector, by) {
  const all = [...document.querySelectorAll(selector)], here = document.activeElement;
  const before = all.filter((one) => one === here || one.compareDocumentPosition(here) & Node.DOCUMENT_POSITION_FOLLOWING);
  const at = here === document.body ? -1 : before.length - 1;
  const exact = all[at] === here;
  const to = all[by > 0 ? at + 1 : exact ? at - 1 : at];
  if (!to) return;
  unfold(to.matches("summary") ? to.parentElement.parentElement : to);
  to.focus({ preventScroll: true });
  to.scrollIntoView({ block: to.matches("summary") ? "start" : "center" });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
  if (event.target.matches("input, textarea, select")) return;
  if (event.key === "Escape" && search.text) {
    query.value = "";
    find("");
    return;
  }
  const act = keys[event.key];
  if (!act) return;
  event.preventDefault();
  acts[act]();
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  // The theme is heard by its own script.
  if (button && button.dataset.do !== "theme") acts[button.dataset.do]();
  const number = event.target.closest(".viewer a.n");
  if (number && event.shiftKey) {
    event.preventDefault();
    const [, from] = /:L(\d+)/.exec(location.hash) ?? [];
    const same = location.hash.startsWith(number.hash.replace(/:L\d+$/, ":L"));
    location.hash = from && same ? number.hash.replace(/\d+$/, `${from}-L${number.dataset.n}`) : number.hash;
  } else if (number && number.hash === location.hash) {
    follow();
  }
});

// What is opened is printed, if it is not endless.
addEventListener("beforeprint", () => {
  for (const shown of viewers.values()) {
    if (shown.starts.length > 5000) continue;
    shown.observer.disconnect();
    shown.chunks.forEach((chunk) => shown.fill(chunk));
  }
});
addEventListener("afterprint", () => {
  for (const shown of viewers.values()) shown.chunks.forEach((chunk) => shown.observer.observe(chunk));
});

query.disabled = false;
for (const details of document.querySelectorAll(".step[open], .attempt[open]")) details.dispatchEvent(new Event("toggle"));
follow();
