"use strict";
// Before anything is drawn: the reader's choice, or what the system prefers.
(() => {
  let chosen = null;
  try { chosen = localStorage.getItem("harness-theme"); } catch { /* storage is off */ }
  const dark = matchMedia("(prefers-color-scheme: dark)");
  document.documentElement.dataset.theme = chosen || (dark.matches ? "dark" : "light");
})();
