// A feed over a plain WebSocket.

import { Feed } from "./feed.js";

export class SocketFeed extends Feed {
  #socket = null;
  #failures = 0;

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
      case "error":
        return this.trouble(message.message);
    }
  }

  #closed(closing) {
    if (closing.code === 4003) {
      this.close();
      return this.trouble("The hub does not allow this channel.");
    }
    this.reopen(Math.min(500 * 2 ** this.#failures++, 10_000));
  }

  disconnect() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }
}
