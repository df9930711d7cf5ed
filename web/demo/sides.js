// The room that is open, read by plain means: over WebSocket and over SSE side
// by side.

import { Messages } from "./messages.js";
import { Panel } from "./panel.js";
import { SocketFeed } from "./socketfeed.js";
import { SSEFeed } from "./ssefeed.js";

const history = 30;

export class Sides {
  #socket;
  #sse;
  #feeds = [];
  #channel = "";

  constructor(socket, sse) {
    this.#socket = new Side(socket);
    this.#sse = new Side(sse);
    this.#socket.other = this.#sse;
    this.#sse.other = this.#socket;
  }

  read(channel) {
    for (const feed of this.#feeds) feed.close();
    this.#channel = channel;
    this.#feeds = [
      new SocketFeed(channel, history, this.#socket.listener()),
      new SSEFeed(channel, history, ["message", "chat"], this.#sse.listener()),
    ];
    this.#socket.read(this.#feeds[0], channel, "ws");
    this.#sse.read(this.#feeds[1], channel, "events");
  }

  // hear has the EventSource listen to one more type.
  hear(channel, type) {
    if (channel === this.#channel) this.#feeds[1].hear(type);
  }
}

class Side {
  other = null;
  #panel;
  #messages;

  constructor(element) {
    this.#panel = new Panel(element);
    this.#messages = new Messages(this.#panel.part("messages"));
  }

  listener() {
    return this.#panel.listener((event) => event.type === "typing" || this.#add(event));
  }

  read(feed, channel, resource) {
    this.#messages.clear();
    this.#panel.part("address").textContent = `/channels/${channel}/${resource}`;
    this.#panel.run(feed);
  }

  #add(event) {
    const row = this.#messages.add(event);
    if (event.id) this.#pair(event.id, row);
  }

  // #pair marks the event on both sides when both have it, and lets the
  // pointer on one show the other.
  #pair(id, row) {
    row.addEventListener("pointerenter", () => this.#point(id, true));
    row.addEventListener("pointerleave", () => this.#point(id, false));
    const twin = this.other.#messages.row(id);
    if (!twin) return;
    for (const one of [row, twin]) {
      one.querySelector(".dot").dataset.seen = "both";
      one.querySelector(".both").textContent = "came on both";
    }
  }

  #point(id, on) {
    for (const side of [this, this.other]) side.#messages.row(id)?.classList.toggle("pointed", on);
  }
}
