/**
 * Block Kit's blocks → DOM nodes, for messages, modals and Home. The one rule: a block that is not known here shows the
 * words it holds and breaks nothing.
 */

import { fragment, h, icon, uid } from "./dom.js";
import { element } from "./elements.js";
import { link, plain, textObject } from "./mrkdwn.js";
import { markdown } from "./markdown.js";
import { richText, table } from "./richtext.js";

/** All blocks of a surface, in order. */
export function blockList(surface, blocks) {
  return fragment(blocks.map((block) => blockNode(surface, block)));
}

function blockNode(surface, block) {
  try {
    return (BLOCKS[block.type] ?? unknown)(block, surface);
  } catch (error) {
    console.error("A block could not be drawn", block, error);
    return unknown(block);
  }
}

/** What acts at once: everything in a message and in `actions`, and inputs that ask for it. */
const acting = (surface, block, spec) => element(surface, block, spec, { acts: true });

function section(block, surface) {
  const fields = block.fields?.length
    ? h(
        "div",
        { class: "fields" },
        block.fields.map((field) => h("div", { class: "text" }, textObject(field))),
      )
    : null;
  const body = h(
    "div",
    { class: "section-body" },
    block.text && h("div", { class: "text" }, textObject(block.text)),
    fields,
  );
  const accessory =
    block.accessory &&
    (block.accessory.type === "image" ? picture(block.accessory, "thumb") : acting(surface, block, block.accessory));
  return h(
    "div",
    { class: `block section${accessory ? " with-accessory" : ""}` },
    body,
    accessory && h("div", { class: "accessory" }, accessory),
  );
}

function picture(spec, kind) {
  const url = spec.image_url ?? spec.slack_file?.url;
  const missing = () => h("span", { class: "image-missing" }, spec.alt_text || "Image");
  if (!/^(https:|data:image\/)/i.test(url ?? "")) return missing();
  const image = h("img", {
    src: url,
    alt: spec.alt_text ?? "",
    class: kind,
    loading: "lazy",
    referrerpolicy: "no-referrer",
  });
  image.addEventListener("error", () => image.replaceWith(missing()));
  return image;
}

function context(block) {
  const items = block.elements.map((item) =>
    item.type === "image" ? picture(item, "tiny") : h("span", { class: "text" }, textObject(item)),
  );
  return h("div", { class: "block context" }, items);
}

/** An input with its label, hint and error; groups of boxes are named by the same label. */
function input(block, surface) {
  const spec = block.element;
  const id = uid("field");
  const error = surface.form.errors[block.block_id];
  const isGroup = ["checkboxes", "radio_buttons"].includes(spec.type);
  const [labelId, hintId, errorId] = [`${id}-label`, `${id}-hint`, `${id}-error`];
  const described = [block.hint && hintId, error && errorId].filter(Boolean).join(" ") || null;
  const field = { id, labelId, describedBy: described, invalid: Boolean(error), required: !block.optional };
  const control = element(surface, block, spec, { acts: Boolean(block.dispatch_action), field });
  const label = h(
    isGroup ? "span" : "label",
    { class: "label", id: labelId, for: isGroup ? null : id },
    plain(block.label),
  );
  const need = block.optional
    ? h("span", { class: "optional" }, "optional")
    : h("span", { class: "required", "aria-hidden": "true", title: "Must be filled in" }, "*");
  return h(
    "div",
    { class: `block input${error ? " invalid" : ""}`, dataset: { block: block.block_id } },
    h("div", { class: "label-row" }, label, need),
    control,
    block.hint && h("div", { class: "hint", id: hintId }, plain(block.hint)),
    error && h("div", { class: "field-error", id: errorId, role: "alert" }, icon("warn"), h("span", {}, error)),
  );
}

const LEVELS = { info: "Information", warning: "Warning", error: "Error", success: "Success" };
const STATUS = { pending: "○ Pending", in_progress: "◐ In progress", complete: "✓ Complete", error: "✗ Failed" };

function taskCard(block) {
  const sources = block.sources?.length
    ? h(
        "p",
        { class: "text" },
        block.sources.flatMap((source, i) => [i ? " · " : "", link(source.url, source.text)]),
      )
    : null;
  return h(
    "div",
    { class: "block card" },
    h("div", { class: "card-title" }, block.title, h("span", { class: "status" }, STATUS[block.status] ?? "")),
    block.details && richText(block.details),
    block.output && richText(block.output),
    sources,
  );
}

function card(block, surface) {
  return h(
    "div",
    { class: "block card" },
    block.hero_image && picture(block.hero_image, "wide"),
    block.title && h("div", { class: "card-title" }, textObject(block.title)),
    block.subtitle && h("div", { class: "hint" }, textObject(block.subtitle)),
    block.body && h("div", { class: "text" }, textObject(block.body)),
    block.actions?.length &&
      h(
        "div",
        { class: "element-row" },
        block.actions.map((spec) => acting(surface, block, spec)),
      ),
  );
}

function unknown(block) {
  const words =
    plain(block.text?.text ? block.text : null) || plain(block.title?.text ? block.title : null) || block.alt_text;
  return h(
    "div",
    { class: "block unknown" },
    words || `A block of type “${block.type}” that the simulator does not show.`,
  );
}

const BLOCKS = {
  section,
  context,
  input,
  card,
  task_card: taskCard,
  header: (block) => h("div", { class: "block header", role: "heading", "aria-level": "3" }, plain(block.text)),
  divider: () => h("hr", { class: "block divider" }),
  actions: (block, surface) =>
    h(
      "div",
      { class: "block element-row" },
      block.elements.map((spec) => acting(surface, block, spec)),
    ),
  context_actions: (block, surface) =>
    h(
      "div",
      { class: "block element-row" },
      block.elements.map((spec) => acting(surface, block, spec)),
    ),
  image: (block) =>
    h("figure", { class: "block" }, block.title && h("figcaption", {}, plain(block.title)), picture(block, "wide")),
  markdown: (block) => h("div", { class: "block" }, markdown(block.text)),
  rich_text: (block) => h("div", { class: "block" }, richText(block)),
  table: (block) => h("div", { class: "block" }, table(block)),
  alert: (block) =>
    h(
      "div",
      {
        class: `block alert alert-${block.level ?? "default"}`,
        role: "note",
        "aria-label": LEVELS[block.level] ?? "Note",
      },
      icon(block.level === "success" ? "check" : "warn"),
      h("div", { class: "text" }, textObject(block.text)),
    ),
  video: (block) =>
    h("div", { class: "block" }, link(block.title_url ?? block.video_url, plain(block.title) || block.alt_text)),
  carousel: (block, surface) =>
    h(
      "div",
      { class: "block carousel", tabindex: "0", role: "group", "aria-label": "Cards" },
      block.elements.map((one) => card({ ...one, block_id: one.block_id ?? block.block_id }, surface)),
    ),
  plan: (block) =>
    h(
      "div",
      { class: "block plan", role: "group", "aria-label": block.title },
      h("div", { class: "card-title" }, block.title),
      (block.tasks ?? []).map(taskCard),
    ),
};
