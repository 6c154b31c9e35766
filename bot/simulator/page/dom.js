/**
 * Building DOM nodes. The one rule: data becomes text nodes and attributes, never markup.
 */

const PROPERTIES = new Set(["value", "checked", "disabled", "selected", "hidden", "open", "textContent"]);
const SVG = "http://www.w3.org/2000/svg";
let lastId = 0;

/** An element. `on…` props are listeners, `dataset` and `style` are objects; null, undefined and false are left out. */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    setProp(node, name, value);
  }
  append(node, children);
  return node;
}

function setProp(node, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
  else if (name === "dataset") Object.assign(node.dataset, value);
  else if (name === "style") for (const [key, one] of Object.entries(value)) node.style.setProperty(key, one);
  else if (PROPERTIES.has(name)) node[name] = value;
  else node.setAttribute(name, value === true ? "" : String(value));
}

/** Append nodes and strings, flattening lists and leaving out null, undefined and false. */
export function append(node, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return node;
}

/** A document fragment of the children. */
export function fragment(...children) {
  return append(document.createDocumentFragment(), ...children);
}

/** An id that no other element of this page has. */
export function uid(prefix) {
  lastId += 1;
  return `${prefix}-${lastId}`;
}

const ICONS = {
  hash: "M6.5 2.5 5 13.5M11 2.5 9.5 13.5M2.5 5.8h11.2M2.2 10.2h11.2",
  lock: "M4 7.5h8v6H4zM5.7 7.2V5a2.3 2.3 0 0 1 4.6 0v2.2",
  thread: "M2.5 3.5h11v7h-6l-3 2.6v-2.6h-2z",
  close: "m4 4 8 8M12 4l-8 8",
  menu: "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
  back: "M9.8 3.2 5 8l4.8 4.8",
  down: "m4 6.2 4 4 4-4",
  eye: "M1.5 8S4 3.7 8 3.7 14.5 8 14.5 8 12 12.3 8 12.3 1.5 8 1.5 8zM8 6.2a1.8 1.8 0 1 1 0 3.6 1.8 1.8 0 0 1 0-3.6z",
  send: "M2.6 8 13.4 2.7 10.6 13.4 7.6 9z M7.6 9l5.8-6.3",
  clock: "M8 2.2a5.8 5.8 0 1 1 0 11.6A5.8 5.8 0 0 1 8 2.2zM8 4.8V8l2.3 1.5",
  check: "m3.2 8.6 3 3 6.6-7",
  bolt: "M9 1.8 3.4 9.2h4L7 14.2l5.6-7.4h-4z",
  more: "M3.4 8h.01M8 8h.01M12.6 8h.01",
  warn: "M8 2.4 14.4 13.4H1.6zM8 6.4v3.2M8 11.6h.01",
  trash: "M3 4.5h10M6.3 4.2V2.8h3.4v1.4M4.4 4.5l.6 8.8h6l.6-8.8",
  external: "M6.5 3.5h-3v9h9v-3M9 2.9h4.1V7M13 3 7.6 8.4",
  calendar: "M2.7 3.8h10.6v9.5H2.7zM2.7 6.8h10.6M5.5 2.3v2.6M10.5 2.3v2.6",
};

/** A decorative line icon of 16 × 16 units, hidden from assistive technology. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(path(ICONS[name]));
  return svg;
}

/** The mark of the app: a hexagonal cell. */
export function mark() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 32 32");
  svg.setAttribute("class", "mark");
  svg.setAttribute("aria-hidden", "true");
  const cell = path("M16 2.5 28 9.3v13.4L16 29.5 4 22.7V9.3z");
  cell.setAttribute("class", "mark-cell");
  const line = path("M10.2 11.5 16 21.2l5.8-9.7");
  line.setAttribute("class", "mark-line");
  svg.append(cell, line);
  return svg;
}

function path(d) {
  const node = document.createElementNS(SVG, "path");
  node.setAttribute("d", d);
  return node;
}

/**
 * Run `render`, which replaces what is in `container`, and put the focus (and the caret) back on the element with the
 * same `data-focus-key`. Where that is gone, the container itself gets the focus, so that the keyboard keeps its place.
 */
export function keepingFocus(container, render) {
  const active = document.activeElement;
  const inside = active && active !== container && container.contains(active);
  const key = inside ? active.closest("[data-focus-key]")?.dataset.focusKey : undefined;
  const caret = inside && "selectionStart" in active ? [active.selectionStart, active.selectionEnd] : null;
  render();
  if (!inside) return;
  const successor = key && container.querySelector(`[data-focus-key="${CSS.escape(key)}"]`);
  const target = successor || container;
  target.focus({ preventScroll: true });
  if (successor && caret && caret[0] !== null && typeof successor.setSelectionRange === "function") {
    successor.setSelectionRange(...caret);
  }
}

/** `fn` called once per frame at most, however often the result is called; also while the page is in the background. */
export function batched(fn) {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    queueMicrotask(() => {
      due = false;
      fn();
    });
  };
}
