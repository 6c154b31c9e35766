/** What the composer offers while a word is typed: commands after `/`, people and groups after `@`, channels after `#`. */

import { avatar } from "./avatar.js";
import { h } from "./dom.js";
import { personName, store } from "./store.js";

const MOST = 8;

/** {word, items, hint}: the word at the caret, what could complete it, or the usage of the command being typed. */
export function hintsFor(text, caret, { commands }) {
  const before = text.slice(0, caret);
  if (commands && text.startsWith("/")) return commandHints(text, before);
  const word = before.match(/(?:^|\s)([@#][\p{L}\p{N}._-]*)$/u)?.[1];
  if (!word || word.length < 2) return { word: "", items: [], hint: null };
  const items =
    word[0] === "@" ? whoMatches(word.slice(1).toLowerCase()) : channelsMatching(word.slice(1).toLowerCase());
  return { word, items: items.slice(0, MOST), hint: null };
}

function commandHints(text, before) {
  const name = text.split(/\s/)[0];
  const commands = store.app.commands ?? [];
  if (!/\s/.test(before)) {
    const found = commands.filter(({ command }) => command.startsWith(name));
    return {
      word: name,
      hint: null,
      items: found.map(({ command, description, usage_hint: usage }) => ({
        insert: `${command} `,
        exact: command,
        title: command,
        detail: usage,
        note: description,
      })),
    };
  }
  const known = commands.find(({ command }) => command === name);
  return { word: "", items: [], hint: known ? `${known.command} ${known.usage_hint ?? ""}` : null };
}

function whoMatches(query) {
  const people = [...store.people.values()].filter((person) => !person.deleted && person.id !== "USLACKBOT");
  const fits = (...names) =>
    names.some((name) =>
      name
        ?.toLowerCase()
        .split(/\s+/)
        .some((part) => part.startsWith(query)),
    );
  const found = people
    .filter((person) => fits(person.name, person.real_name))
    .map((person) => ({
      insert: `@${person.name} `,
      exact: `@${person.name}`,
      title: personName(person.id),
      detail: `@${person.name}`,
      note: person.title,
      face: avatar(person.id, "small"),
    }));
  const groups = [...store.groups.values()]
    .filter((group) => fits(group.handle, group.name))
    .map((group) => ({
      insert: `@${group.handle} `,
      exact: `@${group.handle}`,
      title: group.name,
      detail: `@${group.handle}`,
      note: `${group.users.length} people`,
    }));
  return [...found, ...groups];
}

function channelsMatching(query) {
  const found = [...store.channels.values()].filter(
    (channel) => channel.kind !== "dm" && channel.name.startsWith(query),
  );
  return found.map((channel) => ({
    insert: `#${channel.name} `,
    exact: `#${channel.name}`,
    title: `#${channel.name}`,
    note: channel.topic,
  }));
}

/** The row of an item in the hint list. */
export function hintRow(item, id, choose) {
  return h(
    "div",
    { role: "option", class: "option hint-row", id, "aria-selected": "false", onclick: choose },
    item.face,
    h(
      "span",
      { class: "option-text" },
      h("b", {}, item.title),
      item.detail && h("span", { class: "hint-detail" }, item.detail),
    ),
    item.note && h("small", {}, item.note),
  );
}
