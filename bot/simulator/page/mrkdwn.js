/**
 * Slack's mrkdwn → DOM nodes: code, quotes, emphasis, links, mentions, dates, emoji. The one rule: text is data; only
 * nodes made here carry meaning, and only links with a known scheme can be followed.
 *
 * Grammar: docs.slack.dev/messaging/formatting-message-text.
 */

import { formatDate, fullTime } from "./dates.js";
import { fragment, h } from "./dom.js";
import { emoji, withEmoji } from "./emoji.js";
import { mentionsMe, myZone, now, personName, store } from "./store.js";

const SCHEMES = new Set(["http:", "https:", "mailto:", "tel:"]);
const TOKEN =
  /<([^<>\n]+)>|`([^`\n]+)`|:([a-z0-9_+'-]+(?:::skin-tone-[2-6])?):|(https?:\/\/[^\s<>|]+[^\s<>|.,;:!?)\]'"*_~])/g;
const MARKS = { "*": "strong", _: "em", "~": "s" };

/** `&lt; &gt; &amp;` as the characters that they stand for. */
export function unescape(text) {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

/** A link that opens outside the page, or only its text if the scheme is not one of the harmless. */
export function link(url, ...children) {
  let scheme = null;
  try {
    scheme = new URL(url).protocol;
  } catch {
    return fragment(...children);
  }
  if (!SCHEMES.has(scheme)) return fragment(...children);
  return h("a", { href: url, target: "_blank", rel: "noreferrer noopener" }, ...children);
}

/** A `<time>` that stays right as the simulator's clock moves: see `refreshTimes`. */
export function timeNode(pattern, ms, { capital = false } = {}) {
  const node = h("time", { datetime: new Date(ms).toISOString(), dataset: { pattern, ms: String(ms) } });
  if (capital) node.dataset.capital = "true";
  fillTime(node);
  return node;
}

function fillTime(node) {
  const ms = Number(node.dataset.ms);
  let text = formatDate(node.dataset.pattern, ms, now(), myZone());
  if (node.dataset.capital) text = text.charAt(0).toUpperCase() + text.slice(1);
  if (node.textContent !== text) node.textContent = text;
  node.title = fullTime(ms, now(), myZone());
}

/** Draw anew every time on the page whose words depend on now. */
export function refreshTimes() {
  for (const node of document.querySelectorAll("time[data-pattern]")) fillTime(node);
}

/** A text object of Block Kit: `mrkdwn` is parsed, `plain_text` only has its emoji replaced. */
export function textObject(object) {
  if (!object) return fragment();
  return object.type === "mrkdwn" ? mrkdwn(object.text) : withBreaks(withEmoji(object.text));
}

/** The words of a text object, for names and labels. */
export function plain(object) {
  return object ? withEmoji(object.text ?? "") : "";
}

/** Parse a whole mrkdwn text, in which ``` fences and > quotes are blocks of their own. */
export function mrkdwn(text) {
  const parts = text.split(/```\n?([\s\S]*?)\n?```/);
  return fragment(
    parts.map((part, i) => (i % 2 ? h("pre", {}, h("code", {}, codeText(part))) : paragraphs(part, i, parts.length))),
  );
}

function paragraphs(text, index, count) {
  let body = index > 0 ? text.replace(/^\n/, "") : text;
  if (index < count - 1) body = body.replace(/\n$/, "");
  const out = [];
  let lines = [];
  let quoted = false;
  const flush = () => {
    if (lines.length && (quoted || lines.join("") !== "" || lines.length > 1)) {
      const content = inline(lines.join("\n"));
      out.push(quoted ? h("blockquote", {}, content) : content);
    }
    lines = [];
  };
  for (const line of body === "" ? [] : body.split("\n")) {
    const quote = line.match(/^(?:&gt;|>) ?(.*)$/);
    if (Boolean(quote) !== quoted) {
      flush();
      quoted = Boolean(quote);
    }
    lines.push(quote ? quote[1] : line);
  }
  flush();
  return out;
}

function inline(text) {
  const held = [];
  // Tokens become one private-use character each, so that emphasis may enclose them and never reaches into them.
  const own = text.replace(/[\ue000-\uf8ff]/g, "\ufffd");
  const body = own.replace(TOKEN, (whole, angle, code, short, url, offset) => {
    const node = held.length < 6000 && token({ angle, code, short, url }, offset === 0 || own[offset - 1] === "\n");
    if (!node) return whole;
    held.push(node);
    return String.fromCharCode(0xe000 + held.length - 1);
  });
  return emphasis(body, held);
}

function token({ angle, code, short, url }, atStart) {
  if (angle !== undefined) return reference(angle, atStart);
  if (code !== undefined) return h("code", {}, codeText(code));
  if (url !== undefined) return link(unescape(url), unescape(url));
  const character = emoji(short);
  return character
    ? h(
        "span",
        { class: "emoji", role: "img", "aria-label": short.replaceAll("_", " "), title: `:${short}:` },
        character,
      )
    : null;
}

/** Inside code only links and mentions are resolved, to plain words. */
function codeText(text) {
  return unescape(text.replace(/<([^<>\n]+)>/g, (whole, body) => reference(body, false)?.textContent ?? whole));
}

/** The node of what stands between `<` and `>`, or null if that is no reference. */
function reference(body, atStart) {
  const bar = body.indexOf("|");
  const target = bar < 0 ? body : body.slice(0, bar);
  const label = bar < 0 ? null : unescape(body.slice(bar + 1));
  if (/^@[UW]\w+$/.test(target)) return mention(`@${personName(target.slice(1))}`, `<${target}>`);
  if (/^#[CG]\w+$/.test(target)) return channelLink(target.slice(1), label);
  if (target.startsWith("!subteam^")) {
    const handle = store.groups.get(target.slice(9))?.handle;
    return mention(handle ? `@${handle}` : (label ?? target), `<${target}>`);
  }
  if (target.startsWith("!date^")) return dateReference(target.slice(6), label, atStart);
  if (/^!(here|channel|everyone)$/.test(target)) return mention(`@${target.slice(1)}`, `<${target}>`);
  if (target.startsWith("!")) return h("span", {}, label ?? `<${target}>`);
  if (/^[a-z][a-z0-9+.-]*:/i.test(target))
    return link(unescape(target), label ?? unescape(target).replace(/^mailto:/, ""));
  return null;
}

export function mention(text, raw) {
  return h("span", { class: mentionsMe(raw) ? "mention mention-me" : "mention" }, text);
}

export function channelLink(id, label) {
  const channel = store.channels.get(id);
  const text = `#${channel?.name ?? (label || "private-channel")}`;
  return channel
    ? h("a", { class: "mention", href: `/?channel=${id}`, dataset: { channel: id } }, text)
    : h("span", { class: "mention" }, text);
}

function dateReference(body, fallback, capital) {
  const [seconds, pattern, url] = body.split("^");
  if (!/^-?\d+$/.test(seconds) || !pattern) return h("span", {}, fallback ?? body);
  const node = timeNode(unescape(pattern), Number(seconds) * 1000, { capital: capital && pattern.startsWith("{") });
  return url ? link(unescape(url), node) : node;
}

const isWord = (character) => character !== undefined && /[\p{L}\p{N}]/u.test(character);

/** *strong*, _em_ and ~struck~ over text in which private-use characters stand for held nodes. */
function emphasis(text, held) {
  const out = [];
  let from = 0;
  for (let i = 0; i < text.length; i += 1) {
    const tag = MARKS[text[i]];
    const end = tag && !isWord(text[i - 1]) ? closing(text, i) : -1;
    if (end < 0) continue;
    out.push(plainRun(text.slice(from, i), held), h(tag, {}, emphasis(text.slice(i + 1, end), held)));
    from = end + 1;
    i = end;
  }
  out.push(plainRun(text.slice(from), held));
  return fragment(out);
}

function closing(text, start) {
  const sign = text[start];
  if (text[start + 1] === undefined || /\s/.test(text[start + 1]) || text[start + 1] === sign) return -1;
  for (let j = start + 2; j < text.length && text[j] !== "\n"; j += 1) {
    if (text[j] === sign && !/\s/.test(text[j - 1]) && !isWord(text[j + 1]) && text[j + 1] !== sign) return j;
  }
  return -1;
}

function plainRun(text, held) {
  return text
    .split(/([\ue000-\uf8ff])/)
    .map((part, i) => (i % 2 ? (held[part.charCodeAt(0) - 0xe000] ?? part) : withBreaks(unescape(part))));
}

function withBreaks(text) {
  return fragment(text.split("\n").flatMap((line, i) => (i ? [h("br"), line] : [line])));
}
