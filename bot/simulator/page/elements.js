/**
 * Block Kit's interactive elements → DOM nodes. The one rule: an element reads and writes its value through its surface
 * only, so that drawing it anew loses nothing.
 */

import { avatar } from "./avatar.js";
import { instant, clockTime, isoDay } from "./dates.js";
import { append, h, icon, uid } from "./dom.js";
import { asChoice, optionGroups } from "./forms.js";
import { plain, textObject } from "./mrkdwn.js";
import { Picker } from "./picker.js";
import { menuButton } from "./popup.js";
import { channelName, myZone, personName, store } from "./store.js";
import { focusKey, markBusy } from "./surface.js";
import { textInput } from "./textinput.js";

/**
 * The node of an element. `field` is how an input block labels it: {id, describedBy, invalid, required}; without it the
 * element names itself. `acts`: whether a new value is sent to the app at once.
 */
export function element(surface, block, spec, { acts, field = null }) {
  const make = MAKERS[spec.type] ?? MAKERS[spec.type.replace(/^multi_/, "")];
  if (!make) return h("span", { class: "unknown" }, plain(spec.text) || `(${spec.type.replaceAll("_", " ")}: not shown in the simulator)`);
  const context = { surface, block, spec, acts, field, set: (value) => surface.change(block, spec, value, { acts }), value: surface.form.get(block, spec) };
  const node = make(context);
  for (const target of node.matches?.("[data-focus-key]") ? [node] : node.querySelectorAll("[data-focus-key]")) {
    if (surface.isBusy(block, spec)) markBusy(target, true);
  }
  return node;
}

/** Attributes that every control of an element has: its name, what describes it, whether it must be filled. */
export function controlAttributes({ block, spec, field }, fallbackName) {
  const name = field ? {} : { "aria-label": spec.accessibility_label ?? (plain(spec.placeholder) || fallbackName) };
  const labels = field && { id: field.id, "aria-describedby": field.describedBy, "aria-invalid": field.invalid ? "true" : null, "aria-required": field.required ? "true" : null };
  return { ...name, ...labels, dataset: { focusKey: focusKey(block, spec) }, autofocus: spec.focus_on_load === true };
}

function button({ surface, block, spec }) {
  const open = () => /^https?:/i.test(spec.url ?? "") && window.open(spec.url, "_blank", "noopener,noreferrer");
  return h("button", {
    type: "button",
    class: `button ${spec.style ?? ""}`,
    "aria-label": spec.accessibility_label,
    dataset: { focusKey: focusKey(block, spec) },
    onclick: () => {
      if (surface.isBusy(block, spec)) return;
      if (spec.url) open();
      surface.act(block, spec);
    },
  }, plain(spec.text), spec.url && icon("external"));
}

function iconButton(context) {
  const node = button(context);
  node.classList.add("icon-only");
  node.setAttribute("aria-label", context.spec.accessibility_label ?? plain(context.spec.text));
  node.replaceChildren(icon("trash"));
  return node;
}

function overflow({ surface, block, spec }) {
  const opener = h("button", { type: "button", class: "button icon-only", "aria-label": "More actions", dataset: { focusKey: focusKey(block, spec) } }, icon("more"));
  const items = () => spec.options.map((option) => ({
    content: plain(option.text),
    choose: () => {
      if (/^https?:/i.test(option.url ?? "")) window.open(option.url, "_blank", "noopener,noreferrer");
      surface.act(block, spec, option.value);
    },
  }));
  return menuButton(opener, items, { label: "More actions" });
}

function boxes({ surface, block, spec, field, set, value }) {
  const several = spec.type === "checkboxes";
  const group = uid("choice");
  const rows = spec.options.map((option, index) => {
    const id = uid("box");
    const input = h("input", {
      type: several ? "checkbox" : "radio", id, name: group, value: option.value,
      checked: several ? value.includes(option.value) : value === option.value,
      dataset: { focusKey: `${focusKey(block, spec)}#${index}` }, "aria-describedby": field?.describedBy,
      onchange: (event) => {
        if (surface.isBusy(block, spec)) return surface.redraw();
        const before = surface.form.get(block, spec);
        const without = several ? before.filter((one) => one !== option.value) : null;
        return set(several ? (event.target.checked ? [...without, option.value] : without) : option.value);
      },
    });
    return h("div", { class: "box" }, input, h("label", { for: id }, textObject(option.text), option.description && h("small", {}, textObject(option.description))));
  });
  return h("div", { class: "boxes", role: several ? "group" : "radiogroup", "aria-label": field ? null : "Choices", "aria-labelledby": field?.labelId, "aria-required": !several && field?.required ? "true" : null, "aria-invalid": !several && field?.invalid ? "true" : null }, rows);
}

const NOUNS = { static: "an option", external: "an option", users: "a person", channels: "a channel", conversations: "a conversation" };

function select(context) {
  const { surface, block, spec, set, value, field } = context;
  const several = spec.type.startsWith("multi_");
  const kind = spec.type.replace("multi_", "").replace("_select", "");
  const labels = surface.form.labels;
  for (const option of [spec.initial_option, ...(spec.initial_options ?? [])]) if (option) labels.set(option.value, plain(option.text));
  const source = SOURCES[kind](context);
  const placeholder = plain(spec.placeholder) || `Choose ${NOUNS[kind]}`;
  return new Picker({
    several, value, placeholder, ...source, most: spec.max_selected_items, required: Boolean(field?.required),
    labelOf: (one) => source.labelOf?.(one) ?? labels.get(one) ?? one,
    remember: (option) => labels.set(option.value, option.text),
    onChange: (next) => set(next),
    input: { ...controlAttributes(context, placeholder), "aria-busy": surface.isBusy(block, spec) ? "true" : null },
  }).node;
}

const matching = (options, query) => options.filter((option) => option.text.toLowerCase().includes(query.trim().toLowerCase()));

const SOURCES = {
  static: ({ spec }) => {
    const groups = optionGroups(spec);
    const names = new Map(groups.flatMap((group) => group.options).map((option) => [option.value, option.text]));
    return { search: (query) => groups.map((group) => ({ ...group, options: matching(group.options, query) })), labelOf: (one) => names.get(one) };
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
    const people = [...store.people.values()].filter((person) => !person.deleted && person.id !== "USLACKBOT");
    const options = people.map((person) => ({ value: person.id, text: personName(person.id), detail: person.title || null, id: person.id }));
    return { search: (query) => [{ options: matching(options, query).map((one) => ({ ...one, face: avatar(one.id, "small") })) }], labelOf: personName };
  },
  channels: () => conversations((channel) => channel.kind !== "dm" && !channel.is_archived),
  conversations: ({ spec }) => {
    const kinds = { im: "dm", public: "channel", private: "private" };
    const wanted = spec.filter?.include?.map((one) => kinds[one]);
    const botless = (channel) => !(spec.filter?.exclude_bot_users && channel.kind === "dm" && store.people.get(channel.user)?.is_bot);
    return conversations((channel) => !channel.is_archived && (!wanted || wanted.includes(channel.kind)) && botless(channel));
  },
};

function conversations(fits) {
  const options = [...store.channels.values()].filter(fits).map((channel) => ({ value: channel.id, text: channelName(channel) }));
  const labelOf = (id) => (store.channels.has(id) ? channelName(store.channels.get(id)) : store.people.has(id) ? personName(id) : id);
  return { search: (query) => [{ options: matching(options, query) }], labelOf };
}

/** Native date and time fields. Typing digit by digit is not yet a choice: what acts at once waits for Enter or leaving. */
function dateLike(context, type, toText, toValue, name) {
  let typing = false;
  let sent = context.value;
  const send = () => {
    const next = input.value === "" ? null : toValue(input.value);
    if (next === sent) return;
    sent = next;
    context.set(next);
  };
  const input = h("input", {
    type, class: "field date-field", value: toText(context.value), ...controlAttributes(context, name),
    onkeydown: (event) => {
      typing = event.key !== "Enter";
      if (event.key === "Enter" && context.acts) send();
    },
    onpointerdown: () => { typing = false; },
    onchange: () => (!typing || !context.acts) && send(),
    onblur: send,
  });
  return input;
}

const datetimeText = (seconds) => (seconds ? `${isoDay(seconds * 1000, myZone())}T${clockTime(seconds * 1000, myZone())}` : "");
const datetimeValue = (text) => {
  const [date, time] = text.split("T");
  const ms = instant(date, time.slice(0, 5), myZone());
  return ms === null ? null : Math.round(ms / 1000);
};

function feedback({ surface, block, spec }) {
  const one = (choice) => h("button", { type: "button", class: "button small", "aria-label": choice.accessibility_label, dataset: { focusKey: focusKey(block, spec) }, onclick: () => surface.act(block, spec, choice.value) }, plain(choice.text));
  return append(h("span", { class: "element-row" }), one(spec.positive_button), one(spec.negative_button));
}

const MAKERS = {
  button,
  workflow_button: button,
  icon_button: iconButton,
  feedback_buttons: feedback,
  overflow,
  checkboxes: boxes,
  radio_buttons: boxes,
  static_select: select,
  external_select: select,
  users_select: select,
  channels_select: select,
  conversations_select: select,
  datepicker: (context) => dateLike(context, "date", (value) => value ?? "", (text) => text, "Choose a date"),
  timepicker: (context) => dateLike(context, "time", (value) => value ?? "", (text) => text.slice(0, 5), "Choose a time"),
  datetimepicker: (context) => dateLike(context, "datetime-local", datetimeText, datetimeValue, "Choose a date and time"),
  plain_text_input: textInput,
  email_text_input: textInput,
  url_text_input: textInput,
  number_input: textInput,
};
