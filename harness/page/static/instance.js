"use strict";
// One instance: the issue, the gold patch, and every checkpoint's attempt side by side.
(() => {
  const { element, badge, fold, text, load, select, patch, size, seconds } = harnessPage;

  async function instance(data, id, query, go) {
    const place = data.instances.findIndex(([name]) => name === id);
    if (place < 0) return [element("h1", {}, "No such instance"), element("p", {}, element("a", { href: "#/instances" }, "All instances"))];
    const found = await load(`instances/${id}`);
    const condition = query.condition || harnessPage.firstCondition(data);
    const conditions = [...new Set(data.parts.map(([, name]) => name).filter(Boolean))];
    const [a, b] = harnessPage.pair(data, query);
    const near = await neighbours(data, id, query, a, b);
    const to = (name) => `#/instance/${encodeURIComponent(name)}?${new URLSearchParams(query)}`;
    return [
      element("nav.crumbs", { "aria-label": "Instances" },
        element("a", { id: "up", href: back(query) }, query.from === "compare" ? "Compare" : "Instances"),
        near[0] ? element("a", { id: "previous", href: to(near[0]) }, "\u2190 previous") : null,
        near[1] ? element("a", { id: "next", href: to(near[1]) }, "next \u2192") : null),
      element("h1", {}, id),
      element("p.faint", {}, data.instances[place][1], found.commit ? ` at ${found.commit.slice(0, 12)}` : ""),
      conditions.length > 1 ? element("div.filters", {}, select("Condition", conditions.map((name) => [name, name]), condition, (value) => go(`instance/${encodeURIComponent(id)}`, { ...query, condition: value }))) : null,
      fold("Issue", () => (found.issue ? element("div.issue", {}, text(found.issue)) : element("p.faint", {}, "The run's folder does not hold the issue's text.")), true),
      found.testPatch ? fold("Test patch", () => patch(found.testPatch)) : null,
      element("div.columns", { tabindex: 0, role: "region", "aria-label": "Patches side by side" },
        element("section.attempt.gold", {}, element("h2", {}, "Gold patch"), found.gold ? patch(found.gold) : element("p.faint", {}, "The run's folder does not hold it.")),
        ordered(data, condition, query.a === undefined || a === null ? [] : [a, b].map((side) => data.sides[side].members))
          .map(([number, checkpoint, side]) => attempt(data, id, number, checkpoint, found.attempts[number], side))),
    ];
  }

  const back = (query) => `#/${query.from === "compare" ? "compare" : "instances"}?${new URLSearchParams(Object.fromEntries(Object.entries(query).filter(([name]) => name !== "from")))}`;

  // Parts of the condition, those of the two compared sides first.
  function ordered(data, condition, sides) {
    const side = (checkpoint) => { const at = sides.findIndex((members) => members.includes(checkpoint)); return at < 0 ? sides.length : at; };
    return data.parts.map(([checkpoint, name], number) => [number, checkpoint, name])
      .filter(([, checkpoint, name]) => name === condition && !(name === "" && data.checkpoints[checkpoint].reference))
      .map(([number, checkpoint]) => [number, checkpoint, side(checkpoint)])
      .sort((one, other) => one[2] - other[2] || one[0] - other[0])
      .map(([number, checkpoint, at]) => [number, checkpoint, at < sides.length ? "AB"[at] : ""]);
  }

  async function neighbours(data, id, query, a, b) {
    let ids = data.instances.map(([name]) => name);
    if (query.change && a !== null) {
      const found = await load(`compare/${a}-${b}`);
      ids = [...new Set((found.flips || []).filter(([, , change]) => change === query.change).map(([name]) => name))];
    }
    const at = ids.indexOf(id);
    return at < 0 ? [null, null] : [ids[at - 1], ids[at + 1]];
  }

  function attempt(data, id, number, checkpoint, found, side) {
    const { name, strategy } = data.checkpoints[checkpoint];
    const title = element("h2", {}, side ? `${side}: ${name}` : name, strategy && strategy !== name ? element("span.faint", {}, ` ${strategy}`) : null);
    if (!found) return element("section.attempt", {}, title, element("p", {}, badge("")));
    const log = found.log ? logFold(found) : null;
    return element("section.attempt", {},
      title,
      element("p", {}, badge(found.outcome), found.outcome !== found.lost && found.lost ? ` ${found.lost}` : "", element("span.faint", {}, ` in ${found.phase}, ${seconds(found.seconds)}`)),
      found.detail ? element("p.reason", {}, found.detail) : null,
      found.flags.map((flag) => element("p.flag", {}, `! ${flag}`)),
      found.suite ? element("p", {}, found.suite) : null,
      found.breaks.length ? element("ul", {}, found.breaks.map((name) => element("li", {}, element("code", {}, name)))) : null,
      patch(found.patch),
      found.votes ? element("p.faint", {}, found.votes, `; ${found.patches} of ${found.candidates} candidates have a patch`) : null,
      tests(found, log),
      log?.details,
      found.staged ? fold("Prompts and answers", async () => harnessPage.stages(await load(`stages/${id}/${number}`))) : null);
  }

  function tests(found, log) {
    if (!found.tests.length) return null;
    return element("div.tests", {}, element("h3", {}, "Tests"),
      found.tests.map(({ kind, passed, failed, names }) => element("div", {},
        element("p", {}, element("code", {}, kind), ` ${passed} passed, ${failed} failed`),
        names.length ? element("ul", {}, names.map((name) => element("li", {}, element("code", {}, name))), failed > names.length ? element("li", {}, `and ${failed - names.length} more`) : null) : null)),
      found.excerpts.slice(0, 1).map((one) => excerpt(one, log)),
      found.excerpts.length > 1 ? fold(`Why ${found.excerpts.length - 1} more fail`, () => found.excerpts.slice(1).map((one) => excerpt(one, log))) : null);
  }

  const excerpt = ({ test, lines, part }, log) => element("div.excerpt", {},
    element("p", {}, "Why ", element("code", {}, test), " fails:"), text(lines.join("\n")),
    element("button", { type: "button", onclick: () => log.open(part, lines[0]) }, "In the log"));

  function logFold(found) {
    const body = element("div.folded");
    const details = element("details.log", { ontoggle: () => { if (details.open && !body.hasChildNodes()) body.replaceChildren(harnessPage.log(found.log)); } },
      element("summary", {}, `Log (${size(found.log.bytes)})`), body);
    function open(part, words) {
      body.replaceChildren(harnessPage.log(found.log, part, words));
      details.open = true;
      details.scrollIntoView({ block: "nearest" });
    }
    return { details, open };
  }

  Object.assign(harnessPage, { instance });
})();
