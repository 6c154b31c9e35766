/** What goes wrong in this Slack by chance: a switch beside the clock, how often, and what did last. */

import { post } from "./api.js";
import { h, icon } from "./dom.js";
import { on, store } from "./store.js";
import { markBusy } from "./surface.js";
import { toast } from "./toasts.js";

const WORDS = {
  "calls limited": "a call was refused for now (429)",
  "calls broken": "a call failed (5xx)",
  "calls cut": "a call was cut off",
  "calls lost": "an answer was lost",
  "calls hanging": "an answer hung",
  "calls slow": "a call was slow",
  "payloads delayed": "a payload came late",
  "payloads duplicated": "a payload came twice",
  "connections: cut": "a connection was cut",
  "connections: refresh": "a connection was renewed",
  "connections: warning": "a connection is to end",
};
const words = (what) => WORDS[what] ?? what;

export class ChaosSwitch {
  constructor() {
    this.state = h("span");
    this.count = h("b", { class: "chaos-count", id: "chaos-count" });
    this.last = h("span", { class: "chaos-last", id: "chaos-last" });
    this.button = h(
      "button",
      {
        type: "button",
        class: "chaos-switch",
        role: "switch",
        "aria-label": "Chaos: let things go wrong in this Slack",
        "aria-describedby": "chaos-count chaos-last",
        onclick: () => this.flip(),
      },
      icon("warn"),
      h("span", { class: "chaos-word" }, "Chaos"),
      this.state,
      this.count,
    );
    this.node = h(
      "div",
      { class: "chaos", role: "group", "aria-label": "The simulator's chaos", hidden: true },
      this.button,
      this.last,
    );
    on("reset chaos", () => this.draw());
  }

  /** Shown where the simulator offers it. */
  draw() {
    const { chaos } = store;
    this.node.hidden = !chaos;
    if (!chaos) return;
    const all = Object.entries(chaos.happened);
    const total = all.reduce((sum, [, times]) => sum + times, 0);
    this.button.setAttribute("aria-checked", String(chaos.on));
    this.count.textContent = total ? String(total) : "";
    this.state.textContent = chaos.on ? "on" : "off";
    this.last.textContent = chaos.last ? words(chaos.last) : chaos.on ? "nothing went wrong yet" : "";
    this.button.title = [
      `Chaos is ${chaos.on ? "on" : "off"} (seed ${chaos.seed})`,
      ...all.map(([what, times]) => `${times} × ${words(what)}`),
    ].join("\n");
  }

  async flip() {
    if (this.button.getAttribute("aria-disabled") === "true") return;
    markBusy(this.button, true);
    try {
      const { chaos } = await post("chaos", { on: !store.chaos.on });
      toast(
        chaos.on
          ? "Chaos is on: calls fail or are refused, payloads come late or twice, connections end."
          : "Chaos is off: nothing goes wrong any more.",
        "notice",
      );
    } catch (error) {
      toast(error.message);
    } finally {
      markBusy(this.button, false);
    }
  }
}
