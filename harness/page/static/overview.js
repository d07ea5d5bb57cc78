"use strict";
// Scores of every part, the pictures, and what the run froze.
(() => {
  const { element, percent, seconds, table } = harnessPage;
  const row = (name) => (line) => line[name];
  const share = (name, label, help) => ({ label, help, number: true, first: "down", value: row(name), cell: (line) => percent(line[name]) });
  const count = (name, label, help) => ({ label, help, number: true, first: "down", value: row(name), cell: (line) => (line[name] ?? "-").toLocaleString("en") });
  const text = (name, label, help) => ({ label, help, value: row(name), cell: (line) => String(line[name] ?? "-") });

  // The interval as a bar on a common scale of 0 to 100%.
  function bar(line) {
    const at = (name) => Math.max(0, Math.min(100, 100 * line[name]));
    const SVG = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", "0 0 100 10");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("class", "bar");
    svg.setAttribute("aria-hidden", "true");
    const box = (x, width, y, height, kind) => {
      const made = document.createElementNS(SVG, "rect");
      Object.entries({ x, width, y, height, class: kind }).forEach(([name, value]) => made.setAttribute(name, value));
      svg.append(made);
    };
    box(0, 100, 4.5, 1, "track");
    box(at("resolve_rate_low"), Math.max(0.5, at("resolve_rate_high") - at("resolve_rate_low")), 2, 6, "range");
    box(Math.max(0, at("resolve_rate") - 0.6), 1.2, 0, 10, "dot");
    return svg;
  }

  const MAIN = [
    text("checkpoint", "checkpoint"),
    text("strategy", "strategy", "Packing strategy of the training data"),
    text("condition", "condition", "Where the repair prompt's locations come from"),
    { label: "resolved", help: "Instances resolved, of all", number: true, first: "down", value: row("resolved"), cell: (line) => `${line.resolved} of ${line.instances}` },
    share("resolve_rate", "rate %", "Resolved over all instances"),
    { label: "95% interval", help: "Wilson score interval, on a scale from 0 to 100%", value: row("resolve_rate_low"), first: "down",
      cell: (line) => element("span.interval", {}, bar(line), element("span.num", {}, `${percent(line.resolve_rate_low)} to ${percent(line.resolve_rate_high)}`)) },
    count("empty", "no patch", "Instances for which no patch came out"),
    { label: "similarity", help: "Mean similarity to the gold patch, 0 to 1", number: true, first: "down", value: row("similarity"), cell: (line) => (typeof line.similarity === "number" ? line.similarity.toFixed(3) : "-") },
  ];
  const COST = [
    text("checkpoint", "checkpoint"), text("condition", "condition"),
    count("patch_applied", "applied", "Instances whose patch was applied"),
    count("infrastructure_failures", "not graded", "Instances on which the machine failed"),
    count("cut_prompts", "cut prompts", "Instances with a repair prompt that had no room for all located source"),
    count("prompt_tokens", "prompt tokens"), count("completion_tokens", "answer tokens"),
    { label: "test time", help: "Summed over containers, of which many run at once", number: true, first: "down", value: row("test_seconds"), cell: (line) => seconds(line.test_seconds || 0) },
  ];

  // Scores of the stages that this run has, at most eight columns.
  const STAGES = [
    share("file_recall@1", "files@1", "Recall of the gold patch's files in the first located file"),
    share("file_recall@5", "files@5", "Recall of the gold patch's files in the first five"),
    share("element_recall@5", "elements@5"), share("line_recall@5", "lines@5"),
    share("pass@1", "pass@1"), share("selected", "selected", "Instances that the selected candidate resolves"),
    share("oracle", "oracle", "Instances that any candidate resolves: no selection can exceed it"),
  ];

  // The table of `harness table`, cell by cell; what is bold is best and distinguishable.
  function ablation({ above, tables, beneath }) {
    const numbers = (text) => { const found = /^[+\u2212-]?[\d.]+/.exec(text); return found ? Number(found[0].replace("\u2212", "-")) : text === "-" ? null : text; };
    const made = tables.map(({ title, columns, rows }) => [title, table(columns.map((label, place) => ({
      label, number: place > 0, first: "down", value: (line) => numbers(line[place][0]),
      cell: (line) => (line[place][1] ? element("strong", {}, line[place][0]) : line[place][0]),
    })), rows)]);
    return [
      element("h1", {}, "Scores"),
      element("p.faint", {}, above.join(" \u00B7 ")),
      made.map(([title, shown], place) => (place < 1 || title.includes("against")
        ? [element("h2", {}, title), shown] : element("details", {}, element("summary", {}, title), element("div.folded", {}, shown)))),
      element("details", {}, element("summary", {}, "How to read these tables"), element("div.folded", {}, element("ul.faint", {}, beneath.map((line) => element("li", {}, line))))),
    ];
  }

  function pictures(data) {
    return data.pictures.map(([name, title, about]) => {
      const dark = () => document.documentElement.dataset.theme === "dark";
      const image = element("img", { alt: `${title}: ${about}`, loading: "lazy", "data-picture": name });
      image.src = `pictures/${name}${dark() ? ".dark" : ""}.svg`;
      return element("figure", {}, element("figcaption", {}, element("h3", {}, title), element("p.faint", {}, about, " ",
        element("a", { href: `pictures/${name}.svg`, download: true }, "SVG"), " ", element("a", { href: `pictures/${name}.png`, download: true }, "PNG"))),
      image);
    });
  }

  function overview(data) {
    if (!data.scores.length) return [element("h1", {}, "No attempt has ended yet"), element("p.faint", {}, "This page fills while the run goes on.")];
    const stages = STAGES.filter((column) => data.stages.some((line) => column.value(line) !== undefined));
    return [
      data.ablation ? ablation(data.ablation) : null,
      element(data.ablation ? "h2" : "h1", {}, "Every checkpoint and condition"),
      table(MAIN.filter(({ label }) => label !== "strategy" || data.scores.some((line) => line.strategy && line.strategy !== line.checkpoint)), data.scores),
      element("p.faint", {}, "Intervals are of one rate alone. Whether two checkpoints differ is under ", element("a", { href: "#/compare" }, "Compare"), ", instance by instance."),
      stages.length ? [element("h2", {}, "Stages, in percent"), table([text("checkpoint", "checkpoint"), text("condition", "condition"), ...stages].slice(0, 9), data.stages)] : null,
      element("h2", {}, "Pictures"),
      element("div.pictures", {}, pictures(data)),
      element("h2", {}, "Work"),
      table(COST, data.scores),
    ];
  }

  function run(data) {
    return [
      element("h1", {}, "What the run froze"),
      element("p.faint", {}, "Configuration, versions, digests and revisions, from frozen.yaml."),
      data.settings.map(([name, lines]) =>
        element("details", { open: lines.length < 40 }, element("summary", {}, `${name} (${lines.length})`),
          element("div.scroll", {}, element("table.settings", {}, element("tbody", {}, lines.map(([key, value]) =>
            element("tr", {}, element("th", { scope: "row" }, key || name), element("td", {}, value)))))))),
    ];
  }

  Object.assign(harnessPage, { overview, run });
})();
