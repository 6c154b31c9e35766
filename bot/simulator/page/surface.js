/**
 * A message, modal or Home as something to act on. The one rule: an element is busy from the click until the app
 * acknowledged, and a second click meanwhile does nothing, even if the element was drawn anew in between.
 */

import { post } from "./api.js";
import { confirmed } from "./dialogs.js";
import { FormState } from "./forms.js";
import { store } from "./store.js";
import { toast } from "./toasts.js";

export const focusKey = (block, element) => `${block.block_id}/${element.action_id}`;

export class Surface {
  /** `address` is {channel, ts} or {view_id}; `inMessage` says whether inputs act at once; `redraw` draws it anew. */
  constructor({ address, inMessage, redraw }) {
    this.address = address;
    this.inMessage = inMessage;
    this.redraw = redraw;
    this.form = new FormState();
    this.blocks = [];
    this.root = null;
    this.busy = new Set();
    this.late = new Set();
  }

  isBusy(block, element) {
    return this.busy.has(focusKey(block, element));
  }

  /** Send a click, after the element's own `confirm`. Resolves to "done", "busy", "cancelled" or "failed". */
  async act(block, element, value) {
    const key = focusKey(block, element);
    if (this.busy.has(key)) return "busy";
    if (element.confirm && !(await confirmed(element.confirm))) return "cancelled";
    this.setBusy(key, true);
    try {
      const body = {
        user: store.me,
        ...this.address,
        block_id: block.block_id,
        action_id: element.action_id,
        values: this.form.all(this.blocks),
      };
      await post("click", value === undefined ? body : { ...body, value });
      return "done";
    } catch (error) {
      toast(error.message);
      return "failed";
    } finally {
      this.setBusy(key, false);
      if (this.late.delete(key)) this.act(block, element, this.form.get(block, element));
    }
  }

  /** A new value of an input: kept, and sent where the element acts at once. Declining its `confirm` takes it back; one that comes while
   *  an earlier one is on its way follows it. */
  async change(block, element, value, { acts }) {
    const before = this.form.get(block, element);
    this.form.set(block, element, value);
    if (this.form.errors[block.block_id]) {
      delete this.form.errors[block.block_id];
      this.showErrors?.();
    }
    if (!acts) return;
    const outcome = await this.act(block, element, value);
    if (outcome === "busy") this.late.add(focusKey(block, element));
    if (outcome !== "cancelled") return;
    this.form.set(block, element, before);
    this.redraw();
  }

  /** Options of an external select for what was typed, as the app gives them. */
  suggest(block, element, query) {
    return post("suggest", {
      user: store.me,
      ...this.address,
      block_id: block.block_id,
      action_id: element.action_id,
      query,
    });
  }

  setBusy(key, busy) {
    if (busy) this.busy.add(key);
    else this.busy.delete(key);
    for (const node of this.root?.querySelectorAll(`[data-focus-key="${CSS.escape(key)}"]`) ?? []) markBusy(node, busy);
  }
}

/** Busy elements keep the focus, so they are not `disabled`. */
export function markBusy(node, busy) {
  node.classList.toggle("busy", busy);
  node.setAttribute("aria-disabled", String(busy));
  node.setAttribute("aria-busy", String(busy));
}
