/**
 * The stack of modals. The one rule: the server's stack is shown as it is, its last view on top; what was typed stays as
 * long as its view does.
 */

import { post } from "./api.js";
import { blockList } from "./blocks.js";
import { dialog, dismiss } from "./dialogs.js";
import { append, h, icon, keepingFocus, mark, uid } from "./dom.js";
import { plain } from "./mrkdwn.js";
import { on, setViews, store } from "./store.js";
import { Surface, markBusy } from "./surface.js";
import { toast } from "./toasts.js";

const FIRST_CONTROL = "input:not([type=hidden]), textarea, select, .block button";

export class Modals {
  constructor() {
    this.surfaces = new Map();
    this.open = null;
    on("views reset", () => this.draw());
  }

  draw() {
    const view = store.views.at(-1) ?? null;
    for (const id of this.surfaces.keys()) if (!store.views.some((one) => one.id === id)) this.surfaces.delete(id);
    if (this.open && this.open.view.id !== view?.id) {
      dismiss(this.open.node);
      this.open = null;
    }
    if (!view) return;
    if (!this.open) this.show(view);
    else if (this.open.view !== view) this.update(view);
  }

  show(view) {
    if (!this.surfaces.has(view.id)) {
      this.surfaces.set(
        view.id,
        new Surface({ address: { view_id: view.id }, inMessage: false, redraw: () => this.drawBlocks() }),
      );
    }
    const surface = this.surfaces.get(view.id);
    const { node, heading } = dialog({
      title: plain(view.title),
      className: "modal",
      onCancel: () => this.close(false),
    });
    const open = { view, surface, node, heading, formId: uid("form") };
    open.body = h("form", {
      class: "dialog-body",
      id: open.formId,
      novalidate: true,
      tabindex: "-1",
      onsubmit: (event) => this.submit(event),
      onkeydown: submitKey,
    });
    open.foot = h("div", { class: "dialog-foot" });
    surface.root = open.body;
    surface.showErrors = () => this.drawBlocks();
    const shut = h(
      "button",
      { type: "button", class: "icon-button", "aria-label": "Dismiss", onclick: () => this.close(true) },
      icon("close"),
    );
    append(node, h("div", { class: "dialog-head" }, mark(), heading, shut), open.body, open.foot);
    this.open = open;
    this.drawFoot();
    this.drawBlocks();
    document.body.append(node);
    node.showModal();
    const asked =
      node.querySelector("[autofocus]") ?? open.body.querySelector(FIRST_CONTROL) ?? open.foot.querySelector("button");
    asked?.focus();
  }

  update(view) {
    this.open.view = view;
    this.open.heading.textContent = plain(view.title);
    this.drawFoot();
    this.drawBlocks();
  }

  drawFoot() {
    const { view, foot, formId } = this.open;
    const back = plain(view.close) || (view.submit ? "Cancel" : store.views.length > 1 ? "Back" : "Close");
    const cancel = h(
      "button",
      { type: "button", class: "button", dataset: { focusKey: "cancel" }, onclick: () => this.close(false) },
      back,
    );
    const submit =
      view.submit &&
      h(
        "button",
        { type: "submit", form: formId, class: "button primary", dataset: { focusKey: "submit" } },
        plain(view.submit),
      );
    keepingFocus(foot, () => {
      foot.replaceChildren(cancel);
      append(foot, submit);
    });
  }

  drawBlocks() {
    if (!this.open) return;
    const { view, surface, body } = this.open;
    surface.blocks = view.blocks;
    surface.form.keepOnly(view.blocks);
    const top = body.scrollTop;
    keepingFocus(body, () => body.replaceChildren(blockList(surface, view.blocks)));
    body.scrollTop = top;
  }

  async submit(event) {
    event.preventDefault();
    const { view, surface, foot } = this.open;
    const button = foot.querySelector("[type=submit]");
    if (!button || button.getAttribute("aria-disabled") === "true") return;
    markBusy(button, true);
    try {
      const answer = await post("submit", { user: store.me, view_id: view.id, values: surface.form.all(view.blocks) });
      if (answer.result === "errors") this.showErrors(view, answer.errors);
      else if (answer.result === "closed") setViews(store.views.filter((one) => one.id !== view.id));
      else if (answer.result === "cleared") setViews([]);
    } catch (error) {
      toast(error.message);
    } finally {
      const now = this.open?.foot.querySelector("[type=submit]");
      if (now) markBusy(now, false);
    }
  }

  showErrors(view, errors) {
    const surface = this.surfaces.get(view.id);
    if (!surface) return;
    surface.form.errors = { ...errors };
    if (this.open?.view.id !== view.id) return;
    this.drawBlocks();
    const elsewhere = Object.entries(errors).filter(([id]) => !view.blocks.some((block) => block.block_id === id));
    for (const [, text] of elsewhere) toast(text);
    this.open.body.querySelector(".block.invalid")?.querySelector("input, textarea, button")?.focus();
  }

  /** The way out: one view back, or (`all`) out of the whole stack. Shown at once, told to the app after. */
  async close(all) {
    const { view } = this.open;
    const before = store.views;
    setViews(all || view.clear_on_close ? [] : before.filter((one) => one.id !== view.id));
    try {
      await post("close", { user: store.me, view_id: view.id, all: all && before.length > 1 });
    } catch (error) {
      if (error.code === "view_not_found") return;
      toast(error.message);
      setViews(before);
    }
  }
}

/** Ctrl or Command with Enter submits from a text field of several lines. */
function submitKey(event) {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    event.currentTarget.requestSubmit();
  }
}
