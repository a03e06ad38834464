// What a log shows: its text without the control sequences of terminals, and the styles that they stand for.

// Colours and the like, other sequences of a terminal, its titles and links.
const SEQUENCES = /\x1b\[([0-9;:]*)m|\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]?/g;
const CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]/g;
const visible = (text) => text.replace(CONTROL, (c) => (c === "\x7f" ? "\u2421" : String.fromCharCode(0x2400 + c.charCodeAt(0))));

// The text of lines as it is shown, without styles. The same lines: what a progress bar wrote over is left out.
function plain(text) {
  if (text.includes("\x1b")) text = text.replace(SEQUENCES, "");
  if (text.includes("\r")) text = overwritten(text);
  return visible(text);
}

// Of each line what follows the last return of the carriage, but for those at its end.
function overwritten(text) {
  const parts = [];
  let at = 0;
  for (let found = text.indexOf("\r"); found >= 0; found = text.indexOf("\r", at)) {
    const begin = text.lastIndexOf("\n", found) + 1, next = text.indexOf("\n", found), end = next < 0 ? text.length : next;
    let stop = end;
    while (stop > begin && text[stop - 1] === "\r") stop--;
    const from = stop > begin ? Math.max(begin, text.lastIndexOf("\r", stop - 1) + 1) : stop;
    parts.push(text.slice(at, begin), text.slice(from, stop));
    at = end;
  }
  parts.push(text.slice(at));
  return parts.join("");
}

// A line as pieces of text with their classes. Joined, they are what `plain` says.
function pieces(line) {
  if (!line.includes("\x1b")) return [{ text: plain(line), classes: "" }];
  let result = [], at = 0, style = {}, returned = false;
  const add = (text) => {
    for (const part of text.split(/(\r)/)) {
      if (part === "\r") { returned = true; continue; }
      if (!part) continue;
      if (returned) { result = []; returned = false; }
      result.push({ text: visible(part), classes: Object.values(style).filter(Boolean).join(" ") });
    }
  };
  for (const found of line.matchAll(SEQUENCES)) {
    add(line.slice(at, found.index));
    at = found.index + found[0].length;
    if (found[1] !== undefined) style = styled(style, found[1]);
  }
  add(line.slice(at));
  return result;
}

// The style after a sequence of colours. Those beyond the sixteen of a terminal are left out: they fit one background only.
function styled(style, codes) {
  style = { ...style };
  const numbers = codes.split(/[;:]/).map(Number);
  for (let at = 0; at < numbers.length; at++) {
    const code = numbers[at], base = code % 10;
    if (code === 0) style = {};
    else if (code === 1) style.weight = "bold";
    else if (code === 2) style.weight = "dim";
    else if (code === 3) style.slant = "italic";
    else if (code === 4) style.line = "underline";
    else if (code === 22) style.weight = "";
    else if (code === 23) style.slant = "";
    else if (code === 24) style.line = "";
    else if (code === 38 || code === 48) {
      style[code === 38 ? "ink" : "paper"] = "";
      at += numbers[at + 1] === 5 ? 2 : numbers[at + 1] === 2 ? 4 : 0;
    }
    else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) style.ink = "ink" + base;
    else if ((code >= 40 && code <= 47) || (code >= 100 && code <= 107)) style.paper = "paper" + base;
    else if (code === 39) style.ink = "";
    else if (code === 49) style.paper = "";
  }
  return style;
}

// Where each line begins.
function starts(text) {
  let count = 0;
  for (let at = 0; at < text.length; count++) {
    const end = text.indexOf("\n", at);
    at = end < 0 ? text.length : end + 1;
  }
  const found = new Uint32Array(count);
  for (let at = 0, line = 0; at < text.length; line++) {
    found[line] = at;
    const end = text.indexOf("\n", at);
    at = end < 0 ? text.length : end + 1;
  }
  return found;
}
