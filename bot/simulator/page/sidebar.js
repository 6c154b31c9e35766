/** The side: who the person is, the conversations with what is unread, the app's state. */

import { avatar } from "./avatar.js";
import { clockTime } from "./dates.js";
import { append, fragment, h, icon, keepingFocus, mark } from "./dom.js";
import { address, go, place } from "./place.js";
import { menuButton } from "./popup.js";
import { appChannel, channelName, me, now, on, personName, store } from "./store.js";
import { unread } from "./unread.js";

export class Sidebar {
  /** `onPerson(id)` is called when somebody else is chosen. */
  constructor(root, { onPerson }) {
    this.root = root;
    this.onPerson = onPerson;
    this.identity = h("div", { class: "identity" });
    this.nav = h("nav", { class: "channels", "aria-label": "Conversations", tabindex: "-1" });
    this.foot = h("div", { class: "sidebar-foot" });
    root.append(this.identity, this.nav, this.foot);
    on("reset", () => this.drawIdentity());
    on("reset channels unread place messages", () => this.drawChannels());
    on("reset app status", () => this.drawFoot());
  }

  drawIdentity() {
    const person = me();
    const face = h("span", { class: "who" }, h("small", {}, "You are"), h("b", {}, personName(store.me)));
    const button = h(
      "button",
      { type: "button", class: "identity-button", dataset: { focusKey: "identity" } },
      avatar(store.me),
      face,
      icon("down"),
    );
    button.title = person?.title ?? "";
    keepingFocus(this.identity, () =>
      this.identity.replaceChildren(
        menuButton(button, () => this.people(), { label: "Choose who you are", wide: true }),
      ),
    );
  }

  people() {
    const real = [...store.people.values()].filter(
      (person) => !person.deleted && !person.is_bot && person.id !== "USLACKBOT",
    );
    return [...real.map((person) => this.asPerson(person)), ...this.elsewhere()];
  }

  /** Other workspaces that this server has, each by somebody who is there. */
  elsewhere() {
    return (store.teams ?? [])
      .filter((team) => team.id !== store.team.id)
      .map((team) => ({
        content: h("span", { class: "option-text" }, `${team.name} workspace`, h("small", {}, "another workspace")),
        name: `${team.name} workspace`,
        checked: false,
        choose: () => this.onPerson(team.user),
      }));
  }

  asPerson(person) {
    const roles = [
      person.title,
      person.is_admin && "admin",
      person.is_guest && !/guest/i.test(person.title) && "guest",
      clockTime(now(), person.tz),
    ].filter(Boolean);
    const words = h("span", { class: "option-text" }, personName(person.id), h("small", {}, roles.join(" · ")));
    return {
      content: fragment(avatar(person.id), words, icon("check")),
      name: personName(person.id),
      checked: person.id === store.me,
      choose: () => person.id !== store.me && this.onPerson(person.id),
    };
  }

  drawChannels() {
    const all = [...store.channels.values()].filter((channel) => !channel.is_archived || channel.id === place.channel);
    const byName = (a, b) => a.name.localeCompare(b.name);
    const app = appChannel();
    const rooms = all.filter((channel) => channel.kind !== "dm").sort(byName);
    const direct = all.filter((channel) => channel.kind === "dm" && channel !== app).sort(byName);
    const sections = [
      ["Channels", rooms],
      ["Direct messages", direct],
      ["Apps", app ? [app] : []],
    ].filter(([, list]) => list.length);
    keepingFocus(this.nav, () =>
      this.nav.replaceChildren(
        ...sections.map(([title, list]) =>
          h(
            "section",
            {},
            h("h2", {}, title),
            h(
              "ul",
              {},
              list.map((channel) => this.row(channel)),
            ),
          ),
        ),
      ),
    );
    const total = all.reduce((sum, channel) => sum + unread(channel).calls, 0);
    const here = store.channels.get(place.channel);
    document.title = `${total ? `(${total}) ` : ""}${here ? `${channelName(here)} · ` : ""}${store.team.name} workspace · simulator`;
  }

  row(channel) {
    const { count, calls } = unread(channel);
    const here = channel.id === place.channel;
    const sign =
      channel.kind === "dm" ? avatar(channel.user, "small") : icon(channel.kind === "private" ? "lock" : "hash");
    const news = count && !here ? h("span", { class: "visually-hidden" }, `, ${count} unread`) : null;
    const link = h(
      "a",
      {
        href: address({ channel: channel.id }),
        class: ["channel", count && !here && "unread", !channel.is_member && "outside"].filter(Boolean).join(" "),
        "aria-current": here ? "page" : null,
        dataset: { focusKey: channel.id },
        onclick: (event) => {
          if (event.metaKey || event.ctrlKey || event.shiftKey) return;
          event.preventDefault();
          document.body.classList.remove("drawer-open");
          go({ channel: channel.id });
        },
      },
      sign,
      h("span", { class: "channel-name" }, channel.name),
      news,
      calls && !here ? h("span", { class: "count", "aria-hidden": "true" }, String(calls)) : null,
    );
    return h("li", {}, link);
  }

  drawFoot() {
    const { app } = store;
    const state = !store.connected
      ? "Simulator unreachable"
      : app.installed === false
        ? `${app.name} is not installed here`
        : app.connected
          ? `${app.name} is connected`
          : `${app.name} is not connected`;
    const how =
      app.connected && app.mode ? ({ socket: "Socket Mode", http: "signed HTTP" }[app.mode] ?? app.mode) : null;
    const light = h("span", { class: store.connected && app.connected ? "light on" : "light", "aria-hidden": "true" });
    this.foot.replaceChildren(append(h("p", {}), light, h("span", {}, state, how && h("small", {}, how))));
  }

  /** The neighbour of the conversation that is open, for the keyboard. */
  step(by) {
    const rows = [...this.nav.querySelectorAll("a.channel")];
    const at = rows.findIndex((row) => row.getAttribute("aria-current") === "page");
    rows[(at + by + rows.length) % rows.length]?.click();
  }
}

/** The name of the workspace, for the top of the page. */
export function workspaceName() {
  return h(
    "p",
    { class: "workspace" },
    mark(),
    h("b", {}, `${store.team.name || "Acme"} workspace`),
    h("span", { class: "sim" }, "simulator"),
  );
}
