/**
 * Where the person types. The one rule: what was typed is never lost; if it could not be sent it comes back.
 */

import { post } from "./api.js";
import { h, icon, uid } from "./dom.js";
import { hintRow, hintsFor } from "./hints.js";
import { globalShortcuts } from "./shortcuts.js";
import { acceptPending, addPending, dropPending, store } from "./store.js";
import { clearErrors, toast } from "./toasts.js";

const REMEMBERED = 50;
const drafts = new Map();

function recallSent() {
  try {
    return JSON.parse(sessionStorage.getItem(`simulator.sent.${store.me}`)) ?? [];
  } catch {
    return [];
  }
}

function rememberSent(text) {
  const all = [...recallSent().filter((one) => one !== text), text].slice(-REMEMBERED);
  try {
    sessionStorage.setItem(`simulator.sent.${store.me}`, JSON.stringify(all));
  } catch {
    // Without storage there is nothing to recall; sending works all the same.
  }
}

/** The place after or before `at` in a ring of so many; -1 is before the first and after the last. */
const nextOf = (count, at, step) => (at < 0 ? (step > 0 ? 0 : count - 1) : (at + step + count) % count);

export class Composer {
  constructor() {
    const listId = uid("hints");
    this.input = h("textarea", {
      rows: "1",
      class: "composer-input",
      autocomplete: "off",
      "aria-autocomplete": "list",
      "aria-controls": listId,
      oninput: () => this.typed(),
      onkeydown: (event) => this.key(event),
      onblur: () => this.hideHints(),
      onclick: () => this.showHints(),
    });
    this.sendButton = h(
      "button",
      { type: "submit", class: "send", "aria-label": "Send", title: "Send (Enter)" },
      icon("send"),
    );
    this.hints = h("div", { class: "hints", role: "listbox", id: listId, "aria-label": "Suggestions", hidden: true });
    this.hints.addEventListener("pointerdown", (event) => event.preventDefault()); // the field keeps the focus
    this.usage = h("div", { class: "usage", hidden: true });
    this.shortcuts = h("span", { class: "shortcuts", hidden: true });
    this.node = h(
      "form",
      { class: "composer", onsubmit: (event) => this.submit(event) },
      this.hints,
      this.usage,
      this.shortcuts,
      this.input,
      this.sendButton,
    );
    this.target = null;
    this.items = [];
  }

  /** Write to this conversation; `target` is {channel, thread_ts, label, placeholder}. Drafts are kept by conversation. */
  aim(target) {
    const key = `${store.me}/${target.channel}/${target.thread_ts ?? ""}`;
    this.target = target;
    this.input.setAttribute("aria-label", target.label);
    this.input.placeholder = target.placeholder ?? target.label;
    this.offerShortcuts();
    if (key === this.key_) return;
    this.key_ = key;
    this.fill(drafts.get(key) ?? "");
    this.recalled = -1;
  }

  /** Global shortcuts are offered in channels; they are those of the app as it is installed. */
  offerShortcuts() {
    if (this.app === store.app && this.shortcuts.firstChild) return;
    this.app = store.app;
    const button = this.target.thread_ts ? null : globalShortcuts();
    this.shortcuts.hidden = !button;
    this.shortcuts.replaceChildren(...(button ? [button] : []));
  }

  fill(text) {
    this.input.value = text;
    this.input.setSelectionRange(text.length, text.length);
    this.typed();
  }

  typed() {
    drafts.set(this.key_, this.input.value);
    this.sendButton.disabled = this.input.value.trim() === "";
    if (!CSS.supports("field-sizing", "content")) {
      this.input.style.height = "auto";
      this.input.style.height = `${this.input.scrollHeight}px`;
    }
    this.showHints();
  }

  showHints() {
    const { word, items, hint, chosen } = hintsFor(this.input.value, this.input.selectionStart, {
      commands: !this.target?.thread_ts,
    });
    this.word = word;
    this.items = document.activeElement === this.input ? items : [];
    this.hints.replaceChildren(
      ...this.items.map((item, i) => hintRow(item, `${this.hints.id}-${i}`, () => this.complete(item))),
    );
    this.hints.hidden = !this.items.length;
    this.usage.hidden = !hint || !this.hints.hidden;
    this.usage.textContent = hint ?? "";
    this.pick(chosen && this.items.length ? 0 : -1);
  }

  hideHints() {
    this.items = [];
    this.hints.hidden = true;
    this.pick(-1);
  }

  pick(index) {
    this.picked = index;
    [...this.hints.children].forEach((row, i) => {
      row.classList.toggle("active", i === index);
      row.setAttribute("aria-selected", String(i === index));
      if (i === index) row.scrollIntoView({ block: "nearest" });
    });
    if (index >= 0) this.input.setAttribute("aria-activedescendant", `${this.hints.id}-${index}`);
    else this.input.removeAttribute("aria-activedescendant");
  }

  complete(item) {
    const caret = this.input.selectionStart;
    const start = caret - this.word.length;
    const rest = this.input.value.slice(caret).replace(/^ /, "");
    this.input.value = this.input.value.slice(0, start) + item.insert + rest;
    this.input.setSelectionRange(start + item.insert.length, start + item.insert.length);
    this.typed();
    this.input.focus();
  }

  key(event) {
    if (event.isComposing || event.altKey || event.ctrlKey || event.metaKey) return;
    const item = this.items[this.picked];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (this.items.length && step) this.pick(nextOf(this.items.length, this.picked, step));
    else if (
      item &&
      ((event.key === "Tab" && !event.shiftKey) ||
        (event.key === "Enter" && !event.shiftKey && this.word !== item.exact))
    )
      this.complete(item);
    else if (this.items.length && event.key === "Escape") this.hideHints();
    else if (event.key === "Enter" && !event.shiftKey) this.node.requestSubmit();
    else if (step && this.recall(step)) this.hideHints();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Up and Down walk through what was sent, from an empty field or from a recalled text. */
  recall(step) {
    const sent = recallSent();
    const fresh = this.recalled < 0 || this.input.value !== sent[this.recalled];
    if (fresh && (this.input.value !== "" || step > 0)) return false;
    const next = fresh ? sent.length - 1 : this.recalled + step;
    if (next < 0 || (fresh && !sent.length)) return next < 0 && !fresh;
    this.recalled = next >= sent.length ? -1 : next;
    this.fill(sent[next] ?? "");
    return true;
  }

  submit(event) {
    event.preventDefault();
    const text = this.input.value.trimEnd();
    if (!text.trim()) return;
    if (text.startsWith("/") && this.target.thread_ts) {
      toast("Commands do not work in threads. Type it in the channel instead.");
      return;
    }
    rememberSent(text);
    clearErrors();
    this.fill("");
    this.send(text, this.target, this.key_);
  }

  async send(text, { channel, thread_ts: thread = null }, key) {
    const kind = text.startsWith("/") ? "command" : "message";
    const pending = addPending({ kind, channel, thread_ts: thread, text });
    const body = { user: store.me, channel, text };
    try {
      const answer = await post(kind, thread ? { ...body, thread_ts: thread } : body);
      if (kind === "message") acceptPending(pending, answer.ts);
      else dropPending(pending);
    } catch (error) {
      dropPending(pending);
      toast(error.message);
      if (!drafts.get(key)) drafts.set(key, text);
      if (key === this.key_ && this.input.value === "") this.fill(text);
    }
  }
}
