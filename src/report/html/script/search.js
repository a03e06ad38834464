// The search over all logs of the run: lines are found one log after the other, in the order of the page.

const MOST = 10000;
const search = { text: "", pattern: null, hits: [], at: -1, turn: 0, more: false, busy: false, wanted: 0 };
const LISTED = 100;
const form = document.getElementById("page:search"), query = document.getElementById("page:query");
const told = document.getElementById("page:found"), listed = document.getElementById("page:hits");

function tell() {
  const count = grouped(search.hits.length) + (search.more ? "+" : "");
  const lines = search.hits.length === 1 ? "line" : "lines";
  const at = search.at >= 0 ? `${grouped(search.at + 1)} of ` : "";
  if (!search.pattern) told.textContent = "";
  else if (search.busy) told.textContent = `${at}${count} …`;
  else told.textContent = search.hits.length ? (at ? at + count : `${count} ${lines}`) : "nothing found";
  for (const button of document.querySelectorAll("[data-do=next], [data-do=previous]")) button.disabled = !search.hits.length;
  form.classList.toggle("going", search.at >= 0);
}

// Lists the logs in which something was found.
function list() {
  const first = new Map(), counts = new Map();
  search.hits.forEach(({ log }, at) => {
    if (!first.has(log)) first.set(log, at);
    counts.set(log, (counts.get(log) ?? 0) + 1);
  });
  const items = [...first].slice(0, LISTED).map(([log, at]) => {
    const button = make("button", { type: "button" }), item = make("li");
    button.append(make("span", { textContent: `${log.builder}, ${log.step}` }), make("span", { className: "took", textContent: grouped(counts.get(log)) }));
    button.addEventListener("click", () => go(at));
    item.append(button);
    return item;
  });
  const more = first.size - items.length;
  if (more > 0) items.push(make("li", { className: "quiet", textContent: `and ${grouped(more)} more logs` }));
  listed.replaceChildren(...items);
}

async function find(text) {
  const turn = ++search.turn;
  const exact = text !== text.toLowerCase();
  const pattern = text ? new RegExp(text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"), exact ? "g" : "gi") : null;
  Object.assign(search, { text, pattern, hits: [], at: -1, more: false, busy: Boolean(text), wanted: 0 });
  for (const shown of viewers.values()) shown.point(-1);
  tell();
  list();
  if (!text) return;
  let rested = performance.now();
  for (const log of logs) {
    const { shown } = await log.text();
    if (turn !== search.turn) return;
    look(log, shown);
    if (search.wanted && search.hits.length) {
      step(search.wanted);
      search.wanted = 0;
    }
    if (search.more) break;
    if (performance.now() - rested > 40) {
      tell();
      list();
      // The page stays at the reader's command.
      await new Promise((resume) => setTimeout(resume));
      if (turn !== search.turn) return;
      rested = performance.now();
    }
  }
  search.busy = false;
  tell();
  list();
}

// Finds the lines of a log.
function look(log, whole) {
  const pattern = search.pattern;
  let lines = null, line = 0;
  pattern.lastIndex = 0;
  for (let found; (found = pattern.exec(whole));) {
    lines ??= starts(whole);
    while (line + 1 < lines.length && lines[line + 1] <= found.index) line++;
    if (search.hits.length === MOST) {
      search.more = true;
      return;
    }
    search.hits.push({ log, line });
    if (line + 1 === lines.length) return;
    pattern.lastIndex = lines[line + 1];
  }
}

// The viewer that has the current line.
let current = null;

// Goes to the next line found, or the previous one.
function step(by) {
  const count = search.hits.length;
  if (count) go(search.at < 0 ? (by > 0 ? 0 : count - 1) : (search.at + by + count) % count);
}

// Goes to a line found.
async function go(at) {
  search.at = at;
  tell();
  const turn = search.turn, hit = search.hits[at];
  unfold(hit.log.element);
  const shown = await viewer(hit.log);
  if (turn !== search.turn || at !== search.at) return;
  if (current !== shown) current?.point(-1);
  current = shown;
  shown.point(hit.line);
  shown.reveal(hit.line);
}

let typing = 0;
query.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => { if (search.text !== query.value) find(query.value); }, 150);
});
form.addEventListener("submit", (event) => event.preventDefault());
query.addEventListener("keydown", (event) => {
  if (event.key === "Enter") {
    event.preventDefault();
    clearTimeout(typing);
    if (search.text !== query.value) find(query.value);
    const by = event.shiftKey ? -1 : 1;
    // Where nothing is found yet, the first line that is will be shown.
    if (search.hits.length) step(by);
    else search.wanted = by;
  } else if (event.key === "Escape") {
    query.value = "";
    find("");
    query.blur();
  }
});
