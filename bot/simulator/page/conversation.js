/** The middle of the page: a conversation's heading, its messages and composer, or the app's Home. */

import { Composer } from "./composer.js";
import { fragment, h, icon, mark } from "./dom.js";
import { avatar } from "./avatar.js";
import { HomeTab } from "./home.js";
import { mrkdwn } from "./mrkdwn.js";
import { go, place } from "./place.js";
import { channelName, on, personName, store, timeline } from "./store.js";
import { Timeline } from "./timeline.js";
import { markRead, readUpTo } from "./unread.js";

export class Conversation {
  constructor(root) {
    this.root = root;
    this.head = h("header", { class: "pane-head" });
    this.composer = new Composer();
    this.closedNote = h("p", { class: "closed-note" });
    this.foot = h("div", { class: "pane-foot" }, this.composer.node, this.closedNote);
    this.home = new HomeTab();
    this.body = h("div", { class: "pane-body" });
    root.append(this.head, this.body, this.foot);
    on("reset place channels", () => this.draw());
    on("messages unread", () => this.drawMessages());
    document.addEventListener("visibilitychange", () => this.read());
  }

  get channel() {
    return store.channels.get(place.channel) ?? null;
  }

  draw() {
    const { channel } = this;
    if (!channel) {
      this.head.replaceChildren(h("h1", {}, "No conversation"));
      this.body.replaceChildren(h("div", { class: "empty" }, "There is no channel that this person can see."));
      this.foot.hidden = true;
      return;
    }
    const atHome = place.tab === "home";
    this.drawHead(channel, atHome);
    this.foot.hidden = atHome;
    this.aim(channel);
    if (atHome) {
      this.body.replaceChildren(this.home.node);
      this.home.open();
      this.shown = null;
      return;
    }
    const key = `${store.me}/${channel.id}`;
    if (this.shown !== key) this.enter(channel, key);
    else this.drawMessages();
  }

  /** Another conversation: a new list, with the new messages marked as they were when the person came. */
  enter(channel, key) {
    this.shown = key;
    const read = Number(readUpTo(channel.id));
    const isNew = (message) => Number(message.ts) > read && message.user !== store.me;
    this.newTs = read ? (timeline(channel.id).find(isNew)?.ts ?? null) : null;
    this.timeline = new Timeline({ label: `Messages in ${channelName(channel)}`, onRead: () => this.read() });
    this.body.replaceChildren(this.timeline.frame);
    this.drawMessages();
    if (matchMedia("(hover: hover) and (min-width: 760px)").matches && !document.querySelector("dialog[open]"))
      this.composer.input.focus({ preventScroll: true });
  }

  drawHead(channel, atHome) {
    const sign =
      channel.kind === "dm" ? avatar(channel.user, "small") : icon(channel.kind === "private" ? "lock" : "hash");
    const count = channel.members.length;
    const about = channel.kind === "dm" ? store.people.get(channel.user)?.title : channel.topic;
    const members =
      channel.kind === "dm"
        ? null
        : h(
            "span",
            { class: "members", title: channel.members.map(personName).join(", ") },
            count === 1 ? "1 member" : `${count} members`,
          );
    const title = h("h1", { "aria-label": channelName(channel) }, sign, h("span", {}, channel.name));
    this.head.replaceChildren(
      h("div", { class: "pane-title" }, title, about && h("p", { class: "topic" }, mrkdwn(about))),
      members ?? "",
      this.tabs(channel, atHome) ?? "",
    );
  }

  tabs(channel, atHome) {
    if (channel.user !== store.app.user_id || store.app.home_tab === false) return null;
    const tab = (name, text, selected) =>
      h(
        "button",
        { type: "button", role: "tab", "aria-selected": String(selected), onclick: () => go({ tab: name }) },
        text,
      );
    return h(
      "div",
      { class: "tabs", role: "tablist", "aria-label": store.app.name },
      tab("home", "Home", atHome),
      tab("messages", "Messages", !atHome),
    );
  }

  aim(channel) {
    const closed = this.whyClosed(channel);
    this.composer.node.hidden = Boolean(closed);
    this.closedNote.hidden = !closed;
    this.closedNote.textContent = closed ?? "";
    const label = channel.kind === "dm" ? `Message ${channel.name}` : `Message #${channel.name}`;
    const first = store.app.commands?.[0]?.command;
    this.composer.aim({ channel: channel.id, label, placeholder: first ? `${label}, or ${first} …` : label });
  }

  /** Why nothing can be written here, in a sentence; null where it can. */
  whyClosed(channel) {
    if (channel.is_archived) return `${channelName(channel)} is archived.`;
    if (!channel.is_member)
      return `${personName(store.me)} is not a member of ${channelName(channel)}, and can only read it.`;
    if (channel.user === store.app.user_id && store.app.writable === false)
      return `${store.app.name} takes no messages here. Type its commands in a channel.`;
    return null;
  }

  drawMessages() {
    const { channel } = this;
    if (!channel || place.tab === "home" || !this.timeline) return;
    const pending = store.pending.filter((one) => one.channel === channel.id && !one.thread_ts);
    this.timeline.show(timeline(channel.id), pending, { empty: this.welcome(channel), newTs: this.newTs });
    this.read();
  }

  welcome(channel) {
    const command = store.app.commands?.[0];
    const hint = command && fragment("Type ", h("code", {}, `${command.command} ${command.usage_hint}`), " to begin.");
    return fragment(
      channel.user === store.app.user_id ? mark() : null,
      h("p", { class: "empty-title" }, `This is the beginning of ${channelName(channel)}.`),
      h("p", {}, hint ?? "Nothing has been said here yet."),
      command && channel.kind !== "dm" && this.whyClosed(channel) === null && this.toTry(),
    );
  }

  /** What can be typed to see something; choosing one writes it, and leaves sending it to the person. */
  toTry() {
    if (!store.suggestions.length) return null;
    const write = (text) => {
      this.composer.fill(text);
      this.composer.input.focus();
    };
    const item = ({ text, note }) =>
      h(
        "li",
        {},
        h("button", { type: "button", class: "suggestion", onclick: () => write(text) }, h("code", {}, text)),
        h("span", {}, note),
      );
    return h("ul", { class: "suggestions", "aria-label": "To try" }, store.suggestions.map(item));
  }

  /** What is on the screen at the end of the list has been read. */
  read() {
    const { channel } = this;
    if (!channel || place.tab === "home" || document.hidden || !this.timeline?.stick) return;
    const last = [...(store.messages.get(channel.id)?.values() ?? [])]
      .filter((message) => !message.thread_ts || message.thread_ts === message.ts || message.broadcast)
      .at(-1);
    if (last) markRead(channel.id, null, last.ts);
  }
}
