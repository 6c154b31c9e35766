/**
 * Block Kit's interactive elements → DOM nodes. The one rule: an element reads and writes its value through its surface
 * only, so that drawing it anew loses nothing.
 */

import { datepicker, datetimepicker, timepicker } from "./datefields.js";
import { append, h, icon, uid } from "./dom.js";
import { plain, textObject } from "./mrkdwn.js";
import { menuButton } from "./popup.js";
import { select } from "./selects.js";
import { focusKey, markBusy } from "./surface.js";
import { textInput } from "./textinput.js";

/**
 * The node of an element. `field` is how an input block labels it: {id, describedBy, invalid, required}; without it the
 * element names itself. `acts`: whether a new value is sent to the app at once.
 */
export function element(surface, block, spec, { acts, field = null }) {
  const make = MAKERS[spec.type] ?? MAKERS[spec.type.replace(/^multi_/, "")];
  if (!make)
    return h(
      "span",
      { class: "unknown" },
      plain(spec.text) || `(${spec.type.replaceAll("_", " ")}: not shown in the simulator)`,
    );
  const context = {
    surface,
    block,
    spec,
    acts,
    field,
    set: (value) => surface.change(block, spec, value, { acts }),
    value: surface.form.get(block, spec),
  };
  const node = make(context);
  for (const target of node.matches?.("[data-focus-key]") ? [node] : node.querySelectorAll("[data-focus-key]")) {
    if (surface.isBusy(block, spec)) markBusy(target, true);
  }
  return node;
}

function button({ surface, block, spec }) {
  const open = () => /^https?:/i.test(spec.url ?? "") && window.open(spec.url, "_blank", "noopener,noreferrer");
  return h(
    "button",
    {
      type: "button",
      class: `button ${spec.style ?? ""}`,
      "aria-label": spec.accessibility_label,
      dataset: { focusKey: focusKey(block, spec) },
      onclick: () => {
        if (surface.isBusy(block, spec)) return;
        if (spec.url) open();
        surface.act(block, spec);
      },
    },
    plain(spec.text),
    spec.url && icon("external"),
  );
}

function iconButton(context) {
  const node = button(context);
  node.classList.add("icon-only");
  node.setAttribute("aria-label", context.spec.accessibility_label ?? plain(context.spec.text));
  node.replaceChildren(icon("trash"));
  return node;
}

function overflow({ surface, block, spec }) {
  const opener = h(
    "button",
    {
      type: "button",
      class: "button icon-only",
      "aria-label": "More actions",
      dataset: { focusKey: focusKey(block, spec) },
    },
    icon("more"),
  );
  const items = () =>
    spec.options.map((option) => ({
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
      type: several ? "checkbox" : "radio",
      id,
      name: group,
      value: option.value,
      checked: several ? value.includes(option.value) : value === option.value,
      dataset: { focusKey: `${focusKey(block, spec)}#${index}` },
      "aria-describedby": field?.describedBy,
      onchange: (event) => {
        if (surface.isBusy(block, spec)) return surface.redraw();
        const before = surface.form.get(block, spec);
        const without = several ? before.filter((one) => one !== option.value) : null;
        return set(several ? (event.target.checked ? [...without, option.value] : without) : option.value);
      },
    });
    return h(
      "div",
      { class: "box" },
      input,
      h(
        "label",
        { for: id },
        textObject(option.text),
        option.description && h("small", {}, textObject(option.description)),
      ),
    );
  });
  return h(
    "div",
    {
      class: "boxes",
      role: several ? "group" : "radiogroup",
      "aria-label": field ? null : "Choices",
      "aria-labelledby": field?.labelId,
      "aria-required": !several && field?.required ? "true" : null,
      "aria-invalid": !several && field?.invalid ? "true" : null,
    },
    rows,
  );
}

function feedback({ surface, block, spec }) {
  const one = (choice) =>
    h(
      "button",
      {
        type: "button",
        class: "button small",
        "aria-label": choice.accessibility_label,
        dataset: { focusKey: focusKey(block, spec) },
        onclick: () => surface.act(block, spec, choice.value),
      },
      plain(choice.text),
    );
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
  datepicker,
  timepicker,
  datetimepicker,
  plain_text_input: textInput,
  email_text_input: textInput,
  url_text_input: textInput,
  number_input: textInput,
};
