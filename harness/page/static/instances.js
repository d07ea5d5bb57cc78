"use strict";
// Every instance under every checkpoint, to sort and filter; changes between two checkpoints are those of the comparison.
(() => {
  const { element, mark, select, table, load, KINDS } = harnessPage;
  const CHANGES = [["", "all"], ["broken", "broken by B"], ["fixed", "fixed by B"], ["other reason", "other reason"], ["not graded", "not graded"]];
  let sorted = null;

  async function instances(data, query, go) {
    const state = { text: "", condition: firstCondition(data), repo: "", change: "", a: null, b: null, ...query };
    const [a, b] = pair(data, state, true);
    const flips = new Map();
    if (a !== null && state.change) {
      const found = await load(`compare/${a}-${b}`);
      for (const [id, condition, kind] of found.flips || []) if (condition === state.condition) flips.set(id, kind);
    }
    const parts = data.parts.map(([checkpoint, condition], place) => ({ checkpoint, condition, place }))
      .filter((part) => part.condition === state.condition || (part.condition === "" && !data.checkpoints[part.checkpoint].reference));
    const rows = data.instances.filter(([id, repo, title, cells]) => matches(state, flips, id, repo, title, cells, data));
    const change = (patch) => go("instances", { ...state, ...patch });
    const columns = [
      { label: "instance", value: (row) => row[0], cell: (row) => element("a", { href: link(row[0], state, a, b) }, row[0]) },
      { label: "issue", value: (row) => row[2], cell: (row) => element("span.title", {}, row[2]) },
      { label: "by", help: "Checkpoints that resolve it", number: true, first: "down", value: (row) => resolved(row, parts), cell: (row) => String(resolved(row, parts)) },
      ...parts.map((part) => ({
        label: data.checkpoints[part.checkpoint].name, help: data.checkpoints[part.checkpoint].strategy,
        value: (row) => row[3][part.place], cell: (row) => cell(data.outcomes[row[3][part.place]]),
      })),
    ];
    const conditions = [...new Set(data.parts.map(([, condition]) => condition).filter(Boolean))];
    const repos = [...new Set(data.instances.map(([, repo]) => repo))].sort();
    const search = element("input", { type: "search", id: "filter", value: state.text, placeholder: "id, issue or outcome", "aria-label": "Filter instances",
      oninput: (event) => { clearTimeout(search.wait); const value = event.target.value; search.wait = setTimeout(() => change({ text: value, focus: "1" }), 150); } });
    const names = data.sides.map(({ name }, place) => [place, name]).filter(([place]) => single(data, place));
    return [
      element("h1", {}, "Instances"),
      element("div.filters", {},
        element("label.field", {}, element("span", {}, "Filter"), search),
        conditions.length ? select("Condition", conditions.map((name) => [name, name]), state.condition, (condition) => change({ condition })) : null,
        repos.length > 1 ? select("Repository", [["", "all"], ...repos.map((name) => [name, name])], state.repo, (repo) => change({ repo })) : null,
        names.length ? [
          select("Change", CHANGES, state.change, (kind) => change({ change: kind, a, b })),
          select("A", names, a, (value) => change({ a: value, b })), select("B", names, b, (value) => change({ b: value, a })),
        ] : null,
        element("p.count", { role: "status" }, `${rows.length} of ${data.instances.length}`)),
      legend(),
      table(columns, rows, { open: (row) => link(row[0], state, a, b), sorted, onsort: (value) => { sorted = value; } }),
    ];
  }

  const firstCondition = (data) => data.parts.map(([, condition]) => condition).find(Boolean) || "";
  const resolved = (row, parts) => parts.filter((part) => row[3][part.place] === 0).length;

  const single = (data, place) => data.sides[place].members.length === 1 && data.pairs.some(([first]) => first === place);

  // The sides that the address names, or the baseline and the first that is held against it. Only single checkpoints
  // have instances that they broke.
  function pair(data, state, alone = false) {
    const pairs = data.pairs.filter(([first, second]) => !alone || (single(data, first) && single(data, second)));
    if (!pairs.length) return [null, null];
    const has = (value) => value !== undefined && value !== null && pairs.some(([first]) => first === Number(value));
    const a = has(state.a) ? Number(state.a) : has(data.baseline) ? data.baseline : pairs[0][0];
    const others = pairs.filter(([first]) => first === a).map(([, second]) => second);
    return [a, others.includes(Number(state.b)) && state.b !== null ? Number(state.b) : others[0]];
  }

  function matches(state, flips, id, repo, title, cells, data) {
    if (state.repo && repo !== state.repo) return false;
    if (state.change && flips.get(id) !== state.change) return false;
    if (!state.text) return true;
    const wanted = state.text.toLowerCase();
    return `${id} ${title}`.toLowerCase().includes(wanted)
      || data.parts.some(([, condition], place) => condition === state.condition && data.outcomes[cells[place]] === wanted);
  }

  const cell = (outcome) => element(`span.cell.${KINDS[outcome] || (outcome ? "bad" : "none")}`, { title: outcome || "not run" },
    mark(outcome), element("span.hidden", {}, ` ${outcome || "not run"}`));

  const legend = () => element("p.legend.faint", {}, [["resolved", "resolved"], ["unresolved", "unresolved"], ["empty-patch", "no patch"], ["timeout", "patch failed, no results, timeout"], ["infrastructure", "not graded"]]
    .map(([outcome, name]) => element("span", {}, element(`span.cell.${KINDS[outcome] || "bad"}`, { "aria-hidden": "true" }, mark(outcome)), ` ${name}`)));

  function link(id, state, a, b) {
    const query = new URLSearchParams({ condition: state.condition, ...(a === null ? {} : { a, b }), ...(state.change ? { change: state.change } : {}) });
    return `#/instance/${encodeURIComponent(id)}?${query}`;
  }

  Object.assign(harnessPage, { instances, pair, firstCondition });
})();
