// A list of messages: what one looks like, and that the newest is in view.

import { clock } from "../look/text.js";
import { timeOf } from "./feed.js";

// How many messages a list shows; older ones go.
const shown = 200;

const template = document.getElementById("message");

export class Messages {
  #list;
  #view; // what the list scrolls in
  #rows = new Map(); // by event ID
  #following = true; // until the reader scrolls up

  constructor(list) {
    const view = list.parentElement;
    this.#list = list;
    this.#view = view;
    view.addEventListener("scroll", () => {
      this.#following = view.scrollHeight - view.scrollTop - view.clientHeight < 40;
    });
    new ResizeObserver(() => this.#follow()).observe(view);
  }

  row(id) {
    return this.#rows.get(id);
  }

  // add shows an event, {id, type, value, ephemeral}, and returns its row.
  add(event) {
    const row = render(event);
    if (!event.ephemeral) this.#rows.set(event.id, row);
    this.#append(row);
    return row;
  }

  // note shows a sentence about what stands around it.
  note(text) {
    const row = document.createElement("li");
    row.className = "note";
    row.textContent = text;
    this.#append(row);
  }

  clear() {
    this.#rows.clear();
    this.#list.replaceChildren();
    this.#following = true;
  }

  #append(row) {
    this.#list.append(row);
    if (this.#list.childElementCount > shown) {
      this.#rows.delete(this.#list.firstElementChild.dataset.id);
      this.#list.firstElementChild.remove();
    }
    this.#follow();
  }

  #follow() {
    if (this.#following) this.#view.scrollTop = this.#view.scrollHeight;
  }
}

function render({ id, type, value, ephemeral }) {
  const row = template.content.cloneNode(true).firstElementChild;
  const chat = typeof value?.text === "string";
  const put = (part, text) => (row.querySelector(part).textContent = text);
  put(".who", chat ? String(value.name ?? "") : "");
  put(".what", chat ? value.text : typeof value === "string" ? value : JSON.stringify(value));
  put(".id", ephemeral ? "no ID: ephemeral" : id);
  put(".kind", type === "chat" ? "" : type);
  const when = new Date(ephemeral ? Date.now() : timeOf(id));
  put("time", clock.format(when));
  row.querySelector("time").dateTime = when.toISOString();
  row.dataset.id = id;
  return row;
}
