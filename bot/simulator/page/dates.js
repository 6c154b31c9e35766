/**
 * Instants in a person's zone: Slack's date tokens, days, and wall-clock input. The one rule: now and the zone are
 * arguments; this page's own clock and zone are never read here.
 *
 * Tokens as described at docs.slack.dev/messaging/formatting-message-text, "Date formatting". Times are 24-hour.
 */

const DAY_MS = 86_400_000;
const HALF_YEAR_MS = 182 * DAY_MS;
const MONTHS = "January February March April May June July August September October November December".split(" ");
const DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");
const formats = new Map();

function format(tz) {
  if (!formats.has(tz)) {
    const options = {
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    };
    let made;
    try {
      made = new Intl.DateTimeFormat("en-US", { ...options, timeZone: tz || "UTC" });
    } catch {
      made = new Intl.DateTimeFormat("en-US", { ...options, timeZone: "UTC" }); // a zone this browser does not know
    }
    formats.set(tz, made);
  }
  return formats.get(tz);
}

/** The wall clock of an instant (epoch ms) in a zone; `wall` is that clock read as if it were UTC, in ms. */
export function zoned(ms, tz) {
  const found = {};
  for (const { type, value } of format(tz).formatToParts(ms)) found[type] = Number(value);
  const { year, month, day, hour, minute, second } = found;
  const wall = Date.UTC(year, month - 1, day, hour, minute, second);
  return { year, month, day, hour, minute, second, wall, weekday: new Date(wall).getUTCDay() };
}

/** Epoch ms of a wall clock ("YYYY-MM-DD", "HH:mm") in a zone, or null if it does not parse. */
export function instant(date, time, tz) {
  const wall = Date.parse(`${date}T${time}:00Z`);
  if (Number.isNaN(wall)) return null;
  let guess = wall;
  for (let i = 0; i < 2; i += 1) guess += wall - zoned(guess, tz).wall; // twice, for the hours around a clock change
  return guess;
}

const two = (n) => String(n).padStart(2, "0");

/** "2026-11-22" */
export function isoDay(ms, tz) {
  const { year, month, day } = zoned(ms, tz);
  return `${year}-${two(month)}-${two(day)}`;
}

/** "09:05" */
export function clockTime(ms, tz) {
  const { hour, minute } = zoned(ms, tz);
  return `${two(hour)}:${two(minute)}`;
}

function ordinal(day) {
  const teen = day % 100 >= 11 && day % 100 <= 13;
  return `${day}${teen ? "th" : ({ 1: "st", 2: "nd", 3: "rd" }[day % 10] ?? "th")}`;
}

/** "today", "yesterday" or "tomorrow", or null. */
function nearDay(ms, now, tz) {
  const days = Math.floor(zoned(ms, tz).wall / DAY_MS) - Math.floor(zoned(now, tz).wall / DAY_MS);
  return { "-1": "yesterday", 0: "today", 1: "tomorrow" }[days] ?? null;
}

function longDay(ms, now, tz, { short = false, weekday = false } = {}) {
  const at = zoned(ms, tz);
  const month = MONTHS[at.month - 1];
  const day = short ? `${month.slice(0, 3)} ${at.day}` : `${month} ${ordinal(at.day)}`;
  const year = Math.abs(ms - now) < HALF_YEAR_MS ? "" : `, ${at.year}`;
  return `${weekday ? `${DAYS[at.weekday]}, ` : ""}${day}${year}`;
}

/** "5 minutes ago", "in 14 minutes", "yesterday". */
export function ago(ms, now) {
  const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  const seconds = Math.round((ms - now) / 1000);
  const size = Math.abs(seconds);
  if (size < 60) return words.format(seconds, "second");
  if (size < 59.5 * 60) return words.format(Math.round(seconds / 60), "minute");
  if (size < 23.5 * 3600) return words.format(Math.round(seconds / 3600), "hour");
  return words.format(Math.round(seconds / 86_400), "day");
}

const TOKENS = {
  date_num: (ms, now, tz) => isoDay(ms, tz),
  date_slash: (ms, now, tz) => isoDay(ms, tz).replaceAll("-", "/"),
  date: (ms, now, tz) => longDay(ms, now, tz),
  date_short: (ms, now, tz) => longDay(ms, now, tz, { short: true }),
  date_long: (ms, now, tz) => longDay(ms, now, tz, { weekday: true }),
  date_pretty: (ms, now, tz) => nearDay(ms, now, tz) ?? longDay(ms, now, tz),
  date_short_pretty: (ms, now, tz) => nearDay(ms, now, tz) ?? longDay(ms, now, tz, { short: true }),
  date_long_pretty: (ms, now, tz) => nearDay(ms, now, tz) ?? longDay(ms, now, tz, { weekday: true }),
  day_divider_pretty: (ms, now, tz) => nearDay(ms, now, tz) ?? longDay(ms, now, tz, { weekday: true }),
  time: (ms, now, tz) => clockTime(ms, tz),
  time_secs: (ms, now, tz) => `${clockTime(ms, tz)}:${two(zoned(ms, tz).second)}`,
  ago: (ms, now) => ago(ms, now),
};

/** A Slack date string with its `{tokens}` filled in; unknown tokens stay. */
export function formatDate(pattern, ms, now, tz) {
  return pattern.replace(/\{(\w+)\}/g, (whole, name) => TOKENS[name]?.(ms, now, tz) ?? whole);
}

/** "Today", "Yesterday", "Tuesday, November 17th": a heading between days. */
export function dayTitle(ms, now, tz) {
  const text = TOKENS.date_long_pretty(ms, now, tz);
  return text[0].toUpperCase() + text.slice(1);
}

/** "Sunday, November 22nd at 12:04:31": for a tooltip. */
export function fullTime(ms, now, tz) {
  return formatDate("{date_long} at {time_secs}", ms, now, tz);
}
