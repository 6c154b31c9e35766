/**
 * A list of messages: a channel's, or a thread's. The one rule: an article is kept as long as its message is shown, so
 * that focus, typing and scrolling survive whatever arrives.
 */

import { dayTitle, isoDay } from "./dates.js";
import { h, icon } from "./dom.js";
import { MessageView, pendingNode } from "./message.js";
import { go } from "./place.js";
import { isReply, myZone, now } from "./store.js";

const TOGETHER_MS = 5 * 60_000;
const NEAR_END_PX = 90;

export class Timeline {
  /** `inThread`: no day headings, and the root set apart from its replies. `onRead()` is called at the end of the list. */
  constructor({ label, inThread = false, onRead = () => {} }) {
    this.inThread = inThread;
    this.onRead = onRead;
    this.views = new Map();
    this.marks = new Map();
    this.list = h("div", { class: "log-list" });
    this.node = h(
      "div",
      {
        class: "log",
        role: "log",
        tabindex: "0",
        "aria-label": label,
        "aria-live": "off",
        onkeydown: (event) => this.key(event),
        onscroll: () => this.scrolled(),
      },
      this.list,
    );
    this.jump = h(
      "button",
      { type: "button", class: "jump", hidden: true, onclick: () => this.toEnd(true) },
      icon("down"),
      "New messages",
    );
    this.frame = h("div", { class: "log-frame" }, this.node, this.jump);
    // Whatever makes the list grow (a form, an image, a narrower window) leaves a reader at the end at the end.
    new ResizeObserver(() => this.stick && this.toEnd()).observe(this.list);
    new ResizeObserver(() => this.stick && this.toEnd()).observe(this.node);
    this.stick = true;
    this.pendingCount = 0;
  }

  /** Show these messages, and what is on its way. `newTs` is the first message that was new when the person came. */
  show(messages, pending, { empty = null, newTs = null } = {}) {
    const last = messages.at(-1);
    const grew = last && this.lastTs && last.ts !== this.lastTs;
    const wanted = messages.flatMap((message, i) =>
      this.rows(message, messages[i - 1] ?? null, messages.length, newTs),
    );
    if (!messages.length && !pending.length && empty) wanted.push(h("div", { class: "empty" }, empty));
    wanted.push(...pending.map(pendingNode));
    reconcile(this.list, wanted);
    const shown = new Set(messages.map((message) => message.ts));
    for (const ts of this.views.keys()) if (!shown.has(ts)) this.views.delete(ts);
    if (grew && !this.stick) this.jump.hidden = false;
    const sends = pending.length > this.pendingCount;
    this.pendingCount = pending.length;
    this.lastTs = last?.ts ?? this.lastTs;
    if (this.stick || sends) this.toEnd();
  }

  /** A message's article, and the marks that stand around it. */
  rows(message, above, count, newTs) {
    const before = [];
    const day = isoDay(message.at, myZone());
    if (!this.inThread && (!above || isoDay(above.at, myZone()) !== day)) {
      before.push(this.mark(day, isoDay(now(), myZone()), () => dayMark(message.at)));
    }
    if (message.ts === newTs) before.push(this.mark("new", "", newMark));
    const article = this.article(message, !before.length && together(above, message));
    const heads = this.inThread && !isReply(message) && count > 1;
    return [...before, article, ...(heads ? [this.mark("replies", count, () => repliesMark(count - 1))] : [])];
  }

  article(message, compact) {
    if (!this.views.has(message.ts)) this.views.set(message.ts, new MessageView(message, { inThread: this.inThread }));
    const view = this.views.get(message.ts);
    view.update(message, compact);
    return view.node;
  }

  /** The node of a mark, kept while `version` stays, since what has just been drawn must not flicker. */
  mark(key, version, make) {
    if (this.marks.get(key)?.version !== version) this.marks.set(key, { version, node: make() });
    return this.marks.get(key).node;
  }

  toEnd(smooth = false) {
    this.stick = true;
    this.jump.hidden = true;
    this.node.scrollTo({ top: this.node.scrollHeight, behavior: smooth ? "smooth" : "instant" });
    this.onRead();
  }

  get atEnd() {
    return this.node.scrollHeight - this.node.scrollTop - this.node.clientHeight < NEAR_END_PX;
  }

  scrolled() {
    this.stick = this.atEnd;
    if (!this.stick) return;
    this.jump.hidden = true;
    this.onRead();
  }

  /** Arrow keys walk from message to message, Enter opens the thread of the one in focus. */
  key(event) {
    const here = document.activeElement;
    const article = here.classList.contains("message") ? here : null;
    if (here !== this.node && !article) return;
    const articles = [...this.list.querySelectorAll("article")];
    const at = articles.indexOf(article);
    const to = {
      ArrowUp: at < 0 ? articles.length - 1 : at - 1,
      ArrowDown: at < 0 ? 0 : at + 1,
      Home: 0,
      End: articles.length - 1,
    }[event.key];
    if (to !== undefined && articles[to]) articles[to].focus();
    else if (event.key === "Enter" && article && !this.inThread) {
      const { message } = this.views.get(article.dataset.ts);
      if (message.ephemeral) return;
      go({ thread: message.thread_ts ?? message.ts });
    } else return;
    event.preventDefault();
  }
}

function together(above, message) {
  if (!above || isReply(above) !== isReply(message)) return false;
  const same = above.user === message.user && above.username === message.username && above.subtype === message.subtype;
  return same && !above.ephemeral && !message.ephemeral && !above.reply_count && message.at - above.at < TOGETHER_MS;
}

function repliesMark(count) {
  return h("div", { class: "replies-mark" }, h("span", {}, count === 1 ? "1 reply" : `${count} replies`));
}

function newMark() {
  return h("div", { class: "new-mark", role: "separator" }, h("span", {}, "New"));
}

function dayMark(at) {
  return h("div", { class: "day-mark", role: "separator" }, h("span", {}, dayTitle(at, now(), myZone())));
}

/** Make the children of `list` exactly `wanted`, without touching those that are in their place. */
function reconcile(list, wanted) {
  const keep = new Set(wanted);
  for (const child of [...list.children]) if (!keep.has(child)) child.remove();
  wanted.forEach((node, i) => {
    if (list.children[i] !== node) list.insertBefore(node, list.children[i] ?? null);
  });
}
