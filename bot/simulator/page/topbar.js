/** The strip on top: what this is, what goes wrong in it, and the simulator's clock with its ways forward. */

import { post } from "./api.js";
import { ChaosSwitch } from "./chaos.js";
import { clockTime, fullTime, zoned } from "./dates.js";
import { h, icon } from "./dom.js";
import { refreshTimes } from "./mrkdwn.js";
import { workspaceName } from "./sidebar.js";
import { myZone, now, on } from "./store.js";
import { markBusy } from "./surface.js";
import { toast } from "./toasts.js";

const MINUTE = 60_000;
const STEPS = [
  ["1", "min", MINUTE],
  ["5", "min", 5 * MINUTE],
  ["15", "min", 15 * MINUTE],
  ["1", "h", 60 * MINUTE],
  ["1", "day", 1440 * MINUTE],
];
const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const TICK_MS = 1000;

export class Topbar {
  /** `onMenu()` opens and shuts the side on narrow screens; `onHelp()` tells the keys. */
  constructor(root, { onMenu, onHelp }) {
    this.menu = h(
      "button",
      {
        type: "button",
        class: "icon-button menu-button",
        "aria-label": "Conversations",
        "aria-controls": "sidebar",
        "aria-expanded": "false",
        onclick: onMenu,
      },
      icon("menu"),
    );
    this.time = h("time", { class: "clock-time" });
    const buttons = STEPS.map(([count, unit, ms]) =>
      h(
        "button",
        {
          type: "button",
          class: "clock-step",
          "aria-label": `Move forward ${count} ${unit}`,
          onclick: (event) => this.advance(event.currentTarget, ms),
        },
        count,
        h("span", {}, `\u00a0${unit}`),
      ),
    );
    const group = h(
      "div",
      { class: "clock", role: "group", "aria-label": "The simulator's clock" },
      h("span", { class: "clock-now" }, icon("clock"), h("span", { class: "clock-word" }, "Now"), this.time),
      h("span", { class: "clock-word" }, "move forward"),
      h("span", { class: "clock-steps" }, buttons),
    );
    const help = h(
      "button",
      {
        type: "button",
        class: "icon-button help-button",
        "aria-label": "Keyboard shortcuts",
        title: "Keyboard shortcuts (?)",
        onclick: onHelp,
      },
      "?",
    );
    this.name = h("div", {}, workspaceName());
    root.append(this.menu, this.name, new ChaosSwitch().node, group, help);
    on("reset", () => this.name.replaceChildren(workspaceName()));
    on("reset clock", () => this.tick());
    setInterval(() => this.tick(), TICK_MS);
  }

  tick() {
    const { weekday } = zoned(now(), myZone());
    const text = `${DAYS[weekday]} ${clockTime(now(), myZone())}`;
    if (this.time.textContent === text) return;
    this.time.textContent = text;
    this.time.title = `${fullTime(now(), now(), myZone())}, ${myZone()}`;
    refreshTimes();
  }

  async advance(button, ms) {
    if (button.getAttribute("aria-disabled") === "true") return;
    markBusy(button, true);
    try {
      const answer = await post("clock", { advance_ms: ms });
      toast(
        `The clock was moved: it is ${DAYS[zoned(answer.now, myZone()).weekday]} ${clockTime(answer.now, myZone())} now.`,
        "notice",
      );
    } catch (error) {
      toast(error.message);
    } finally {
      markBusy(button, false);
    }
  }
}
