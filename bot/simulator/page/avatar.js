/** Faces: a tinted tile with initials for people, the mark for the app. The one rule: decorative, names are text beside. */

import { h, mark } from "./dom.js";
import { store } from "./store.js";

/** The tile of a person or bot, by id. */
export function avatar(id, size = "medium") {
  const person = store.people.get(id);
  if (id === store.app.user_id)
    return h("span", { class: `avatar avatar-${size} avatar-app`, "aria-hidden": "true" }, mark());
  const name = person?.real_name || person?.name || "?";
  const initials = name
    .split(/\s+/)
    .filter(Boolean)
    .slice(0, 2)
    .map((word) => word[0].toUpperCase())
    .join("");
  const colour = /^[0-9a-f]{6}$/i.test(person?.color ?? "") ? `#${person.color}` : "#7a8288";
  return h("span", { class: `avatar avatar-${size}`, "aria-hidden": "true", style: { "--tint": colour } }, initials);
}
