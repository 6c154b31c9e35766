/**
 * What the person sees, as the server last told it. The one rule: only `load` and `apply` change what came from the
 * server; the parts of the page listen for names of what changed and draw anew.
 *
 * Names: "reset" (everything), "messages", "views", "home", "channels", "clock", "chaos", "app", "status", "unread".
 */

import { batched } from "./dom.js";

const listeners = new Map();
const waiting = new Set();
let clockBase = { now: 0, at: 0 };
let pace = 1;
let nextPending = 0;

export const store = {
  ready: false,
  connected: true,
  me: null,
  team: { name: "" },
  teams: [],
  app: { user_id: "", name: "", connected: false, commands: [] },
  suggestions: [],
  /** {on, seed, happened, last}, or null where the simulator offers none */
  chaos: null,
  people: new Map(),
  groups: new Map(),
  channels: new Map(),
  /** channel id → Map of ts → message */
  messages: new Map(),
  views: [],
  home: null,
  /** What the person sent and the server has not shown yet: {id, kind, channel, thread_ts, text, at, ts} */
  pending: [],
};

/** Call `listener` soon after any of `names` changed, at most once for changes made together. */
export function on(names, listener) {
  const soon = batched(listener);
  for (const name of names.split(" ")) {
    if (!listeners.has(name)) listeners.set(name, new Set());
    listeners.get(name).add(soon);
  }
}

/** Call `listener(message)` at once for each message that is posted while the page is open. */
export function onPosted(listener) {
  waiting.add(listener);
}

/** Tell the listeners of these names. */
export function changed(...names) {
  for (const name of names) for (const listener of listeners.get(name) ?? []) listener();
}

/** The simulator's clock, in epoch ms. */
export function now() {
  return Math.round(clockBase.now + (performance.now() - clockBase.at) * pace);
}

function setClock(ms) {
  if (typeof ms === "number") clockBase = { now: ms, at: performance.now() };
}

/** Replace everything by a state from the server. */
export function load(state) {
  pace = state.pace ?? 1;
  setClock(state.now);
  store.me = state.me;
  store.team = state.team;
  store.teams = state.teams;
  store.app = state.app;
  store.suggestions = state.suggestions;
  store.chaos = state.chaos;
  store.people = byId(state.people);
  store.groups = byId(state.groups);
  store.channels = byId(state.channels);
  store.messages = new Map();
  for (const [channel, list] of Object.entries(state.messages)) {
    store.messages.set(channel, new Map(list.map((message) => [message.ts, message])));
  }
  store.views = state.views;
  store.home = state.home;
  store.pending = [];
  store.ready = true;
  changed("reset");
}

const byId = (list) => new Map(list.map((item) => [item.id, item]));

const CHANGES = {
  "message.posted"({ channel, message }) {
    const before = messagesOf(channel).has(message.ts);
    messagesOf(channel).set(message.ts, message);
    settlePending(message);
    changed("messages", "unread");
    if (!before) for (const listener of waiting) listener(message);
  },
  "message.updated"({ channel, message }) {
    messagesOf(channel).set(message.ts, message);
    changed("messages");
  },
  "message.deleted"({ channel, ts }) {
    messagesOf(channel).delete(ts);
    changed("messages", "unread");
  },
  "view.opened": ({ views }) => setViews(views),
  "view.updated": ({ views }) => setViews(views),
  "view.closed": ({ views }) => setViews(views),
  "home.published"({ view }) {
    store.home = view;
    changed("home");
  },
  "channel.opened"({ channel }) {
    store.channels.set(channel.id, channel);
    changed("channels");
  },
  "person.changed"({ person }) {
    store.people.set(person.id, person);
    changed("channels", "messages");
  },
  "group.changed"({ group }) {
    store.groups.set(group.id, group);
    changed("messages", "unread");
  },
  "clock.moved": () => changed("clock"),
  "chaos.changed"({ chaos }) {
    store.chaos = chaos;
    changed("chaos");
  },
  "app.connection"({ connected, connections }) {
    store.app = { ...store.app, connected, connections };
    changed("app");
  },
};

/** Apply one frame of the server's events; types that this page does not know only set the clock. */
export function apply(frame) {
  setClock(frame.now);
  CHANGES[frame.type]?.(frame);
}

function messagesOf(channel) {
  if (!store.messages.has(channel)) store.messages.set(channel, new Map());
  return store.messages.get(channel);
}

/** Replace the stack of modals, bottom first. */
export function setViews(views) {
  store.views = views;
  changed("views");
}

export function setConnected(connected) {
  if (store.connected === connected) return;
  store.connected = connected;
  changed("status");
}

/** Show something as on its way; returns its entry, to be handed to `dropPending`. */
export function addPending(entry) {
  nextPending += 1;
  const pending = { ...entry, id: `pending-${nextPending}`, at: now(), ts: null };
  store.pending.push(pending);
  changed("messages");
  return pending;
}

export function dropPending(pending) {
  store.pending = store.pending.filter((one) => one !== pending);
  changed("messages");
}

/** The server took a message as `ts`; it stops being pending once that message is here. */
export function acceptPending(pending, ts) {
  pending.ts = ts;
  if (messagesOf(pending.channel).has(ts)) dropPending(pending);
}

/** A message of the person's own may arrive before the answer that names it: the oldest one on its way is that one. */
function settlePending(message) {
  if (message.user !== store.me || message.ephemeral) return;
  const thread = message.thread_ts && message.thread_ts !== message.ts ? message.thread_ts : null;
  const same = store.pending.filter(
    (p) => p.kind === "message" && p.channel === message.channel && p.thread_ts === thread,
  );
  const settled = same.find((p) => p.ts === message.ts) ?? same.find((p) => p.ts === null);
  if (settled) dropPending(settled);
}

export const isReply = (message) => Boolean(message.thread_ts) && message.thread_ts !== message.ts;

/** What a channel's timeline shows: roots and broadcast replies, oldest first. */
export function timeline(channel) {
  const all = [...(store.messages.get(channel)?.values() ?? [])];
  return inOrder(all.filter((message) => !isReply(message) || message.broadcast));
}

/** Root and replies of a thread, oldest first; the root may be missing. */
export function thread(channel, root) {
  const all = [...(store.messages.get(channel)?.values() ?? [])];
  return inOrder(all.filter((message) => message.ts === root || message.thread_ts === root));
}

const inOrder = (messages) => messages.sort((a, b) => Number(a.ts) - Number(b.ts));

export const me = () => store.people.get(store.me);
export const myZone = () => me()?.tz ?? "UTC";

/** The name a person is shown by. */
export function personName(id) {
  const person = store.people.get(id);
  return person ? person.real_name || person.display_name || person.name : id;
}

/** "#releases" or the other side's name. */
export function channelName(channel) {
  return channel.kind === "dm" ? channel.name : `#${channel.name}`;
}

/** The DM with the app, if there is one. */
export function appChannel() {
  return (
    [...store.channels.values()].find((channel) => channel.kind === "dm" && channel.user === store.app.user_id) ?? null
  );
}

/** Does the text call this person: by name, by a group, or everybody? */
export function mentionsMe(text) {
  if (/<!(here|channel|everyone)/.test(text) || text.includes(`<@${store.me}`)) return true;
  for (const [, id] of text.matchAll(/<!subteam\^(\w+)/g)) {
    if (store.groups.get(id)?.users.includes(store.me)) return true;
  }
  return false;
}
