/** The app's Home tab: the view that the app published for this person. */

import { post } from "./api.js";
import { blockList } from "./blocks.js";
import { h, keepingFocus, mark } from "./dom.js";
import { place } from "./place.js";
import { on, store } from "./store.js";
import { Surface } from "./surface.js";
import { toast } from "./toasts.js";

export class HomeTab {
  constructor() {
    this.node = h("div", { class: "home", role: "tabpanel", tabindex: "0", "aria-label": "Home" });
    this.opened = null;
    on("home", () => this.draw());
    on("place", () => {
      if (place.tab !== "home") this.opened = null;
    });
  }

  /** Tell the app that the person looks at its Home, once per visit, and show what is there. */
  async open() {
    this.draw();
    if (this.opened === store.me) return;
    this.opened = store.me;
    try {
      await post("home", { user: store.me });
    } catch (error) {
      toast(error.message);
    }
  }

  draw() {
    const view = store.home;
    if (!view) {
      this.node.replaceChildren(
        h(
          "div",
          { class: "empty" },
          mark(),
          h("p", { class: "empty-title" }, `${store.app.name} has published no Home.`),
          h("p", {}, "What it has to say is under Messages."),
        ),
      );
      return;
    }
    if (this.surface?.address.view_id !== view.id) {
      this.surface = new Surface({ address: { view_id: view.id }, inMessage: false, redraw: () => this.draw() });
      this.surface.root = this.node;
    }
    this.surface.blocks = view.blocks;
    this.surface.form.keepOnly(view.blocks);
    keepingFocus(this.node, () =>
      this.node.replaceChildren(h("div", { class: "home-page" }, blockList(this.surface, view.blocks))),
    );
  }
}
