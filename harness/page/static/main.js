"use strict";
// Which view is shown, the keys, and the refreshing of a page that is served.
(() => {
  const { load, element } = harnessPage;
  const VIEWS = ["overview", "compare", "instances", "run"];
  const REFRESH = 5000; // milliseconds between looks at a run under way
  const main = document.getElementById("main");
  const served = location.protocol.startsWith("http");
  let data = null;
  let drawn = 0;

  function route() {
    const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
    return [path.split("/").map(decodeURIComponent), Object.fromEntries(new URLSearchParams(query))];
  }

  function go(path, query) {
    const kept = Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined);
    location.hash = `#/${path}?${new URLSearchParams(kept)}`;
  }

  async function draw(keep = false) {
    const turn = ++drawn;
    const [[view = "overview", id], query] = route();
    const { focus, ...state } = query;
    const scrolled = scrollY;
    let made;
    try {
      if (view === "instance" && id) made = await harnessPage.instance(data, id, state, go);
      else if (view === "instances") made = await harnessPage.instances(data, state, go);
      else if (view === "compare") made = await harnessPage.compare(data, state, go);
      else if (view === "run") made = harnessPage.run(data);
      else made = harnessPage.overview(data);
    } catch (error) { made = [element("p.problem", {}, error.message)]; }
    if (turn !== drawn) return;
    main.replaceChildren(...made.flat(Infinity).filter(Boolean));
    const shown = view === "instance" ? "instances" : VIEWS.includes(view) ? view : "overview";
    document.querySelectorAll("header nav a").forEach((link) => {
      if (link.dataset.view === shown) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    });
    if (focus) {
      const field = document.getElementById("filter");
      field?.focus();
      field?.setSelectionRange(field.value.length, field.value.length);
    } else if (keep) scrollTo(0, scrolled);
    else if (view === "instance") scrollTo(0, 0);
    main.dataset.drawn = location.hash;
  }

  function theme(next) {
    document.documentElement.dataset.theme = next;
    try { localStorage.setItem("harness-theme", next); } catch { /* storage is off */ }
    document.querySelectorAll("img[data-picture]").forEach((image) => {
      image.src = `pictures/${image.dataset.picture}${next === "dark" ? ".dark" : ""}.svg`;
    });
  }
  const toggle = () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");

  function step(by) {
    const link = document.getElementById(by > 0 ? "next" : "previous");
    if (document.getElementById("up")) { link?.click(); return; }
    const rows = [...main.querySelectorAll("tr.opens")];
    const at = rows.indexOf(document.activeElement.closest?.("tr.opens"));
    const row = rows[at < 0 ? 0 : Math.max(0, Math.min(rows.length - 1, at + by))];
    row?.focus();
    row?.scrollIntoView({ block: "nearest" });
  }

  const KEYS = {
    1: () => go(VIEWS[0], {}), 2: () => go(VIEWS[1], {}), 3: () => go(VIEWS[2], {}), 4: () => go(VIEWS[3], {}),
    j: () => step(1), k: () => step(-1), t: toggle,
    u: () => document.getElementById("up")?.click(),
    l: () => { const log = main.querySelector("details.log"); if (log) { log.open = true; log.scrollIntoView(); } },
    "/": () => { const field = document.getElementById("filter"); if (field) field.focus(); else go("instances", { focus: "1" }); },
    "?": () => document.getElementById("keys").showModal(),
  };

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea, dialog");
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && typing?.matches("input")) typing.blur();
    if (typing) return;
    if (event.key === "Enter" && event.target.matches("tr.opens")) { location.hash = event.target.dataset.open; return; }
    const act = KEYS[event.key];
    if (act) { event.preventDefault(); act(); }
  });
  main.addEventListener("click", (event) => {
    const row = event.target.closest("tr.opens");
    if (row && !event.target.closest("a, button") && !String(getSelection())) location.hash = row.dataset.open;
  });
  document.getElementById("theme").addEventListener("click", toggle);
  document.getElementById("help").addEventListener("click", KEYS["?"]);
  addEventListener("hashchange", () => draw());

  function status() {
    const done = data.instances.reduce((sum, [, , , cells]) => sum + cells.filter((cell) => cell >= 0).length, 0);
    document.getElementById("live").textContent = data.live ? `under way: ${done} attempts` : "";
  }

  // A served page follows its folder; whoever reads an unfolded text is not disturbed.
  let version = "";
  async function refresh() {
    try {
      const now = await (await fetch("version")).text();
      if (version && now !== version) {
        harnessPage.forget();
        data = await load("overview", true);
        status();
        if (!main.querySelector("details[open]:not(.keep)") || route()[0][0] !== "instance") await draw(true);
      }
      version = now;
    } catch { document.getElementById("live").textContent = "not served any more"; }
    setTimeout(refresh, REFRESH);
  }

  load("overview").then((found) => {
    data = found;
    status();
    if (served) refresh();
    return draw();
  }).catch((error) => main.replaceChildren(element("p.problem", {}, error.message)));
})();
