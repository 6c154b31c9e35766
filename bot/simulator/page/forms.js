/**
 * What a person has put into the elements of one message or view. The one rule: one plain JSON value per element, by
 * block and action, as the page's API has it; what was never touched has the element's initial value.
 */

import { plain } from "./mrkdwn.js";

/** The value that an element starts with. */
export function initialValue(element) {
  const kind = element.type.replace(/^multi_/, "");
  const several = element.type.startsWith("multi_") || element.type === "checkboxes";
  if (several) {
    if (["static_select", "external_select", "checkboxes"].includes(kind))
      return (element.initial_options ?? []).map((option) => option.value);
    return [...(element[`initial_${kind.replace("_select", "")}`] ?? [])];
  }
  const field = {
    static_select: element.initial_option?.value,
    external_select: element.initial_option?.value,
    radio_buttons: element.initial_option?.value,
    users_select: element.initial_user,
    conversations_select: element.initial_conversation,
    channels_select: element.initial_channel,
    datepicker: element.initial_date,
    timepicker: element.initial_time,
    datetimepicker: element.initial_date_time,
  };
  return (kind in field ? field[kind] : element.initial_value) ?? null;
}

export class FormState {
  constructor() {
    this.values = {};
    this.labels = new Map();
    this.errors = {};
  }

  get(block, element) {
    const touched = this.values[block.block_id];
    return touched && element.action_id in touched ? touched[element.action_id] : initialValue(element);
  }

  set(block, element, value) {
    (this.values[block.block_id] ??= {})[element.action_id] = value;
  }

  /** Forget values of elements that are not in `blocks` any more, and begin the others where the app says so. */
  keepOnly(blocks) {
    const ids = new Set(blocks.map((block) => block.block_id));
    for (const id of Object.keys(this.values)) if (!ids.has(id)) delete this.values[id];
    for (const id of Object.keys(this.errors)) if (!ids.has(id)) delete this.errors[id];
  }

  /** `{block_id: {action_id: value}}` of every element in `blocks` that holds a value. */
  all(blocks) {
    const values = {};
    for (const [block, element] of statefulElements(blocks))
      (values[block.block_id] ??= {})[element.action_id] = this.get(block, element);
    return values;
  }
}

const STATELESS = new Set([
  "button",
  "image",
  "overflow",
  "workflow_button",
  "feedback_buttons",
  "icon_button",
  "file_input",
  "plain_text",
  "mrkdwn",
]);

function* statefulElements(blocks) {
  for (const block of blocks) {
    for (const element of [block.element, block.accessory, ...(block.type === "actions" ? block.elements : [])]) {
      if (element?.action_id && !STATELESS.has(element.type)) yield [block, element];
    }
  }
}

/** All options of a static select, checkboxes, radio buttons: [{label?, options: [{value, text}]}]. */
export function optionGroups(element) {
  const groups = element.option_groups ?? [{ options: element.options ?? [] }];
  return groups.map((group) => ({
    label: group.label ? plain(group.label) : null,
    options: (group.options ?? []).map(asChoice),
  }));
}

/** A Block Kit option as the picker shows it. */
export function asChoice(option) {
  return {
    value: option.value,
    text: plain(option.text),
    detail: option.description ? plain(option.description) : null,
  };
}
