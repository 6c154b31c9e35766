/** The app's shortcuts: the global ones beside the composer, the others in each message's menu. */

import { post } from "./api.js";
import { fragment, h, icon } from "./dom.js";
import { menuButton } from "./popup.js";
import { store } from "./store.js";
import { toast } from "./toasts.js";

const of = (kind) => (store.app.shortcuts ?? []).filter((shortcut) => shortcut.kind === kind);

/** A button that offers the global shortcuts; null where the app has none. */
export function globalShortcuts() {
  if (!of("global").length) return null;
  const button = h(
    "button",
    { type: "button", class: "icon-button", "aria-label": "Shortcuts", title: "Shortcuts" },
    icon("bolt"),
  );
  return menuButton(button, () => items("global", {}), { label: "Shortcuts" });
}

/** A button that offers the shortcuts of one message; null where the app has none. */
export function messageShortcuts({ channel, ts }) {
  if (!of("message").length) return null;
  const button = h(
    "button",
    {
      type: "button",
      class: "icon-button",
      "aria-label": "More actions",
      title: "More actions",
      dataset: { focusKey: "more" },
    },
    icon("more"),
  );
  return menuButton(button, () => items("message", { channel, ts }), { label: "More actions", align: "end" });
}

function items(kind, where) {
  return of(kind).map((shortcut) => ({
    content: fragment(
      h(
        "span",
        { class: "option-text" },
        shortcut.name,
        h("small", {}, [store.app.name, shortcut.description].filter(Boolean).join(" · ")),
      ),
    ),
    name: shortcut.name,
    choose: () => use(shortcut, where),
  }));
}

async function use(shortcut, where) {
  try {
    await post("shortcut", { user: store.me, callback_id: shortcut.callback_id, ...where });
  } catch (error) {
    toast(error.message);
  }
}
