/**
 * Things that float: placing them beside their anchor, and menus. The one rule: a popup lives beside its anchor in the
 * tree (top layer by the popover API), so it goes when its anchor goes and belongs to the dialog that its anchor is in.
 */

import { append, h, uid } from "./dom.js";

const GAP = 4;
const MARGIN = 8;

/** Show `popup` (a `popover="manual"` element) at `anchor`, below it if there is room. `align`: "start" or "end". */
export function show(popup, anchor, { align = "start", wide = false } = {}) {
  if (!popup.matches(":popover-open")) popup.showPopover();
  const box = anchor.getBoundingClientRect();
  const below = innerHeight - box.bottom - GAP - MARGIN;
  const above = box.top - GAP - MARGIN;
  const down = below >= Math.min(popup.scrollHeight, 280) || below >= above;
  popup.style.maxHeight = `${Math.max(120, Math.min(down ? below : above, 420))}px`;
  popup.style.minWidth = wide ? `${box.width}px` : "";
  const width = popup.offsetWidth;
  const left = align === "end" ? box.right - width : box.left;
  popup.style.left = `${Math.max(MARGIN, Math.min(left, innerWidth - width - MARGIN))}px`;
  popup.style.top = down ? `${box.bottom + GAP}px` : "auto";
  popup.style.bottom = down ? "auto" : `${innerHeight - box.top + GAP}px`;
}

export function hide(popup) {
  if (popup.matches(":popover-open")) popup.hidePopover();
}

/**
 * A button that opens a menu. `items()` gives what is in it when it opens: {content, name?, checked?, choose}, where
 * `checked` (true or false) makes it a choice of one.
 */
export function menuButton(button, items, { label, align = "start", wide = false } = {}) {
  const menu = h("div", { class: "popup menu", popover: "manual", role: "menu", "aria-label": label, id: uid("menu") });
  button.setAttribute("aria-haspopup", "menu");
  button.setAttribute("aria-expanded", "false");
  button.setAttribute("aria-controls", menu.id);

  const close = ({ refocus = true } = {}) => {
    hide(menu);
    menu.replaceChildren();
    button.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", outside, true);
    if (refocus) button.focus();
  };
  const outside = (event) => {
    if (!menu.contains(event.target) && !button.contains(event.target)) close({ refocus: false });
  };
  const open = (last = false) => {
    menu.replaceChildren(...items().map((item) => menuItem(item, close)));
    show(menu, button, { align, wide });
    button.setAttribute("aria-expanded", "true");
    document.addEventListener("pointerdown", outside, true);
    const entries = [...menu.children];
    const first = entries.find((entry) => entry.getAttribute("aria-checked") === "true") ?? entries[0];
    (last ? entries.at(-1) : first)?.focus();
  };
  const isOpen = () => button.getAttribute("aria-expanded") === "true";
  button.addEventListener("click", () => (isOpen() ? close() : open()));
  button.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    if (!isOpen()) open(event.key === "ArrowUp");
  });
  menu.addEventListener("keydown", (event) => moveInMenu(event, menu, close));
  return append(h("span", { class: "menu-holder" }), button, menu);
}

function menuItem({ content, name, checked, choose }, close) {
  const choice = checked !== undefined;
  return h(
    "button",
    {
      type: "button",
      class: "menu-item",
      role: choice ? "menuitemradio" : "menuitem",
      tabindex: "-1",
      "aria-checked": choice ? String(checked) : null,
      "aria-label": name,
      onclick: () => {
        close();
        choose();
      },
    },
    content,
  );
}

function moveInMenu(event, menu, close) {
  const entries = [...menu.children];
  const at = entries.indexOf(document.activeElement);
  const moves = {
    ArrowDown: (at + 1) % entries.length,
    ArrowUp: (at - 1 + entries.length) % entries.length,
    Home: 0,
    End: entries.length - 1,
  };
  if (event.key in moves) entries[moves[event.key]].focus();
  else if (event.key === "Escape") close();
  else if (event.key === "Tab") return close({ refocus: false });
  else if (event.key.length === 1 && !event.ctrlKey && !event.metaKey && event.key !== " ") {
    const next = [...entries.slice(at + 1), ...entries].find((entry) =>
      entry.textContent.trim().toLowerCase().startsWith(event.key.toLowerCase()),
    );
    next?.focus();
  } else return undefined;
  event.preventDefault();
  event.stopPropagation();
  return undefined;
}
