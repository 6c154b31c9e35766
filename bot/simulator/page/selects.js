/** Block Kit's select menus, single and multi: where their choices come from. The one rule: labels are kept by value. */

import { avatar } from "./avatar.js";
import { controlAttributes } from "./controls.js";
import { asChoice, optionGroups } from "./forms.js";
import { plain } from "./mrkdwn.js";
import { Picker } from "./picker.js";
import { channelName, personName, store } from "./store.js";

const NOUNS = {
  static: "an option",
  external: "an option",
  users: "a person",
  channels: "a channel",
  conversations: "a conversation",
};

/** The picker of a select element; see `element` in elements.js for the context. */
export function select(context) {
  const { surface, block, spec, set, value, field } = context;
  const several = spec.type.startsWith("multi_");
  const kind = spec.type.replace("multi_", "").replace("_select", "");
  const labels = surface.form.labels;
  for (const option of [spec.initial_option, ...(spec.initial_options ?? [])])
    if (option) labels.set(option.value, plain(option.text));
  const source = SOURCES[kind](context);
  const placeholder = plain(spec.placeholder) || `Choose ${NOUNS[kind]}`;
  return new Picker({
    several,
    value,
    placeholder,
    ...source,
    most: spec.max_selected_items,
    required: Boolean(field?.required),
    labelOf: (one) => source.labelOf?.(one) ?? labels.get(one) ?? one,
    remember: (option) => labels.set(option.value, option.text),
    onChange: (next) => set(next),
    input: { ...controlAttributes(context, placeholder), "aria-busy": surface.isBusy(block, spec) ? "true" : null },
  }).node;
}

const matching = (options, query) =>
  options.filter((option) => option.text.toLowerCase().includes(query.trim().toLowerCase()));

const SOURCES = {
  static: ({ spec }) => {
    const groups = optionGroups(spec);
    const names = new Map(groups.flatMap((group) => group.options).map((option) => [option.value, option.text]));
    return {
      search: (query) => groups.map((group) => ({ ...group, options: matching(group.options, query) })),
      labelOf: (one) => names.get(one),
    };
  },
  external: ({ surface, block, spec }) => ({
    remote: true,
    minQuery: spec.min_query_length ?? 3,
    search: async (query) => {
      const { options = [], option_groups: groups = [] } = await surface.suggest(block, spec, query);
      return groups.length ? optionGroups({ option_groups: groups }) : [{ options: options.map(asChoice) }];
    },
  }),
  users: () => {
    const all = [...store.people.values()].filter((person) => !person.deleted && person.id !== "USLACKBOT");
    const people = all.sort((a, b) => Number(a.is_bot) - Number(b.is_bot));
    const options = people.map((person) => ({
      value: person.id,
      text: personName(person.id),
      detail: person.title || null,
      id: person.id,
    }));
    return {
      search: (query) => [
        { options: matching(options, query).map((one) => ({ ...one, face: avatar(one.id, "small") })) },
      ],
      labelOf: personName,
    };
  },
  channels: () => conversations((channel) => channel.kind !== "dm" && !channel.is_archived),
  conversations: ({ spec }) => {
    const kinds = { im: "dm", public: "channel", private: "private" };
    const wanted = spec.filter?.include?.map((one) => kinds[one]);
    const botless = (channel) =>
      !(spec.filter?.exclude_bot_users && channel.kind === "dm" && store.people.get(channel.user)?.is_bot);
    return conversations(
      (channel) => !channel.is_archived && (!wanted || wanted.includes(channel.kind)) && botless(channel),
    );
  },
};

function conversations(fits) {
  const options = [...store.channels.values()]
    .filter(fits)
    .map((channel) => ({ value: channel.id, text: channelName(channel) }));
  const labelOf = (id) =>
    store.channels.has(id) ? channelName(store.channels.get(id)) : store.people.has(id) ? personName(id) : id;
  return { search: (query) => [{ options: matching(options, query) }], labelOf };
}
