// A log, shown: only the lines near those that are looked at are elements of the page.

const CHUNK = 200, WINDOW = 400000, LONGEST = 4000;
const ROW = 20; // The height of a line in pixels, as the style has it.
const grouped = (number) => number.toLocaleString("en");

class Viewer {
  constructor(log, text) {
    this.log = log;
    this.text = text;
    this.starts = starts(text);
    this.marked = [0, -1];
    this.current = -1;
    this.long = new Set();
    this.box = make("div", { className: "viewer", tabIndex: 0, role: "region", ariaLabel: `log of ${log.step} of ${log.builder}, ${log.lines} lines` });
    const save = make("a", { textContent: "save", download: `${log.builder}-${log.step}.log`.replace(/[^\w.~-]+/g, "-"), href: "#" });
    save.addEventListener("click", () => this.save(save));
    const wrap = make("button", { type: "button", textContent: "wrap lines" });
    wrap.dataset.do = "wrap";
    const lines = log.lines === 1 ? "1 line" : `${grouped(log.lines)} lines`;
    const left = log.gap.lines ? `, ${grouped(log.gap.lines)} of them left out` : "";
    const tools = make("p", { className: "tools" });
    tools.append(make("span", { textContent: lines + left }), wrap, save);
    log.element.replaceChildren(tools, this.box);
    this.observer = new IntersectionObserver((entries) => {
      for (const entry of entries) entry.isIntersecting ? this.fill(entry.target) : this.empty(entry.target);
    }, { root: this.box, rootMargin: "800px 0px" });
    this.show(0);
  }

  // Shows the window of lines in which this one is.
  show(line) {
    this.first = Math.floor(line / WINDOW) * WINDOW;
    const end = Math.min(this.first + WINDOW, this.starts.length);
    this.observer.disconnect();
    this.box.replaceChildren();
    const more = (text, to) => {
      const button = make("button", { type: "button", className: "more", textContent: text });
      button.addEventListener("click", () => this.reveal(to));
      this.box.append(button);
    };
    if (this.first > 0) more(`${grouped(this.first)} lines before`, this.first - 1);
    this.chunks = [];
    for (let from = this.first; from < end; from += CHUNK) {
      const chunk = make("div", { className: "chunk" });
      chunk.from = from;
      chunk.to = Math.min(from + CHUNK, end);
      chunk.style.height = `${(chunk.to - from) * ROW}px`;
      this.chunks.push(chunk);
    }
    this.box.append(...this.chunks);
    if (end < this.starts.length) more(`${grouped(this.starts.length - end)} lines after`, end);
    this.box.style.setProperty("--digits", String(this.log.number(this.starts.length - 1)).length);
    this.chunks.slice(0, 1).forEach((chunk) => this.fill(chunk));
    this.chunks.forEach((chunk) => this.observer.observe(chunk));
  }

  fill(chunk) {
    if (chunk.childElementCount) return;
    const rows = [];
    for (let line = chunk.from; line < chunk.to; line++) rows.push(this.row(line));
    chunk.append(...rows);
    chunk.style.height = "";
  }

  empty(chunk) {
    if (!chunk.childElementCount || !chunk.offsetHeight) return;
    chunk.style.height = `${chunk.offsetHeight}px`;
    chunk.replaceChildren();
  }

  row(line) {
    const number = this.log.number(line), raw = this.raw(line);
    const row = make("div", { className: "line" });
    const link = make("a", { className: "n", tabIndex: -1, href: `#${this.log.id}:L${number}`, ariaLabel: `line ${number}` });
    link.dataset.n = number;
    const code = make("code");
    if (number >= this.marked[0] && number <= this.marked[1]) row.classList.add("chosen");
    if (line === this.current) row.classList.add("current");
    if (line === this.log.gap.after) row.dataset.gap = `${grouped(this.log.gap.lines)} lines are left out here`;
    const shown = pieces(raw);
    const length = shown.reduce((sum, piece) => sum + piece.text.length, 0);
    const limit = this.long.has(line) ? Infinity : LONGEST;
    code.append(...paint(shown, limit));
    row.append(link, code);
    if (length > limit) {
      const button = make("button", { type: "button", className: "more", textContent: `${grouped(length - limit)} more characters` });
      button.addEventListener("click", () => { this.long.add(line); row.replaceWith(this.row(line)); });
      row.append(button);
    }
    return row;
  }

  raw(line) {
    const end = line + 1 < this.starts.length ? this.starts[line + 1] : this.text.length;
    const text = this.text.slice(this.starts[line], end);
    return text.endsWith("\n") ? text.slice(0, -1) : text;
  }

  // Draws the lines anew that are drawn, after the search or the choice of lines changed.
  refresh() {
    for (const chunk of this.chunks) {
      if (!chunk.childElementCount) continue;
      chunk.replaceChildren();
      this.fill(chunk);
    }
  }

  mark(from, to) {
    this.marked = [from, to];
    this.refresh();
  }

  // Makes a line the current one of the search; none with -1. It stays so when it is drawn anew.
  point(line) {
    this.current = line;
    // All of it: what was found may be at its end.
    if (line >= 0 && this.raw(line).length > LONGEST) this.long.add(line);
    this.refresh();
  }

  // Brings a line into view, if it is not: in the log, and the log in the page.
  reveal(line) {
    line = Math.max(0, Math.min(line, this.starts.length - 1));
    if (line < this.first || line >= this.first + WINDOW) this.show(line);
    const at = Math.floor((line - this.first) / CHUNK);
    this.chunks.slice(Math.max(0, at - 1), at + 2).forEach((chunk) => this.fill(chunk));
    const row = this.chunks[at].children[line - this.chunks[at].from];
    const target = row.querySelector("mark") ?? row, box = this.box.getBoundingClientRect(), place = row.getBoundingClientRect();
    const seen = place.top >= Math.max(box.top, 60) && place.bottom <= Math.min(box.bottom, innerHeight);
    if (!seen || target !== row) target.scrollIntoView({ block: seen ? "nearest" : "center", inline: "nearest" });
  }

  save(link) {
    link.href = URL.createObjectURL(new Blob([this.text], { type: "text/plain" }));
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  }
}

const viewers = new Map();
const opened = new Map();

// The viewer of a log, made when it is first asked for.
function viewer(log) {
  if (!opened.has(log)) opened.set(log, open(log));
  return opened.get(log);
}

async function open(log) {
  log.element.textContent = "unpacking…";
  try {
    const made = new Viewer(log, (await log.text()).raw);
    viewers.set(log, made);
    return made;
  } catch (error) {
    log.element.textContent = `This browser cannot unpack the log (${error.message}). It is in the run's folder.`;
    throw error;
  }
}

// Elements for pieces of a line, with what is searched for marked.
function paint(shown, limit) {
  const text = shown.map((piece) => piece.text).join("").slice(0, limit);
  const cuts = [];
  if (search.pattern) {
    // Where the search stopped is no place to begin.
    search.pattern.lastIndex = 0;
    for (const found of text.matchAll(search.pattern)) cuts.push([found.index, found.index + found[0].length]);
  }
  const nodes = [];
  let at = 0;
  for (const piece of shown) {
    const end = Math.min(at + piece.text.length, limit);
    for (let from = at; from < end;) {
      while (cuts.length && cuts[0][1] <= from) cuts.shift();
      const inside = cuts.length > 0 && cuts[0][0] <= from;
      const to = Math.min(end, cuts.length ? (inside ? cuts[0][1] : cuts[0][0]) : end);
      const string = text.slice(from, to);
      if (inside || piece.classes) nodes.push(make(inside ? "mark" : "span", { textContent: string, className: piece.classes }));
      else nodes.push(string);
      from = to;
    }
    at = end;
  }
  return nodes;
}

function make(name, properties = {}) {
  return Object.assign(document.createElement(name), properties);
}
