// A feed over the browser's own EventSource.

import { Feed } from "./feed.js";

export class SSEFeed extends Feed {
  #source = null;
  #types;

  // An EventSource hears only the event types it was told of.
  constructor(channel, rewind, types, listener) {
    super(channel, rewind, listener);
    this.#types = new Set(types);
  }

  hear(type) {
    if (this.#types.has(type)) return;
    this.#types.add(type);
    if (this.#source) this.#listen(this.#source, type);
  }

  connect() {
    const source = new EventSource(this.url("events"));
    this.#source = source;
    source.addEventListener("runnel.welcome", (message) => {
      this.started(message.lastEventId);
      this.welcome(JSON.parse(message.data));
    });
    source.addEventListener("runnel.gap", (message) => this.gap(JSON.parse(message.data)));
    source.addEventListener("runnel.heartbeat", () => this.alive());
    source.addEventListener("runnel.error", (message) => this.trouble(sentence(message.data)));
    source.addEventListener("error", () => this.#failed(source));
    for (const type of this.#types) this.#listen(source, type);
  }

  // The browser reconnects by itself, with its Last-Event-ID, unless it was
  // answered with anything but 200: then it gives up, and we begin anew.
  #failed(source) {
    if (source.readyState === EventSource.CLOSED) this.reopen(3000);
    else this.state("reconnecting");
  }

  #listen(source, type) {
    source.addEventListener(type, (message) => {
      this.alive();
      // An ephemeral event has no ID, and leaves the last one as it is.
      const id = message.lastEventId === this.position ? "" : message.lastEventId;
      this.received({ id, type, value: parsed(message.data), ephemeral: !id });
    });
  }

  disconnect() {
    this.#source?.close();
    this.#source = null;
  }
}

function parsed(data) {
  try {
    return JSON.parse(data);
  } catch {
    return data;
  }
}

function sentence(data) {
  const value = parsed(data);
  return value?.message ?? value?.error?.message ?? String(data);
}
