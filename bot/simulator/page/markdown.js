/**
 * The `markdown` block: the common part of Markdown → DOM nodes. The one rule: raw HTML is text like any other.
 */

import { fragment, h } from "./dom.js";
import { withEmoji } from "./emoji.js";
import { link } from "./mrkdwn.js";

const INLINE =
  /(`+)(.+?)\1|\*\*(.+?)\*\*|__(.+?)__|~~(.+?)~~|!?\[([^\]]*)\]\(([^()\s]+)(?:\s+"[^"]*")?\)|\*(?!\s)([^*]+?)\*|(?<![\p{L}\p{N}])_(?!\s)([^_]+?)_(?![\p{L}\p{N}])|(https?:\/\/[^\s<>]+[^\s<>.,;:!?)])|\\([\\`*_{}[\]()#+\-.!|~>])/gu;

function inline(text) {
  const out = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    out.push(withEmoji(text.slice(from, match.index)), inlineNode(match));
    from = match.index + match[0].length;
  }
  out.push(withEmoji(text.slice(from)));
  return fragment(out);
}

function inlineNode([, , code, bold, alsoBold, struck, label, url, italic, alsoItalic, bare, escaped]) {
  if (code !== undefined) return h("code", {}, code);
  if (bold ?? alsoBold) return h("strong", {}, inline(bold ?? alsoBold));
  if (struck) return h("s", {}, inline(struck));
  if (url) return link(url, inline(label || url));
  if (italic ?? alsoItalic) return h("em", {}, inline(italic ?? alsoItalic));
  if (bare) return link(bare, bare);
  return escaped;
}

const FENCE = /^\s*(```+|~~~+)\s*(\S*)\s*$/;
const ITEM = /^(\s*)([-*+]|\d+[.)])\s+(.*)$/;
const BREAKERS = [FENCE, ITEM, /^#{1,6}\s/, /^\s*>/, /^\s*([-*_])(\s*\1){2,}\s*$/, /^\s*$/];

/** The content of a `markdown` block. */
export function markdown(text) {
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  const out = [];
  while (lines.length) {
    const node = takeBlock(lines);
    if (node) out.push(node);
  }
  return h("div", { class: "markdown text" }, out);
}

function takeBlock(lines) {
  const line = lines[0];
  const fence = line.match(FENCE);
  if (fence) return takeFence(lines, fence[1]);
  const heading = line.match(/^(#{1,6})\s+(.*?)\s*#*$/);
  if (heading)
    return (
      lines.shift() &&
      h(
        "p",
        {
          class: `heading heading-${heading[1].length}`,
          role: "heading",
          "aria-level": String(Math.min(6, heading[1].length + 2)),
        },
        inline(heading[2]),
      )
    );
  if (/^\s*([-*_])(\s*\1){2,}\s*$/.test(line)) return lines.shift() && h("hr");
  if (/^\s*>/.test(line))
    return h(
      "blockquote",
      {},
      ...markdown(
        takeWhile(lines, (one) => /^\s*>/.test(one))
          .map((one) => one.replace(/^\s*> ?/, ""))
          .join("\n"),
      ).childNodes,
    );
  if (ITEM.test(line)) return takeList(lines, line.match(ITEM)[1].length);
  if (line.includes("|") && /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/.test(lines[1] ?? "")) return takeTable(lines);
  if (line.trim() === "") {
    lines.shift();
    return null;
  }
  const first = lines.shift();
  const rest = takeWhile(lines, (one) => !BREAKERS.some((breaker) => breaker.test(one)));
  return h(
    "p",
    {},
    [first, ...rest].flatMap((one, i) => (i ? [h("br"), inline(one.trim())] : [inline(one.trim())])),
  );
}

function takeWhile(lines, wanted) {
  const taken = [];
  while (lines.length && wanted(lines[0])) taken.push(lines.shift());
  return taken;
}

function takeFence(lines, sign) {
  lines.shift();
  const body = takeWhile(lines, (one) => !one.trim().startsWith(sign));
  lines.shift();
  return h("pre", {}, h("code", {}, body.join("\n")));
}

function takeList(lines, indent) {
  const ordered = /\d/.test(lines[0].match(ITEM)[2]);
  const list = h(ordered ? "ol" : "ul", { start: ordered ? String(parseInt(lines[0].match(ITEM)[2], 10)) : null });
  while (lines.length) {
    const item = lines[0].match(ITEM);
    if (!item || item[1].length < indent || (/\d/.test(item[2]) !== ordered && item[1].length === indent)) break;
    if (item[1].length > indent + 1 && list.lastChild) {
      list.lastChild.append(takeList(lines, item[1].length));
      continue;
    }
    lines.shift();
    const more = takeWhile(
      lines,
      (one) => one.trim() !== "" && /^\s/.test(one) && !BREAKERS.some((breaker) => breaker.test(one)),
    );
    const task = item[3].match(/^\[([ xX])\]\s+(.*)$/);
    const words = [task ? task[2] : item[3], ...more.map((one) => one.trim())].join(" ");
    list.append(
      h(
        "li",
        { class: task ? "task" : null },
        task &&
          h("input", {
            type: "checkbox",
            disabled: true,
            checked: task[1] !== " ",
            "aria-label": task[1] === " " ? "Open" : "Done",
          }),
        inline(words),
      ),
    );
  }
  return list;
}

function takeTable(lines) {
  const split = (line) =>
    line
      .trim()
      .replace(/^\||\|$/g, "")
      .split(/(?<!\\)\|/)
      .map((one) => one.trim());
  const head = split(lines.shift());
  const aligns = split(lines.shift()).map((one) =>
    /^:-+:$/.test(one) ? "center" : one.endsWith(":") ? "right" : "left",
  );
  const rows = takeWhile(lines, (one) => one.includes("|")).map(split);
  const cells = (row, tag) =>
    h(
      "tr",
      {},
      head.map((_, i) => h(tag, { class: `align-${aligns[i] ?? "left"}` }, inline(row[i] ?? ""))),
    );
  return h(
    "div",
    { class: "table-holder", tabindex: "0", role: "region", "aria-label": "Table" },
    h(
      "table",
      {},
      h("thead", {}, cells(head, "th")),
      h(
        "tbody",
        {},
        rows.map((row) => cells(row, "td")),
      ),
    ),
  );
}
