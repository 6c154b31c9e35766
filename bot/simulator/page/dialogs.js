/**
 * Modal dialogs. The one rule: the native `<dialog>` keeps the focus inside and gives it back; Escape always means the
 * dialog's own way out, which its owner decides.
 */

import { append, h, icon, uid } from "./dom.js";
import { plain, textObject } from "./mrkdwn.js";
import { rescueToasts } from "./toasts.js";

/** A dialog named by `title`; `onCancel()` is its way out. */
export function dialog({ title, className = "", onCancel }) {
  const heading = h("h2", { id: uid("title") }, title);
  const node = h("dialog", { class: `dialog ${className}`, "aria-labelledby": heading.id });
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    event.preventDefault();
    event.stopPropagation();
    onCancel();
  });
  node.addEventListener("cancel", (event) => {
    if (event.target !== node) return;
    event.preventDefault();
    onCancel();
  });
  return { node, heading };
}

/** Close and remove a dialog; toasts that were shown in it stay, and who was typing before can type on. */
export function dismiss(node) {
  if (node.contains(document.getElementById("toasts"))) rescueToasts();
  node.close();
  node.remove();
  const back = document.activeElement;
  if (!back?.matches("input, textarea")) return;
  // Chromium gives the focus back without the caret, so that keys would go nowhere; a focus anew has both.
  back.blur();
  back.focus({ preventScroll: true });
}

/** Ask as a Block Kit `confirm` object says. Resolves to true or false. */
export function confirmed(confirm) {
  return new Promise((resolve) => {
    const answer = (yes) => {
      dismiss(node);
      resolve(yes);
    };
    const { node, heading } = dialog({
      title: plain(confirm.title),
      className: "confirm",
      onCancel: () => answer(false),
    });
    const style = confirm.style === "danger" ? "button danger" : "button primary";
    const no = h(
      "button",
      { type: "button", class: "button", onclick: () => answer(false) },
      plain(confirm.deny) || "Cancel",
    );
    const yes = h(
      "button",
      { type: "button", class: style, onclick: () => answer(true) },
      plain(confirm.confirm) || "Yes",
    );
    append(
      node,
      heading,
      h("div", { class: "confirm-text text" }, textObject(confirm.text)),
      h("div", { class: "dialog-foot" }, no, yes),
    );
    document.body.append(node);
    node.showModal();
    (confirm.style === "danger" ? no : yes).focus();
  });
}

/** A titled dialog with content of the page's own and a Close button. */
export function information(title, ...content) {
  const close = () => dismiss(node);
  const { node, heading } = dialog({ title, className: "information", onCancel: close });
  const shut = h(
    "button",
    { type: "button", class: "icon-button", "aria-label": "Close", onclick: close },
    icon("close"),
  );
  append(node, h("div", { class: "dialog-head" }, heading, shut), h("div", { class: "dialog-body" }, content));
  document.body.append(node);
  node.showModal();
}
