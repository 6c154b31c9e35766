/**
 * A select of Block Kit as an editable combobox with a list: one or several choices, from a list at hand or from the
 * app while typing. The one rule: the value that it reports is plain JSON, a string or null, or a list of strings.
 *
 * Keyboard: ARIA Authoring Practices, "Combobox With List Autocomplete".
 */

import { append, h, icon, uid } from "./dom.js";
import { hide, show } from "./popup.js";

const TYPING_PAUSE_MS = 180;

/**
 * `options`: {search(query) → list or promise of [{label?, options: [{value, text, detail?, face?}]}], several,
 * value, labelOf(value), placeholder, most, minQuery, onChange(value), input: attributes of the text field}.
 */
export class Picker {
  constructor(options) {
    this.options = options;
    this.value = options.several ? [...(options.value ?? [])] : (options.value ?? null);
    this.shown = [];
    this.active = -1;
    this.asked = 0;
    this.build();
    this.drawValue();
  }

  build() {
    const { input, placeholder, several } = this.options;
    this.list = h("div", {
      class: "popup options",
      popover: "manual",
      role: "listbox",
      id: uid("options"),
      "aria-multiselectable": several ? "true" : null,
      "aria-label": input["aria-label"] ?? "Choices",
    });
    this.input = h("input", {
      type: "text",
      role: "combobox",
      autocomplete: "off",
      spellcheck: "false",
      placeholder,
      "aria-expanded": "false",
      "aria-controls": this.list.id,
      "aria-autocomplete": "list",
      ...input,
      oninput: () => this.search(this.input.value, TYPING_PAUSE_MS),
      onclick: () => this.open(),
      onkeydown: (event) => this.key(event),
      onblur: () => this.close(),
    });
    this.chips = h("span", { class: "picker-chips" });
    this.clear = several
      ? null
      : h(
          "button",
          { type: "button", class: "picker-clear", "aria-label": "Clear the choice", onclick: () => this.choose(null) },
          icon("close"),
        );
    this.node = h(
      "div",
      { class: several ? "picker picker-several" : "picker" },
      this.chips,
      this.input,
      this.clear,
      icon("down"),
      this.list,
    );
    this.list.addEventListener("pointerdown", (event) => event.preventDefault()); // the field keeps the focus
  }

  get expanded() {
    return this.input.getAttribute("aria-expanded") === "true";
  }

  get busy() {
    return this.input.getAttribute("aria-disabled") === "true";
  }

  open() {
    if (this.expanded || this.busy) return;
    this.input.setAttribute("aria-expanded", "true");
    if (!this.options.several) this.input.select();
    this.search("", 0);
  }

  close() {
    this.asked += 1;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
    hide(this.list);
    this.drawValue();
  }

  async search(query, pause) {
    this.input.setAttribute("aria-expanded", "true");
    this.asked += 1;
    const mine = this.asked;
    if (query.length < (this.options.minQuery ?? 0))
      return this.draw([], `Type ${this.options.minQuery} characters or more`);
    if (this.options.remote) {
      this.draw([], "Searching…");
      await new Promise((resolve) => setTimeout(resolve, pause));
      if (mine !== this.asked) return undefined;
    }
    try {
      const groups = await this.options.search(query);
      if (mine === this.asked) this.draw(groups, "No matches");
    } catch (error) {
      if (mine === this.asked) this.draw([], error.message);
    }
    return undefined;
  }

  draw(groups, empty) {
    this.list.replaceChildren();
    this.shown = [];
    for (const group of groups) {
      const rows = group.options.map((option) => this.row(option));
      if (!rows.length) continue;
      append(
        this.list,
        group.label
          ? h(
              "div",
              { role: "group", "aria-label": group.label },
              h("div", { class: "options-label", "aria-hidden": "true" }, group.label),
              rows,
            )
          : rows,
      );
    }
    if (!this.shown.length)
      append(this.list, h("div", { class: "options-empty", role: "option", "aria-disabled": "true" }, empty));
    const chosen = this.shown.findIndex(({ option }) => option.value === this.value);
    this.activate(chosen >= 0 ? chosen : this.shown.length ? 0 : -1);
    if (this.input.isConnected) show(this.list, this.node, { wide: true });
  }

  row(option) {
    const selected = this.options.several ? this.value.includes(option.value) : this.value === option.value;
    const row = h(
      "div",
      {
        role: "option",
        class: "option",
        id: uid("option"),
        "aria-selected": String(selected),
        onclick: () => this.choose(option),
      },
      option.face,
      h("span", { class: "option-text" }, option.text, option.detail && h("small", {}, option.detail)),
      icon("check"),
    );
    this.shown.push({ option, row });
    return row;
  }

  activate(index) {
    this.shown[this.active]?.row.classList.remove("active");
    this.active = index;
    const row = this.shown[index]?.row;
    if (!row) return this.input.removeAttribute("aria-activedescendant");
    row.classList.add("active");
    this.input.setAttribute("aria-activedescendant", row.id);
    return row.scrollIntoView({ block: "nearest" });
  }

  choose(option) {
    if (this.busy) return;
    if (option) this.options.remember?.(option);
    if (!this.options.several) {
      this.set(option ? option.value : null);
      this.close();
      if (!option) this.input.focus();
      return;
    }
    const has = this.value.includes(option.value);
    if (!has && this.options.most && this.value.length >= this.options.most) return;
    this.set(has ? this.value.filter((one) => one !== option.value) : [...this.value, option.value]);
    this.input.value = "";
    this.drawValue();
    this.search("", 0);
  }

  set(value) {
    if (value === this.value) return;
    this.value = value;
    this.options.onChange(value, this.input);
  }

  drawValue() {
    if (!this.options.several) {
      this.input.value = this.value === null ? "" : this.options.labelOf(this.value);
      this.clear.hidden = this.value === null || this.options.required;
      return;
    }
    this.input.value = "";
    this.chips.replaceChildren(
      ...this.value.map((one) => {
        const label = this.options.labelOf(one);
        const drop = () => {
          this.set(this.value.filter((other) => other !== one));
          this.drawValue();
          this.input.focus();
        };
        return h(
          "span",
          { class: "chip" },
          label,
          h("button", { type: "button", "aria-label": `Remove ${label}`, onclick: drop }, icon("close")),
        );
      }),
    );
    this.input.placeholder = this.value.length ? "" : (this.options.placeholder ?? "");
  }

  key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      if (!this.expanded) this.open();
      else if (this.shown.length) this.activate((this.active + step + this.shown.length) % this.shown.length);
    } else if (event.key === "Enter" && this.expanded) {
      if (this.shown[this.active]) this.choose(this.shown[this.active].option);
    } else if (event.key === "Escape" && this.expanded) {
      this.close();
    } else if (event.key === "Backspace" && this.options.several && this.input.value === "" && this.value.length) {
      this.set(this.value.slice(0, -1));
      this.drawValue();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
