/** The blocks `rich_text` and `table` → DOM nodes. The one rule: an element of unknown type shows its text. */

import { append, fragment, h } from "./dom.js";
import { emoji } from "./emoji.js";
import { channelLink, link, mention, timeNode } from "./mrkdwn.js";
import { personName, store } from "./store.js";

const MARKS = { code: "code", bold: "strong", italic: "em", strike: "s" };

function styled(node, style = {}) {
  return Object.keys(MARKS).reduce((inner, name) => (style[name] ? h(MARKS[name], {}, inner) : inner), node);
}

function lines(text) {
  return fragment(text.split("\n").flatMap((line, i) => (i ? [h("br"), line] : [line])));
}

const INLINE = {
  text: (e) => lines(e.text),
  link: (e) => link(e.url, e.text || e.url),
  user: (e) => mention(`@${personName(e.user_id)}`, `<@${e.user_id}>`),
  usergroup: (e) =>
    mention(`@${store.groups.get(e.usergroup_id)?.handle ?? e.usergroup_id}`, `<!subteam^${e.usergroup_id}>`),
  channel: (e) => channelLink(e.channel_id, null),
  broadcast: (e) => mention(`@${e.range}`, `<!${e.range}>`),
  emoji: (e) => emoji(e.name) ?? `:${e.name}:`,
  date: (e) => (e.url ? link(e.url, timeNode(e.format, e.timestamp * 1000)) : timeNode(e.format, e.timestamp * 1000)),
  color: (e) => h("span", { class: "swatch", style: { "--swatch": e.value } }, e.value),
};

function inline(elements = []) {
  return elements.map((e) => styled(INLINE[e.type]?.(e) ?? document.createTextNode(e.text ?? ""), e.style));
}

const SECTIONS = {
  rich_text_section: (e) => h("p", {}, inline(e.elements)),
  rich_text_preformatted: (e) => h("pre", {}, h("code", {}, inline(e.elements))),
  rich_text_quote: (e) => h("blockquote", {}, inline(e.elements)),
  rich_text_list: (e) => {
    const items = (e.elements ?? []).map((item) => h("li", {}, inline(item.elements)));
    const attributes = { class: "rich-list", style: { "--indent": String(e.indent ?? 0) } };
    return e.style === "ordered"
      ? h("ol", { ...attributes, start: (e.offset ?? 0) + 1 }, items)
      : h("ul", attributes, items);
  },
};

/** The content of a `rich_text` block. */
export function richText(block) {
  return h(
    "div",
    { class: "rich text" },
    (block.elements ?? []).map((e) => SECTIONS[e.type]?.(e) ?? h("p", {}, inline(e.elements))),
  );
}

function cell(content, tag, settings = {}) {
  const number = content?.type === "raw_number";
  const node = h(tag, {
    scope: tag === "th" ? "col" : null,
    class: `align-${settings.align ?? (number ? "right" : "left")}${settings.is_wrapped ? " wraps" : ""}`,
  });
  if (content?.type === "rich_text") return append(node, richText(content));
  return append(node, String(content?.text ?? content?.value ?? ""));
}

/** A `table` block: its first row is the heading. */
export function table(block) {
  const [head = [], ...rows] = block.rows ?? [];
  const settings = block.column_settings ?? [];
  const row = (cells, tag) =>
    h(
      "tr",
      {},
      cells.map((one, i) => cell(one, tag, settings[i] ?? {})),
    );
  return h(
    "div",
    { class: "table-holder", tabindex: "0", role: "region", "aria-label": "Table" },
    h(
      "table",
      {},
      h("thead", {}, row(head, "th")),
      h(
        "tbody",
        {},
        rows.map((cells) => row(cells, "td")),
      ),
    ),
  );
}
