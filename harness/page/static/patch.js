"use strict";
// A patch as a coloured diff. What diff2html makes is copied element by element: only what a diff needs gets through.
(() => {
  const { element, text } = harnessPage;
  const ALLOWED = new Set(["DIV", "SPAN", "TABLE", "TBODY", "TR", "TD", "INS", "DEL", "BR"]);
  const LONGEST = 60000; // characters of a patch that are set as a diff; longer ones are shown as text

  function patch(value) {
    if (!value.trim()) return element("p.faint", {}, "No patch.");
    if (value.length > LONGEST) return text(value);
    let html;
    try {
      if (!Diff2Html.parse(value).some((file) => file.blocks.length)) return text(value);
      html = Diff2Html.html(value, { drawFileList: false, outputFormat: "line-by-line", matching: "words", matchingMaxComparisons: 500, maxLineLengthHighlight: 500 });
    } catch { return text(value); }
    const made = element("div.diff", { tabindex: 0 });
    copy(new DOMParser().parseFromString(html, "text/html").body, made);
    return made;
  }

  function copy(from, to) {
    for (const node of from.childNodes) {
      if (node.nodeType === Node.TEXT_NODE) to.append(node.data);
      else if (node.nodeType === Node.ELEMENT_NODE && ALLOWED.has(node.tagName)) {
        const made = document.createElement(node.tagName);
        made.className = node.className;
        to.append(made);
        copy(node, made);
      }
    }
  }

  Object.assign(harnessPage, { patch });
})();
