"use strict";
// Light or dark: what the system says, unless the reader chose. Runs before the page is drawn, so that it does not flash.
(() => {
  const root = document.documentElement, key = "farmout.theme", dark = matchMedia("(prefers-color-scheme: dark)");
  // Where a page may keep nothing, a choice lasts as long as the page.
  const kept = (act) => { try { return act(localStorage); } catch { return null; } };
  const chosen = kept((storage) => storage.getItem(key));
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;

  const toggle = () => {
    const is = root.dataset.theme ?? (dark.matches ? "dark" : "light"), next = is === "dark" ? "light" : "dark";
    if ((next === "dark") === dark.matches) {
      delete root.dataset.theme;
      kept((storage) => storage.removeItem(key));
    } else {
      root.dataset.theme = next;
      kept((storage) => storage.setItem(key, next));
    }
  };
  document.addEventListener("farmout:theme", toggle);
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-do=theme]")) toggle();
  });
  document.addEventListener("DOMContentLoaded", () => {
    for (const time of document.querySelectorAll("time")) time.title = new Date(time.dateTime).toLocaleString();
  });
})();
