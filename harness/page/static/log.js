"use strict";
// A log part by part: only the part that is read is loaded.
(() => {
  const { element, load, size } = harnessPage;

  function log({ key, parts, bytes }, start = 0, words = "") {
    let place = start;
    const body = element("pre.text.log", { tabindex: 0 });
    const status = element("span.faint", { role: "status" });
    const search = element("input", { type: "search", "aria-label": "Find in the log", placeholder: "find", value: words });
    const step = (label, to, title) => element("button", { type: "button", title, onclick: () => show(to()) }, label);
    const bar = element("form.bar", { onsubmit: (event) => { event.preventDefault(); find(place, true); } },
      parts > 1 ? [
        step("\u21E4", () => 0, "First part"), step("\u2190", () => place - 1, "Previous part"),
        step("\u2192", () => place + 1, "Next part"), step("\u21E5", () => parts - 1, "Last part"),
      ] : null, search, element("button", {}, "Find next"), status);

    async function show(number, found = null) {
      place = Math.max(0, Math.min(parts - 1, number));
      const value = await load(`logs/${key}/${place}`);
      status.textContent = `part ${place + 1} of ${parts}, ${size(bytes)} in all`;
      if (found === null) body.replaceChildren(value);
      else {
        const hit = element("mark", {}, value.slice(found, found + search.value.length));
        body.replaceChildren(value.slice(0, found), hit, value.slice(found + search.value.length));
        hit.scrollIntoView({ block: "nearest" });
        body.scrollTop = hit.offsetTop - body.offsetTop - body.clientHeight / 3;
        last = [place, found, search.value];
      }
    }

    let last = [-1, -1, ""];
    async function find(from, next) {
      const wanted = search.value;
      if (!wanted) return show(from);
      const repeated = next && last[0] === place && last[2] === wanted;
      for (let number = from; number < parts; number++) {
        const value = await load(`logs/${key}/${number}`);
        const found = value.indexOf(wanted, repeated && number === from ? last[1] + 1 : 0);
        if (found >= 0) return show(number, found);
        status.textContent = `looking in part ${number + 2} of ${parts}`;
      }
      last = [-1, -1, ""];
      status.textContent = "not found below";
      return undefined;
    }

    find(start, false).catch((error) => { status.textContent = error.message; });
    return element("div.logview", {}, bar, body);
  }

  Object.assign(harnessPage, { log });
})();
