/**
 * Which messages the person has not seen. The one rule: reading is this browser's memory (localStorage), by person; the
 * server does not know of it.
 */

import { changed, isReply, mentionsMe, now, store } from "./store.js";

const key = () => `simulator.read.${store.team.id}.${store.me}`;

function marks() {
  try {
    return JSON.parse(localStorage.getItem(key())) ?? {};
  } catch {
    return {};
  }
}

/** The ts up to which a channel, or a thread in it, has been read. A mark beyond now is from an earlier workspace. */
export function readUpTo(channel, thread = null) {
  const mark = marks()[thread ? `${channel}/${thread}` : channel] ?? "0";
  return Number(mark) * 1000 > now() + 1000 ? "0" : mark;
}

/** Remember that everything up to `ts` has been read. */
export function markRead(channel, thread, ts) {
  if (Number(readUpTo(channel, thread)) >= Number(ts)) return;
  const all = marks();
  all[thread ? `${channel}/${thread}` : channel] = ts;
  try {
    localStorage.setItem(key(), JSON.stringify(all));
  } catch {
    return; // storage is full or forbidden: unread marks then last as long as the page
  }
  changed("unread");
}

/** {count, calls}: unread messages of a channel, and how many of them want this person in particular. */
export function unread(channel) {
  const all = marks();
  const limit = Number(readUpTo(channel.id));
  let count = 0;
  let calls = 0;
  for (const message of store.messages.get(channel.id)?.values() ?? []) {
    if (message.user === store.me) continue;
    const reply = isReply(message) && !message.broadcast;
    const call = channel.kind === "dm" || mentionsMe(message.text);
    if (reply && !call) continue;
    const mark = reply ? Math.max(limit, Number(all[`${channel.id}/${message.thread_ts}`] ?? "0")) : limit;
    if (Number(message.ts) <= mark) continue;
    count += 1;
    if (call || message.ephemeral) calls += 1;
  }
  return { count, calls };
}
