/** Block Kit's date and time pickers, as the browser's own fields. The one rule: wall clocks are in the person's zone. */

import { controlAttributes } from "./controls.js";
import { clockTime, instant, isoDay } from "./dates.js";
import { h } from "./dom.js";
import { myZone } from "./store.js";

/** Native date and time fields. Typing digit by digit is not yet a choice: what acts at once waits for Enter or leaving. */
function dateLike(context, type, toText, toValue, name) {
  let typing = false;
  let sent = toText(context.value);
  const send = () => {
    if (input.value === sent) return;
    sent = input.value;
    context.set(input.value === "" ? null : toValue(input.value));
  };
  const input = h("input", {
    type,
    class: "field date-field",
    value: sent,
    ...controlAttributes(context, name),
    onkeydown: (event) => {
      typing = event.key !== "Enter";
      if (event.key === "Enter" && context.acts) send();
    },
    onpointerdown: () => {
      typing = false;
    },
    onchange: () => (!typing || !context.acts) && send(),
    onblur: send,
  });
  return input;
}

const datetimeText = (seconds) =>
  seconds ? `${isoDay(seconds * 1000, myZone())}T${clockTime(seconds * 1000, myZone())}` : "";
const datetimeValue = (text) => {
  const [date, time] = text.split("T");
  const ms = instant(date, time.slice(0, 5), myZone());
  return ms === null ? null : Math.round(ms / 1000);
};

export const datepicker = (context) =>
  dateLike(
    context,
    "date",
    (value) => value ?? "",
    (text) => text,
    "Choose a date",
  );

export const timepicker = (context) =>
  dateLike(
    context,
    "time",
    (value) => value ?? "",
    (text) => text.slice(0, 5),
    "Choose a time",
  );

export const datetimepicker = (context) =>
  dateLike(context, "datetime-local", datetimeText, datetimeValue, "Choose a date and time");
