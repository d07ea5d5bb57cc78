"use strict";
// Two checkpoints: what changed first, then how surely. Every number is the harness' own comparison's.
(() => {
  const { element, percent, points, range, probability, select, table, load } = harnessPage;
  const DECISIONS = { holds: ["good", "\u2713 holds"], broken: ["bad", "\u2715 broken"], "not-decided": ["odd", "! not decided"] };
  const ANSWERS = {
    holds: "Yes: everything that is required holds.",
    broken: "No: a requirement is broken.",
    "not-decided": "Not decided, which is no yes.",
  };

  async function compare(data, query, go) {
    const [a, b] = harnessPage.pair(data, query);
    if (a === null) return [element("h1", {}, "Compare"), element("p.faint", {}, data.live ? "Two checkpoints have to be done first." : "The run has one checkpoint only.")];
    const found = await load(`compare/${a}-${b}`);
    const names = data.sides.map(({ name, members }, place) => [place, members.length > 1 ? `${name} (${members.length} seeds)` : name])
      .filter(([place]) => data.pairs.flat().includes(place));
    const kind = query.change || "";
    const to = (patch) => go("compare", { a, b, change: kind, ...patch });
    const title = [
      element("h1", {}, `B: ${data.sides[b].name} against A: ${data.sides[a].name}`),
      element("div.filters", {},
        select("A", names, a, (value) => to({ a: value })), select("B", names, b, (value) => to({ b: value })),
        element("button", { type: "button", onclick: () => to({ a: b, b: a }) }, "Swap")),
    ];
    if (found.problem) return [...title, element("p.problem", {}, found.problem)];
    const shown = found.flips.filter(([, , change]) => !kind || change === kind);
    return [
      ...title,
      verdict(found),
      element("section.cards", {}, gate(found.gate), found.flipped ? counts(found, kind, to) : null),
      found.flipped ? [] : element("p.faint", {}, "Instances that flipped are listed for single checkpoints: choose one seed of each."),
      !found.flipped ? [] : element("h2", {}, kind ? `Instances: ${kind === "broken" || kind === "fixed" ? `${kind} by B` : kind}` : "Instances that did not end alike"),
      found.flipped ? flips(data, shown, a, b) : [],
      element("h2", {}, "Differences"),
      scopes([found.overall, ...found.conditions]),
      notes(found),
      found.repositories.length ? [element("h2", {}, "Repositories"), scopes(found.repositories)] : null,
      changes("Settings that differ", found.settings), changes("What else differs", found.others),
    ];
  }

  function verdict(found) {
    const { estimate, interval, distinguishable } = found.overall;
    const size = `${Math.abs(100 * estimate).toFixed(1)} points ${estimate < 0 ? "fewer" : "more"}`;
    return element("p.verdict", {}, "B resolves ", element("strong", {}, estimate === 0 ? "as many" : size),
      ` (95% interval ${range(interval)}): `, element("strong", {}, distinguishable ? "a difference" : "not distinguishable"), ".");
  }

  const gate = (found) => element("div.card", {}, element("h2", {}, "May B ship?"), element("p", {}, element("strong", {}, ANSWERS[found.decision])), found.judged.map((one) => {
    const [kind, word] = DECISIONS[one.decision];
    return element("div", {}, element("p", {}, element(`span.badge.${kind}`, {}, word), " ", element("code", {}, one.text)),
      element("p.faint", {}, `One-sided bounds ${range(one.bounds)} points: ${one.why}.`,
        one.decidable === null ? "" : ` Of two equal checkpoints, four of five such runs decide a margin of ${percent(one.decidable)} points.`));
  }));

  function counts(found, kind, to) {
    const number = (name) => found.flips.filter(([, , change]) => change === name).length;
    const all = [["broken", "broken by B"], ["fixed", "fixed by B"], ["other reason", "failed otherwise"], ["not graded", "not graded"]];
    return element("div.card", {}, element("h2", {}, "Changes"), element("div.chips", {}, all.map(([name, label]) =>
      element("button.chip", { type: "button", "data-change": name, "aria-pressed": String(kind === name), onclick: () => to({ change: kind === name ? "" : name }) },
        element("strong", {}, String(number(name))), ` ${label}`))));
  }

  function flips(data, shown, a, b) {
    if (!shown.length) return element("p.faint", {}, "None.");
    const titles = new Map(data.instances.map(([id, , title]) => [id, title]));
    const link = ([id, condition, change]) => `#/instance/${encodeURIComponent(id)}?${new URLSearchParams({ condition, a, b, change, from: "compare" })}`;
    return table([
      { label: "instance", value: (row) => row[0], cell: (row) => element("a", { href: link(row) }, row[0]) },
      { label: "condition", value: (row) => row[1], cell: (row) => row[1] || "-" },
      { label: "change", value: (row) => row[2], cell: (row) => element(`span.change.${row[2].replace(" ", "-")}`, {}, row[2]) },
      { label: "A", value: (row) => row[3], cell: (row) => element("span.reason", {}, row[3]) },
      { label: "B", value: (row) => row[4], cell: (row) => element("span.reason", {}, row[4]) },
      { label: "issue", value: (row) => titles.get(row[0]), cell: (row) => element("span.title", {}, titles.get(row[0]) || "") },
    ], shown, { open: link });
  }

  const scopes = (all) => table([
    { label: "of", value: (row) => row.name, cell: (row) => row.name },
    { label: "instances", number: true, value: (row) => row.instances, cell: (row) => (row.instances === row.total ? String(row.total) : `${row.instances} of ${row.total}`) },
    { label: "A %", number: true, value: (row) => row.rates[0], cell: (row) => percent(row.rates[0]) },
    { label: "B %", number: true, value: (row) => row.rates[1], cell: (row) => percent(row.rates[1]) },
    { label: "only A, only B", help: "Instances that one of the two alone resolves", number: true, cell: (row) => (row.only ? row.only.map((one) => +one.toFixed(2)).join(", ") : "-") },
    { label: "difference", help: "B less A, in points", number: true, value: (row) => row.estimate, cell: (row) => points(row.estimate) },
    { label: "95% interval", number: true, cell: (row) => range(row.interval) },
    { label: "p (Holm)", help: "Of no difference; adjusted for the lines of this table in brackets", number: true, value: (row) => row.p, cell: (row) => probability(row.p) + (row.holm === null ? "" : ` (${probability(row.holm)})`) },
  ], all);

  function notes(found) {
    const { method, claim, ungraded, detectable, repositories } = found.notes;
    return element("ul.faint", {},
      element("li", {}, `Method: ${method}.`), element("li", {}, claim),
      ungraded ? element("li", {}, `${ungraded} outcomes have no grade: with all of them against B and then for it, the one-sided bounds are ${range(found.overall.bounds)}.`) : null,
      detectable === null ? null : element("li", {}, `Found in four of five such comparisons: ${percent(detectable)} points or more.`),
      repositories ? element("li", {}, `Over other repositories, from these ${repositories[0]}: ${range(repositories.slice(1, 3))}, p ${probability(repositories[3])} (wild bootstrap).`) : null);
  }

  const changes = (title, lines) => (lines.length ? [element("h2", {}, title), table([
    { label: "of", value: (row) => row[0], cell: (row) => row[0] }, { label: "A", cell: (row) => row[1] }, { label: "B", cell: (row) => row[2] },
  ], lines)] : null);

  Object.assign(harnessPage, { compare });
})();
