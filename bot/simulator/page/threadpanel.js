/** The thread beside the conversation (over it on narrow screens). The one rule: closing it gives the focus back. */

import { Composer } from "./composer.js";
import { h, icon } from "./dom.js";
import { go, place } from "./place.js";
import { channelName, on, store, thread } from "./store.js";
import { Timeline } from "./timeline.js";
import { markRead } from "./unread.js";

export class ThreadPanel {
  constructor(root) {
    this.root = root;
    this.where = h("span", { class: "topic" });
    const close = h(
      "button",
      { type: "button", class: "icon-button", "aria-label": "Close thread", onclick: () => this.close() },
      icon("close"),
    );
    this.composer = new Composer();
    this.body = h("div", { class: "pane-body" });
    this.foot = h("div", { class: "pane-foot" }, this.composer.node);
    root.append(
      h("header", { class: "pane-head" }, h("div", { class: "pane-title" }, h("h2", {}, "Thread"), this.where), close),
      this.body,
      this.foot,
    );
    root.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.defaultPrevented) return;
      event.preventDefault();
      this.close();
    });
    on("reset place channels", () => this.draw());
    on("messages", () => this.drawMessages());
    document.addEventListener("visibilitychange", () => this.read());
  }

  close() {
    const root = place.thread;
    go({ thread: null });
    // The panel is hidden in the next turn; the message that it belonged to then takes the focus.
    setTimeout(() => {
      const article = document.querySelector(`#conversation article[data-ts="${CSS.escape(root ?? "")}"]`);
      (article?.querySelector(".thread-bar") ?? article ?? document.querySelector("#conversation textarea"))?.focus();
    });
  }

  draw() {
    const channel = store.channels.get(place.channel);
    const open = Boolean(channel && place.thread);
    this.root.hidden = !open;
    document.body.classList.toggle("with-thread", open);
    if (!open) {
      this.shown = null;
      return;
    }
    this.where.textContent = channelName(channel);
    this.foot.hidden = !channel.is_member || channel.is_archived;
    this.composer.aim({
      channel: channel.id,
      thread_ts: place.thread,
      label: "Reply in thread",
      placeholder: "Reply…",
    });
    const key = `${store.me}/${channel.id}/${place.thread}`;
    if (this.shown === key) return this.drawMessages();
    this.shown = key;
    this.timeline = new Timeline({
      label: `Thread in ${channelName(channel)}`,
      inThread: true,
      onRead: () => this.read(),
    });
    this.body.replaceChildren(this.timeline.frame);
    this.drawMessages();
    if (document.querySelector("dialog[open]")) return undefined;
    // On a touch screen the keyboard would cover half of the thread, so the list takes the focus there.
    const target = matchMedia("(hover: hover)").matches && !this.foot.hidden ? this.composer.input : this.timeline.node;
    target.focus({ preventScroll: true });
    return undefined;
  }

  drawMessages() {
    if (this.root.hidden || !this.timeline) return;
    const pending = store.pending.filter((one) => one.channel === place.channel && one.thread_ts === place.thread);
    this.timeline.show(thread(place.channel, place.thread), pending, {
      empty: "This thread is empty: its message was deleted.",
    });
    this.read();
  }

  read() {
    if (this.root.hidden || document.hidden || !this.timeline?.stick || !place.thread) return;
    const last = thread(place.channel, place.thread).at(-1);
    if (last) markRead(place.channel, place.thread, last.ts);
  }
}
