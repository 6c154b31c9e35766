/** Short notices and spoken news. The one rule: an error stays until it is read, a notice goes by itself. */

import { append, h, icon } from "./dom.js";

const NOTICE_MS = 3500;
const ERROR_MS = 12_000;

/** Show a sentence; `kind` is "notice" or "error". The same sentence is shown once. */
export function toast(text, kind = "error") {
  const region = document.getElementById("toasts");
  // While a modal dialog is open everything outside it is inert, so the toasts move in with it.
  const home = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body;
  if (region.parentNode !== home) home.append(region);
  for (const old of region.children) if (old.dataset.text === text) old.remove();
  const close = () => {
    clearTimeout(timer);
    node.remove();
  };
  const node = h(
    "div",
    { class: `toast toast-${kind}`, role: kind === "error" ? "alert" : "status", dataset: { text } },
    icon(kind === "error" ? "warn" : "check"),
    h("span", {}, text),
    h("button", { type: "button", class: "icon-button", "aria-label": "Dismiss", onclick: close }, icon("close")),
  );
  let timer = setTimeout(close, kind === "error" ? ERROR_MS : NOTICE_MS);
  node.addEventListener("pointerenter", () => clearTimeout(timer));
  node.addEventListener("pointerleave", () => {
    timer = setTimeout(close, NOTICE_MS);
  });
  append(region, node);
}

/** Take away the errors that are shown: the person has gone on. */
export function clearErrors() {
  for (const node of document.querySelectorAll(".toast-error")) node.remove();
}

/** Bring the toasts back out of a dialog that is about to go (to the one below it, if any). */
export function rescueToasts() {
  const below = [...document.querySelectorAll("dialog[open]")].at(-2) ?? document.body;
  below.append(document.getElementById("toasts"));
}

/** Say something to screen readers without showing it; by a live region where the browser has no better way. */
export function announce(text) {
  if (document.ariaNotify) {
    document.ariaNotify(text);
    return;
  }
  const region = document.getElementById("announcer");
  const line = h("p", {}, text);
  region.append(line);
  setTimeout(() => line.remove(), 5000);
}
