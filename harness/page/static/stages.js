"use strict";
// What an attempt's stages asked and answered, in the order in which it came about.
(() => {
  const { element, fold, text, patch, badge } = harnessPage;

  function stages(found) {
    return [
      found.before.map((said) => fold(`${said.stage}, sample ${said.index}`, () => answer(found, said))),
      found.locations.length || found.notes.length
        ? fold(`places (${found.locations.length})`, () => element("ul", {}, [...found.locations, ...found.notes].map((line) => element("li", {}, element("code", {}, line)))))
        : null,
      found.candidates.map((one) => fold(heading(one), () => candidate(found, one))),
      found.behind.map((said) => fold(`${said.stage}, sample ${said.index}`, () => answer(found, said))),
    ].flat().filter(Boolean);
  }

  function heading(one) {
    const made = one.reason ? `no patch: ${one.reason}` : one.duplicateOf === null ? "patch" : `same as candidate ${one.duplicateOf}`;
    return `candidate ${one.index}${one.selected ? ", selected" : ""}: ${made}${one.outcome ? `, ${one.outcome}` : ""}`;
  }

  function answer(found, said) {
    if (!said) return [element("p.faint", {}, "No answer was asked for.")];
    if (said.text === null) return [element("p.faint", {}, said.key ? `Answer ${said.key}: no journal or recording holds it any more.` : "The answer was written by hand, in the checkpoint's recording.")];
    const prompt = found.prompts[said.prompt];
    return [
      prompt === undefined ? null : fold("prompt", () => text(prompt)),
      said.reasoning ? fold("thinking", () => text(said.reasoning)) : null,
      element("p.faint", {}, `Answer, ended by ${said.ended || "?"}${said.tokens[1] ? `, ${said.tokens[0]} tokens in, ${said.tokens[1]} out` : ""}:`),
      text(said.text),
    ].filter(Boolean);
  }

  const candidate = (found, one) => [
    one.outcome ? element("p", {}, badge(one.outcome)) : null,
    one.reason ? element("p", {}, element("strong", {}, one.reason), ` ${one.detail}`) : null,
    one.notes.length ? element("p.faint", {}, one.notes.join(", ")) : null,
    one.leftOut.length ? element("p.faint", {}, `The prompt had no room for ${one.leftOut.join(", ")}.`) : null,
    ...answer(found, one.answer),
    one.patch && one.duplicateOf === null ? patch(one.patch) : null,
  ].filter(Boolean);

  Object.assign(harnessPage, { stages });
})();
