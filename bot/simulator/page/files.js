/**
 * The files of a message → DOM nodes. The one rule: a picture is shown with its words, a text by its beginning, and
 * everything by a link to the whole of it.
 */

import { h } from "./dom.js";

export function fileList(files) {
  if (!files?.length) return null;
  return h(
    "ul",
    { class: "files", "aria-label": "Files" },
    files.map((file) => h("li", { class: "file", dataset: { file: file.id } }, heading(file), body(file))),
  );
}

function heading(file) {
  return h("div", { class: "file-title" }, opening(file, file.title || file.name), h("span", {}, size(file.size)));
}

function body(file) {
  if (file.kind === "image")
    return h("img", { class: "wide", src: file.path, alt: file.alt_text || file.title || file.name });
  if (!file.preview) return null;
  return [
    h("pre", { tabindex: "0", "aria-label": `The beginning of ${file.name}` }, h("code", {}, file.preview)),
    file.lines_more > 0 && opening(file, `${file.lines_more} more ${file.lines_more === 1 ? "line" : "lines"}`),
  ];
}

function opening(file, words) {
  return h("a", { href: file.path, target: "_blank", rel: "noreferrer noopener" }, words);
}

function size(bytes) {
  return bytes < 1000 ? `${bytes} bytes` : `${Math.round(bytes / 1000)} kB`;
}
