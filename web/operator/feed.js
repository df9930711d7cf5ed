// A feed reads channels over the browser's own EventSource and goes on where
// it was, whatever ends it. Its listener hears
//
//   state(name)     "connecting", "live", "reconnecting", "closed"
//   event(envelope) of any of the channels
//   gap(gap)        what is missing
//   trouble(error)  why it does not come
//   welcome(data)   what the hub says of itself, if anybody wants to know

import { address, Refused } from "./session.js";

// The hub is never silent for longer than 25 s.
const silence = 65_000;

export class Feed {
  #channels;
  #start;
  #listener;
  #source = null;
  #position = "";
  #watchdog = 0;
  #again = 0;
  #round = 0; // of connecting: an older one that comes late is nobody's

  constructor(channels, start, listener) {
    this.#channels = channels;
    this.#start = start;
    this.#listener = listener;
  }

  async open() {
    const round = this.#end();
    this.#listener.state(this.#position ? "reconnecting" : "connecting");
    try {
      const start = this.#position ? { last_event_id: this.#position } : this.#start;
      const url = await address(this.#channels, start);
      if (round === this.#round) this.#connect(url);
    } catch (error) {
      if (round !== this.#round) return;
      this.#listener.trouble(error);
      if (error instanceof Refused) this.close();
      else this.#reopen();
    }
  }

  close() {
    this.#end();
    this.#listener.state("closed");
  }

  #end() {
    clearTimeout(this.#watchdog);
    clearTimeout(this.#again);
    this.#source?.close();
    this.#source = null;
    return ++this.#round;
  }

  #reopen() {
    this.#end();
    this.#listener.state("reconnecting");
    this.#again = setTimeout(() => this.open(), 2000 + Math.random() * 2000);
  }

  #alive(message) {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#reopen(), silence);
    if (message.lastEventId) this.#position = message.lastEventId;
  }

  #connect(url) {
    const source = new EventSource(url);
    this.#source = source;
    const on = (type, handle) =>
      source.addEventListener(type, (message) => {
        this.#alive(message);
        handle(message.data && JSON.parse(message.data));
      });
    on("runnel.welcome", (welcome) => {
      this.#listener.welcome?.(welcome);
      this.#listener.state("live");
    });
    on("runnel.heartbeat", () => {});
    on("runnel.gap", (gap) => this.#listener.gap?.(gap));
    on("runnel.error", ({ error }) => this.#listener.trouble(new Error(error.message)));
    on("message", (envelope) => this.#listener.event(envelope));
    source.addEventListener("error", () => {
      // The browser comes back by itself unless it was answered with anything
      // but 200: then the ticket may have ended, and a new one says more.
      if (source.readyState === EventSource.CLOSED) this.#reopen();
      else this.#listener.state("reconnecting");
    });
  }
}
