// A feed over a plain WebSocket, which can publish too.

import { Feed } from "./feed.js";

export class SocketFeed extends Feed {
  #socket = null;
  #failures = 0;
  #ref = 0;
  #waiting = new Map();

  connect() {
    const url = this.url("ws");
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.addEventListener("message", (message) => {
      if (socket === this.#socket) this.#read(JSON.parse(message.data));
    });
    socket.addEventListener("close", (closing) => {
      if (socket === this.#socket) this.#closed(closing);
    });
  }

  get ready() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  // publish resolves to the event's ID.
  publish(event, data) {
    const ref = ++this.#ref;
    return new Promise((resolve, reject) => {
      this.#waiting.set(ref, { resolve, reject });
      this.#socket.send(JSON.stringify({ type: "publish", event, data, ref }));
    });
  }

  #read(message) {
    this.alive();
    switch (message.type) {
      case "subscribed":
        this.#failures = 0;
        return this.started(message.last_event_id);
      case "event": {
        const { id = "", event: type = "message" } = message;
        return this.received({ id, type, value: "data" in message ? message.data : message.text, ephemeral: !id });
      }
      case "gap":
        return this.gap(message);
      case "position":
        return this.move(message.last_event_id);
      case "published":
        return this.#settle(message.ref, (waiting) => waiting.resolve(message.id));
      case "error": {
        const known = this.#settle(message.ref, (waiting) => waiting.reject(new Error(message.message)));
        return known || this.trouble(message.message);
      }
    }
  }

  #settle(ref, how) {
    const waiting = this.#waiting.get(ref);
    if (!waiting) return false;
    this.#waiting.delete(ref);
    how(waiting);
    return true;
  }

  #closed(closing) {
    this.#abandon();
    if (closing.code === 4003) {
      this.close();
      return this.trouble("The hub does not allow this channel.");
    }
    this.reopen(Math.min(500 * 2 ** this.#failures++, 10_000));
  }

  #abandon() {
    for (const { reject } of this.#waiting.values()) {
      reject(new Error("The connection ended before the answer; perhaps it was published."));
    }
    this.#waiting.clear();
  }

  disconnect() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.#abandon();
  }
}
