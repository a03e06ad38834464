// Logs: where they are in the page, unpacked when they are asked for.

const blocks = new Map(), texts = new Map();
const BLOCKS = 4, TEXTS = 96 << 20;
let held = 0;

// A block's bytes; the last few stay unpacked.
function block(id) {
  const found = blocks.get(id) ?? unpack(document.getElementById("page:" + id).textContent);
  blocks.delete(id);
  blocks.set(id, found);
  if (blocks.size > BLOCKS) blocks.delete(blocks.keys().next().value);
  return found;
}

async function unpack(packed) {
  // Not every browser has the fast way yet.
  const bytes = Uint8Array.fromBase64?.(packed) ?? Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

class Log {
  constructor(element) {
    const data = element.dataset;
    this.element = element;
    this.builder = data.builder;
    this.step = data.step;
    this.block = data.block;
    this.from = Number(data.from);
    this.to = Number(data.to);
    this.lines = Number(data.lines);
    this.gap = { after: Number(data.gapAfter ?? Infinity), lines: Number(data.gapLines ?? 0) };
    this.id = element.closest("details").id;
  }

  // Its text as it is in the file, and as it is shown. What is not UTF-8 becomes U+FFFD.
  async text() {
    const kept = texts.get(this);
    if (kept) return kept;
    const bytes = (await block(this.block)).subarray(this.from, this.to);
    const raw = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes), text = { raw, shown: plain(raw) };
    const size = text.raw === text.shown ? raw.length : 2 * raw.length;
    // All logs of most runs fit, and a second search is instant.
    if (!texts.has(this) && held + size <= TEXTS) {
      texts.set(this, text);
      held += size;
    }
    return text;
  }

  // A line's number in the file, by its place among those that are here; and the other way round.
  number(line) { return line + 1 + (line >= this.gap.after ? this.gap.lines : 0); }
  line(number) {
    const at = number - 1, { after, lines } = this.gap;
    return at < after ? at : Math.max(at - lines, after);
  }
}

const logs = [...document.querySelectorAll(".log")].map((element) => new Log(element));
const logOf = new Map(logs.map((log) => [log.element, log]));
