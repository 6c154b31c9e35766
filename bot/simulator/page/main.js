/**
 * The page of the Slack simulator: puts its parts together and follows one person at a time.
 *
 * Server → `api` → `store` → the parts, which draw what changed; a part never changes what another shows, except by way
 * of `store` and `place`.
 */

import { ApiError, follow, loadState } from "./api.js";
import { Conversation } from "./conversation.js";
import { information } from "./dialogs.js";
import { h } from "./dom.js";
import { Modals } from "./modal.js";
import { mrkdwn } from "./mrkdwn.js";
import { go, permalink, place, readPlace, settlePlace } from "./place.js";
import { Sidebar } from "./sidebar.js";
import { apply, changed, channelName, isReply, load, on, onPosted, personName, setConnected, store } from "./store.js";
import { ThreadPanel } from "./threadpanel.js";
import { announce, toast } from "./toasts.js";
import { Topbar } from "./topbar.js";

const KEYS = [
  ["Enter", "send"],
  ["Shift + Enter", "new line"],
  ["↑ in an empty field", "what you sent before"],
  ["/", "commands"],
  ["@", "people and groups"],
  ["Alt + ↑ ↓", "next conversation"],
  ["F6", "next part of the page"],
  ["↑ ↓ in the messages", "next message"],
  ["Enter on a message", "its thread"],
  ["Esc", "close the thread or form"],
];
const byId = (id) => document.getElementById(id);
let stop = () => {};

/** Become this person: what was shown of the other is replaced as soon as the new state is here, unless `known` is it. */
function become(user, known = null) {
  stop();
  stop = follow(user, {
    known,
    onState: (state) => {
      load(state);
      settlePlace();
    },
    onChange: apply,
    onStatus: (connected) => {
      setConnected(connected);
      if (connected) byId("conversation").removeAttribute("aria-busy");
    },
  });
}

async function begin() {
  readPlace();
  let first;
  try {
    first = await loadState(place.user);
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== "user_not_found") return retryLater(error);
    first = await loadState(null).catch(retryLater);
  }
  if (!first) return undefined;
  load(first);
  settlePlace();
  if (place.ts) reveal(place.ts);
  return become(first.me, first.rev);
}

function retryLater(error) {
  setConnected(false);
  byId("notice").textContent = error.message;
  setTimeout(begin, 1500);
}

function drawNotice() {
  const notice = byId("notice");
  const { app } = store;
  const text = !store.connected
    ? "The connection to the simulator is lost. Trying again…"
    : app.installed === false
      ? `${app.name} is not installed in ${store.team.name}: it can be used here once it is.`
      : !app.connected
        ? `${app.name} is not connected: commands and buttons will not be answered until it is.`
        : "";
  notice.hidden = !text;
  notice.textContent = text;
}

function toggleDrawer(open) {
  const leaving = !open && byId("sidebar").contains(document.activeElement) && topbar.menu.checkVisibility();
  document.body.classList.toggle("drawer-open", open);
  if (leaving) topbar.menu.focus();
  topbar.menu.setAttribute("aria-expanded", String(open));
  if (open) byId("sidebar").querySelector("button, a")?.focus();
}

function speak(message) {
  if (message.user === store.me && !message.ephemeral) return;
  const here =
    message.channel === place.channel && (!isReply(message) || message.broadcast || message.thread_ts === place.thread);
  const where = here
    ? ""
    : ` in ${channelName(store.channels.get(message.channel) ?? { kind: "channel", name: "another channel" })}`;
  announce(`${message.username || personName(message.user)}${where}: ${mrkdwn(message.text).textContent}`);
}

function nextPart(back) {
  const parts = [
    byId("topbar").querySelector("button:not(.menu-button, [hidden] *)"),
    byId("sidebar").querySelector("[aria-current], button"),
    document.querySelector("#conversation .log, #conversation .home"),
    document.querySelector("#conversation textarea"),
    document.querySelector("#thread:not([hidden]) textarea"),
  ];
  const able = parts.filter((part) => part && part.checkVisibility());
  const at = able.findIndex(
    (part) =>
      part.closest("#topbar, #sidebar, .log, .home, form") ===
      document.activeElement?.closest("#topbar, #sidebar, .log, .home, form"),
  );
  able[(at + (back ? -1 : 1) + able.length) % able.length]?.focus();
}

/** Scroll to a message and give it the focus, once it has been drawn. */
function reveal(ts) {
  setTimeout(() => {
    const article = [...document.querySelectorAll(`article[data-ts="${CSS.escape(ts)}"]`)].at(-1);
    article?.scrollIntoView({ block: "center" });
    article?.focus({ preventScroll: true });
  });
}

function help() {
  information(
    "Keyboard shortcuts",
    h(
      "dl",
      { class: "keys" },
      KEYS.map(([key, what]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)]),
    ),
  );
}

function globalKey(event) {
  if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
  const typing = event.target.closest?.("input, textarea, select");
  if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown"))
    sidebar.step(event.key === "ArrowUp" ? -1 : 1);
  else if (event.key === "F6") nextPart(event.shiftKey);
  else if (event.key === "?" && !typing) help();
  else if (event.key === "Escape" && document.body.classList.contains("drawer-open")) toggleDrawer(false);
  else return;
  event.preventDefault();
}

const topbar = new Topbar(byId("topbar"), {
  onMenu: () => toggleDrawer(!document.body.classList.contains("drawer-open")),
  onHelp: help,
});
const sidebar = new Sidebar(byId("sidebar"), {
  onPerson: (id) => {
    toggleDrawer(false);
    place.user = id;
    place.thread = null;
    become(id);
  },
});
new Conversation(byId("conversation"));
new ThreadPanel(byId("thread"));
new Modals();

on("app status reset", drawNotice);
on("place", () => toggleDrawer(false));
onPosted(speak);
addEventListener("popstate", () => {
  const before = place.user;
  readPlace();
  if (place.user !== before) become(place.user);
  else changed("place");
});
document.addEventListener("keydown", globalKey);
document.addEventListener("pointerdown", (event) => {
  if (document.body.classList.contains("drawer-open") && !event.target.closest("#sidebar, .menu-button"))
    toggleDrawer(false);
});
document.addEventListener("click", (event) => {
  const anchor = event.target.closest?.("a[href]");
  if (!anchor) return;
  const linked = anchor.origin === location.origin ? permalink(anchor) : null;
  const channel = linked?.channel ?? anchor.dataset.channel;
  if (!store.channels.has(channel)) return;
  event.preventDefault();
  go({ channel, thread: linked?.thread ?? null });
  if (linked) reveal(linked.ts);
});
addEventListener("unhandledrejection", (event) => toast(`The page stumbled: ${event.reason?.message ?? event.reason}`));
begin();
