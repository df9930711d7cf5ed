// The chat room: one channel, read over WebSocket and over SSE side by side.

import { timeOf } from "./feed.js";
import { Panel } from "./panel.js";
import { post } from "./post.js";
import { SocketFeed } from "./socketfeed.js";
import { SSEFeed } from "./ssefeed.js";
import { typing } from "./typing.js";

const channel = "chat:lobby";
const history = 30;
// How many messages a side shows; older ones go.
const shown = 200;

const template = document.getElementById("message");
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

export function room(elements) {
  const sides = [elements.socket, elements.sse].map((element) => new Side(element));
  sides[0].other = sides[1];
  sides[1].other = sides[0];
  const socket = new SocketFeed(channel, history, sides[0].listener());
  const sse = new SSEFeed(channel, history, ["message", "chat"], sides[1].listener());
  sides[0].panel.run(socket);
  sides[1].panel.run(sse);
  speak(elements.say, socket);
  typing(elements.say, elements.say.querySelector('[data-part="typing"]'), channel);
  return { hear: (to, type) => to === channel && sse.hear(type) };
}

class Side {
  other = null;
  #list;
  #following = true; // until the reader scrolls up
  #rows = new Map();

  constructor(element) {
    this.panel = new Panel(element);
    const list = (this.#list = this.panel.part("messages"));
    list.addEventListener("scroll", () => {
      this.#following = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    });
    new ResizeObserver(() => this.#follow()).observe(list);
  }

  listener() {
    return this.panel.listener((event) => event.type === "typing" || this.#add(event));
  }

  #add(event) {
    const row = render(event);
    this.#list.append(row);
    if (event.id) this.#pair(event.id, row);
    if (this.#list.childElementCount > shown) this.#drop(this.#list.firstElementChild);
    this.#follow();
  }

  #follow() {
    if (this.#following) this.#list.scrollTop = this.#list.scrollHeight;
  }

  #drop(row) {
    this.#rows.delete(row.dataset.id);
    row.remove();
  }

  // #pair marks the event on both sides when both have it, and lets the
  // pointer on one show the other.
  #pair(id, row) {
    this.#rows.set(id, row);
    row.addEventListener("pointerenter", () => this.#point(id, true));
    row.addEventListener("pointerleave", () => this.#point(id, false));
    const twin = this.other.#rows.get(id);
    if (!twin) return;
    for (const one of [row, twin]) {
      one.querySelector(".dot").dataset.seen = "both";
      one.querySelector(".both").textContent = "came on both";
    }
  }

  #point(id, on) {
    for (const side of [this, this.other]) side.#rows.get(id)?.classList.toggle("pointed", on);
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

// speak sends over the WebSocket, and by request while that is cut.
function speak(form, socket) {
  const { name, text } = form.elements;
  const outcome = form.querySelector('[data-part="outcome"]');
  name.value = localStorage.getItem("runnel.name") || `guest ${100 + Math.floor(Math.random() * 900)}`;
  name.addEventListener("change", () => localStorage.setItem("runnel.name", name.value));
  form.addEventListener("submit", async (submit) => {
    submit.preventDefault();
    const data = { name: name.value, text: text.value };
    const way = socket.ready ? "WebSocket" : "HTTP";
    try {
      const id = socket.ready
        ? await socket.publish("chat", data)
        : (await post(channel, "chat", "application/json", JSON.stringify(data))).id;
      outcome.textContent = `Published over ${way} as ${id}`;
      outcome.classList.remove("bad");
      if (text.value === data.text) text.value = "";
    } catch (error) {
      outcome.textContent = error.message;
      outcome.classList.add("bad");
    }
    text.focus();
  });
}
