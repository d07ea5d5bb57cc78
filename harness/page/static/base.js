"use strict";
// What all parts of the page share. Text becomes part of the page by `textContent` only, never as HTML.
const harnessPage = (() => {
  const waiting = new Map();
  const kept = new Map();

  // Every data file is a script that calls this: pages from the disk may load scripts, and nothing else.
  async function receive(name, packed) {
    const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const value = JSON.parse(await new Response(stream).text());
    waiting.get(name)?.(value);
  }

  function load(name, fresh = false) {
    if (kept.has(name) && !fresh) return kept.get(name);
    const loaded = new Promise((resolve, reject) => {
      const script = document.createElement("script");
      waiting.set(name, (value) => { script.remove(); resolve(value); });
      script.src = `data/${name.split("/").map(encodeURIComponent).join("/")}.js${fresh ? `?${Date.now()}` : ""}`;
      script.onerror = () => { script.remove(); kept.delete(name); reject(new Error(`data/${name}.js can't be read`)); };
      document.head.append(script);
    });
    kept.set(name, loaded);
    return loaded;
  }

  function forget() { kept.clear(); }

  // element("td.num", {title: "..."}, child, "text", [more]) -> <td class="num" title="...">
  function element(kind, properties = {}, ...children) {
    const [tag, ...classes] = kind.split(".");
    const made = document.createElement(tag);
    if (classes.length) made.className = classes.join(" ");
    for (const [name, value] of Object.entries(properties)) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
    return made;
  }

  const percent = (share) => (share === null || share === undefined ? "-" : (100 * share).toFixed(1));
  const points = (share) => `${share >= 0 ? "+" : "\u2212"}${Math.abs(100 * share).toFixed(1)}`;
  const range = ([low, high]) => `${points(low)} to ${points(high)}`;
  const probability = (p) => (p === null || p === undefined ? "-" : p < 0.0005 ? "< 0.001" : p.toFixed(3));
  const size = (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);
  const seconds = (value) => (value < 120 ? `${value.toFixed(1)} s` : `${(value / 60).toFixed(0)} min`);

  // A shape and a word for each outcome beside its colour: nothing rests on colour alone.
  const MARKS = { resolved: "\u2713", unresolved: "\u2715", "empty-patch": "\u2205", infrastructure: "!" };
  const KINDS = { resolved: "good", infrastructure: "odd", "empty-patch": "empty", "not-submitted": "empty" };
  const mark = (outcome) => (outcome ? MARKS[outcome] || "\u25B3" : "\u00B7");
  const badge = (outcome) =>
    element(`span.badge.${KINDS[outcome] || (outcome ? "bad" : "none")}`, {}, `${mark(outcome)} ${outcome || "not run"}`);

  // A table whose columns sort: {label, help, value(row), cell(row), number, first: "down"}.
  function table(columns, rows, { caption, open, sorted, onsort } = {}) {
    let [by, down] = sorted || [null, false];
    const body = element("tbody");
    const lines = new Map();
    const headings = columns.map((column, place) =>
      element(`th${column.number ? ".num" : ""}`, { scope: "col", title: column.help },
        column.value
          ? element("button.sort", { type: "button", onclick: () => sort(place) }, column.label)
          : column.label));
    function sort(place) {
      [by, down] = [place, by === place ? !down : columns[place].first === "down"];
      onsort?.([by, down]);
      draw();
    }
    function draw() {
      headings.forEach((heading, place) => {
        if (place === by) heading.setAttribute("aria-sort", down ? "descending" : "ascending");
        else heading.removeAttribute("aria-sort");
      });
      const ordered = by === null ? rows : rows.map((row, place) => [columns[by].value(row), place, row])
        .sort(([one, a], [other, b]) => compare(one, other) * (down ? -1 : 1) || a - b).map(([, , row]) => row);
      for (const row of ordered) if (!lines.has(row)) lines.set(row, line(row));
      body.replaceChildren(...ordered.map((row) => lines.get(row)));
    }
    function line(row) {
      const cells = columns.map((column, place) =>
        element(place || column.number ? `td${column.number ? ".num" : ""}` : "th", place ? {} : { scope: "row" }, column.cell(row)));
      return open ? element("tr.opens", { tabindex: 0, "data-open": open(row) }, cells) : element("tr", {}, cells);
    }
    draw();
    const made = element("table", {}, caption ? element("caption", {}, caption) : null, element("thead", {}, element("tr", {}, headings)), body);
    return element("div.scroll", {}, made);
  }

  function compare(one, other) {
    const [empty, void_] = [one === null || one === undefined, other === null || other === undefined];
    if (empty || void_) return empty - void_;
    return typeof one === "number" && typeof other === "number" ? one - other : String(one).localeCompare(String(other), "en", { numeric: true });
  }

  const select = (label, options, value, onchange) =>
    element("label.field", {}, element("span", {}, label),
      element("select", { onchange: (event) => onchange(event.target.value) },
        options.map(([key, text]) => element("option", { value: key, selected: String(key) === String(value) }, text))));

  // Text of models and logs, folded until it is asked for; `make` may load it.
  function fold(title, make, opened = false) {
    const body = element("div.folded");
    let made = false;
    const fill = async () => {
      if (made) return;
      made = true;
      try { body.replaceChildren(...[await make()].flat(Infinity)); }
      catch (error) { made = false; body.replaceChildren(element("p.problem", {}, error.message)); }
    };
    const details = element("details", { open: opened, ontoggle: () => details.open && fill() }, element("summary", {}, title), body);
    if (opened) fill();
    return details;
  }

  const text = (value) => element("pre.text", { tabindex: 0 }, value);

  return { receive, load, forget, element, percent, points, range, probability, size, seconds, mark, badge, table, select, fold, text, KINDS };
})();
