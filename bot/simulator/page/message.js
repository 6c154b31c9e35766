/**
 * One message → an article. The one rule: it is drawn from the message alone; what was typed into its elements lives in
 * its surface and survives every redraw.
 */

import { avatar } from "./avatar.js";
import { blockList } from "./blocks.js";
import { clockTime } from "./dates.js";
import { append, h, icon, keepingFocus } from "./dom.js";
import { emoji } from "./emoji.js";
import { fileList } from "./files.js";
import { mrkdwn, timeNode } from "./mrkdwn.js";
import { go } from "./place.js";
import { messageShortcuts } from "./shortcuts.js";
import { isReply, myZone, personName, store } from "./store.js";
import { Surface } from "./surface.js";
import { readUpTo } from "./unread.js";

const NOTICES = new Set([
  "channel_join",
  "channel_leave",
  "channel_topic",
  "channel_purpose",
  "channel_name",
  "channel_archive",
]);

export class MessageView {
  /** `inThread` says where it is shown: a thread offers no way into itself. */
  constructor(message, { inThread }) {
    this.inThread = inThread;
    this.surface = new Surface({
      address: { channel: message.channel, ts: message.ts },
      inMessage: true,
      redraw: () => this.draw(),
    });
    this.node = h("article", { class: "message", tabindex: "-1", dataset: { ts: message.ts } });
    this.surface.root = this.node;
    this.message = null;
  }

  /** Draw it if it is not as given; `compact` leaves out the face and name, the message above has them. */
  update(message, compact) {
    const moved = this.readMark !== undefined && this.readMark !== readUpTo(message.channel, message.ts);
    if (message === this.message && compact === this.compact && !moved) return;
    this.message = message;
    this.compact = compact;
    this.draw();
  }

  draw() {
    const { message } = this;
    this.surface.blocks = message.blocks;
    this.surface.form.keepOnly(message.blocks);
    const name = message.username || personName(message.user);
    this.node.className = [
      "message",
      this.compact && "compact",
      message.ephemeral && "ephemeral",
      NOTICES.has(message.subtype) && "notice-message",
    ]
      .filter(Boolean)
      .join(" ");
    this.node.setAttribute(
      "aria-label",
      `${name}, ${clockTime(message.at, myZone())}${message.ephemeral ? ", only visible to you" : ""}`,
    );
    keepingFocus(this.node, () => this.node.replaceChildren(this.gutter(), this.main(name), ...this.tools()));
  }

  gutter() {
    const at = h("span", { class: "compact-time", "aria-hidden": "true" }, timeNode("{time}", this.message.at));
    return h("div", { class: "gutter" }, this.compact ? at : avatar(this.message.user));
  }

  main(name) {
    const { message } = this;
    const head = h(
      "div",
      { class: this.compact ? "message-head visually-hidden" : "message-head" },
      h("span", { class: "author" }, name),
      message.is_bot && h("span", { class: "badge" }, "app"),
      h("span", { class: "at" }, timeNode("{time}", message.at)),
    );
    return h(
      "div",
      { class: "message-main" },
      message.ephemeral && h("div", { class: "private-mark" }, icon("eye"), "Only visible to you"),
      head,
      this.broadcastMark(),
      this.content(),
      fileList(message.files),
      this.reactions(),
      this.threadBar(),
    );
  }

  content() {
    const { message } = this;
    const edited = message.edited && h("span", { class: "edited" }, " (edited)");
    if (message.subtype === "tombstone")
      return h("div", { class: "content text tombstone" }, "This message was deleted.");
    if (!message.blocks.length && !message.text) return null;
    if (!message.blocks.length) return h("div", { class: "content text" }, mrkdwn(message.text), edited);
    return append(h("div", { class: "content" }), blockList(this.surface, message.blocks), edited);
  }

  broadcastMark() {
    const { message } = this;
    if (!message.broadcast || this.inThread || !isReply(message)) return null;
    return h(
      "button",
      { type: "button", class: "link-button", onclick: () => go({ thread: message.thread_ts }) },
      "replied to a thread",
    );
  }

  reactions() {
    const { reactions } = this.message;
    if (!reactions?.length) return null;
    const one = ({ name, count, users }) =>
      h(
        "li",
        {
          class: users.includes(store.me) ? "reaction mine" : "reaction",
          title: users.map(personName).join(", "),
          "aria-label": `${name.replaceAll("_", " ")}: ${users.map(personName).join(", ")}`,
        },
        h("span", { class: "emoji" }, emoji(name) ?? `:${name}:`),
        h("span", {}, String(count)),
      );
    return h("ul", { class: "reactions", "aria-label": "Reactions" }, reactions.map(one));
  }

  threadBar() {
    const { message } = this;
    this.readMark = undefined;
    if (this.inThread || !message.reply_count) return null;
    this.readMark = readUpTo(message.channel, message.ts);
    const fresh = Number(message.latest_reply) > Number(this.readMark);
    const words = message.reply_count === 1 ? "1 reply" : `${message.reply_count} replies`;
    return h(
      "button",
      {
        type: "button",
        class: fresh ? "thread-bar fresh" : "thread-bar",
        dataset: { focusKey: "thread" },
        onclick: () => go({ thread: message.ts }),
      },
      h(
        "span",
        { class: "faces" },
        message.reply_users.slice(0, 4).map((user) => avatar(user, "small")),
      ),
      h("span", { class: "thread-count" }, words),
      fresh && h("span", { class: "fresh-mark" }, "new"),
      h(
        "span",
        { class: "thread-last" },
        "last ",
        timeNode("{date_short_pretty} at {time}", Number(message.latest_reply) * 1000),
      ),
    );
  }

  tools() {
    const { message } = this;
    if (message.ephemeral || message.subtype === "tombstone") return [];
    const reply =
      !this.inThread &&
      !isReply(message) &&
      h(
        "button",
        {
          type: "button",
          class: "icon-button",
          "aria-label": "Reply in thread",
          title: "Reply in thread",
          dataset: { focusKey: "reply" },
          onclick: () => go({ thread: message.ts }),
        },
        icon("thread"),
      );
    const more = messageShortcuts(message);
    return reply || more ? [h("div", { class: "message-tools" }, reply, more)] : [];
  }
}

/** What is on its way to the server, at the foot of a timeline. */
export function pendingNode(pending) {
  const words =
    pending.kind === "command"
      ? h("div", { class: "content text" }, h("code", {}, pending.text))
      : h("div", { class: "content text" }, pending.text);
  const state = pending.kind === "command" ? `Waiting for ${store.app.name} to answer…` : "Sending…";
  return h(
    "div",
    { class: "message pending", dataset: { pending: pending.id } },
    h("div", { class: "gutter" }, avatar(store.me)),
    h(
      "div",
      { class: "message-main" },
      h(
        "div",
        { class: "message-head" },
        h("span", { class: "author" }, personName(store.me)),
        h("span", { class: "at" }, state),
      ),
      words,
    ),
  );
}
