/**
 * Where the person is: who they are, which conversation, which thread, which tab. The one rule: the address bar says it
 * all, so that a reload, a bookmark and the back button keep it.
 */

import { appChannel, changed, store } from "./store.js";

const USER_KEY = "simulator.user";
const lastKey = () => `simulator.channel.${store.me}`;

export const place = { user: null, channel: null, thread: null, tab: "messages", ts: null };

/** Read the address bar, a permalink too; the person is remembered from the last visit if it does not name one. */
export function readPlace() {
  const query = new URLSearchParams(location.search);
  place.user = query.get("user") ?? recall(USER_KEY);
  place.channel = query.get("channel");
  place.thread = query.get("thread");
  place.tab = query.get("tab") === "home" ? "home" : "messages";
  const linked = permalink(location);
  place.ts = null;
  if (linked) Object.assign(place, linked);
}

/** {channel, thread, ts} of a message's permalink (`/archives/C…/p…`), or null. */
export function permalink(url) {
  const [, channel, digits] = url.pathname.match(/^\/archives\/(\w+)\/p(\d{16})$/) ?? [];
  if (!channel) return null;
  const ts = `${digits.slice(0, 10)}.${digits.slice(10)}`;
  return { channel, thread: new URLSearchParams(url.search).get("thread_ts"), ts };
}

/** The address of a place, for links. */
export function address({ channel, thread = null, tab = "messages" }) {
  const query = new URLSearchParams({ user: place.user ?? store.me ?? "" });
  if (channel) query.set("channel", channel);
  if (thread) query.set("thread", thread);
  if (tab === "home") query.set("tab", tab);
  return `/?${query}`;
}

/** Go to a conversation, thread or tab. */
export function go({ channel = place.channel, thread = null, tab = "messages" }) {
  if (channel === place.channel && thread === place.thread && tab === place.tab) return changed("place");
  Object.assign(place, { channel, thread, tab });
  history.pushState(null, "", address(place));
  remember(lastKey(), channel ?? "");
  return changed("place");
}

/** After a state came: keep to what this person can see, else the conversation they were in last, else the first. */
export function settlePlace() {
  place.user = store.me;
  remember(USER_KEY, store.me);
  if (!store.channels.has(place.channel)) {
    const last = recall(lastKey());
    Object.assign(place, { channel: store.channels.has(last) ? last : firstChannel(), thread: null, tab: "messages" });
  }
  if (place.thread && !store.messages.get(place.channel)?.has(place.thread)) place.thread = null;
  if (place.tab === "home" && place.channel !== (appChannel()?.id ?? null)) place.tab = "messages";
  history.replaceState(null, "", address(place));
  changed("place");
}

function firstChannel() {
  const all = [...store.channels.values()];
  return (all.find((channel) => channel.is_member && channel.kind !== "dm") ?? all[0])?.id ?? null;
}

function remember(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Storage is full or forbidden: the address bar still holds it.
  }
}

function recall(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}
