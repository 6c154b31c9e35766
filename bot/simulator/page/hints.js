/** What the composer offers while a word is typed: commands after `/`, people and groups after `@`, channels after `#`. */

import { avatar } from "./avatar.js";
import { h } from "./dom.js";
import { personName, store } from "./store.js";

const MOST = 8;

/**
 * {word, items, hint, chosen}: the word at the caret, what could complete it, or the usage of the command being typed;
 * whether Enter takes the first item. Where what is typed can be sent as it is, Enter sends it.
 */
export function hintsFor(text, caret, { commands }) {
  const before = text.slice(0, caret);
  if (commands && text.startsWith("/")) return commandHints(text, before);
  const word = before.match(/(?:^|\s)([@#][\p{L}\p{N}._-]*)$/u)?.[1];
  if (!word || word.length < 2) return { word: "", items: [], hint: null, chosen: false };
  const items =
    word[0] === "@" ? whoMatches(word.slice(1).toLowerCase()) : channelsMatching(word.slice(1).toLowerCase());
  return { word, items: items.slice(0, MOST), hint: null, chosen: true };
}

function commandHints(text, before) {
  const name = text.split(/\s/)[0];
  const commands = store.app.commands ?? [];
  if (!/\s/.test(before)) {
    const found = commands.filter(({ command }) => command.startsWith(name));
    const items = found.map(({ command, description, usage_hint: usage }) => ({
      insert: `${command} `,
      exact: command,
      title: command,
      detail: usage,
      note: description,
    }));
    return { word: name, hint: null, items: [...items, ...suggestionsFor(before)], chosen: true };
  }
  const known = commands.find(({ command }) => command === name);
  const hint = known ? `${known.command} ${known.usage_hint ?? ""}` : null;
  return { word: before, items: suggestionsFor(before), hint, chosen: false };
}

/** What the simulator offers to type, as far as it begins with what is typed. */
function suggestionsFor(before) {
  return store.suggestions
    .filter(({ text }) => text.startsWith(before) && text !== before)
    .map(({ text, note }) => ({ insert: text, exact: text, title: text, note }));
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
