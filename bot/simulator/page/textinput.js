/** Text fields of Block Kit. The one rule: an empty field is null, never an empty string. */

import { controlAttributes } from "./controls.js";
import { h } from "./dom.js";
import { plain } from "./mrkdwn.js";

const TYPES = {
  plain_text_input: { type: "text" },
  email_text_input: { type: "email", autocomplete: "off" },
  url_text_input: { type: "url", autocomplete: "off" },
  number_input: { type: "text", autocomplete: "off" },
};

/** The field of a plain text, e-mail, URL or number input; see `element` in elements.js for the context. */
export function textInput(context) {
  const { surface, block, spec, acts, value } = context;
  const triggers = spec.dispatch_action_config?.trigger_actions_on ?? ["on_enter_pressed"];
  const current = () => (input.value === "" ? null : input.value);
  const input = h(spec.multiline ? "textarea" : "input", {
    ...(spec.multiline ? { rows: "4" } : TYPES[spec.type]),
    inputmode: spec.type === "number_input" ? (spec.is_decimal_allowed ? "decimal" : "numeric") : null,
    class: "field",
    placeholder: plain(spec.placeholder),
    maxlength: spec.max_length,
    value: value ?? "",
    ...controlAttributes(context, "Text"),
    oninput: () => surface.change(block, spec, current(), { acts: acts && triggers.includes("on_character_entered") }),
    onkeydown: (event) => {
      if (event.key !== "Enter" || event.shiftKey || !acts || !triggers.includes("on_enter_pressed")) return;
      event.preventDefault();
      surface.act(block, spec, current());
    },
  });
  return input;
}
