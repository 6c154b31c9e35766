/** What every control of Block Kit has in common. The one rule: a control always has a name. */

import { plain } from "./mrkdwn.js";
import { focusKey } from "./surface.js";

/** Attributes that every control of an element has: its name, what describes it, whether it must be filled. */
export function controlAttributes({ block, spec, field }, fallbackName) {
  const name = field ? {} : { "aria-label": spec.accessibility_label ?? (plain(spec.placeholder) || fallbackName) };
  const labels = field && {
    id: field.id,
    "aria-describedby": field.describedBy,
    "aria-invalid": field.invalid ? "true" : null,
    "aria-required": field.required ? "true" : null,
  };
  return { ...name, ...labels, dataset: { focusKey: focusKey(block, spec) }, autofocus: spec.focus_on_load === true };
}
