// A chat room: a channel that runnel.js reads all the time, so that it can say
// how much came since the room was open, with its history once it is.

import { gapSentence } from "./panel.js";
import { Typists } from "./typing.js";

const history = 50;

export class Room {
  unread = 0;
  complete = true; // what is shown, as far as history goes
  #view = null; // while it is open: {messages, early}
  #begun; // a promise: what comes is heard, or cannot be
  #offs;

  // changed is called when unread or who is typing did.
  constructor(hub, name, changed) {
    this.name = name;
    this.channel = hub.channel(name);
    this.typists = new Typists(changed);
    this.changed = changed;
    this.#offs = [
      this.channel.on("*", (event) => this.#received(event)),
      this.channel.on("gap", (gap) => this.#view?.messages.note(gapSentence(gap))),
    ];
    this.#begun = new Promise((begun) => this.#offs.push(this.channel.on("start", begun), this.channel.on("error", begun)));
  }

  // open shows the newest of the history, and what comes, until shut. What came
  // after history was read and before reading began would be missing.
  async open(messages) {
    const view = (this.#view = { messages, early: [] }); // what comes before its history is there
    this.unread = 0;
    messages.clear();
    await this.#begun;
    if (view !== this.#view) return;
    try {
      const { events } = await this.channel.history({ limit: history });
      if (view !== this.#view) return;
      for (const event of events) this.#show(event);
      this.complete = true;
    } catch (error) {
      if (view !== this.#view) return;
      messages.note(`What was said before cannot be read now: ${error.message}`);
      this.complete = false;
    }
    const { early } = view;
    view.early = null;
    for (const event of early) this.#show(event);
  }

  shut() {
    this.#view = null;
  }

  // leave stops reading the channel.
  leave() {
    this.shut();
    for (const off of this.#offs) off();
    this.channel.close();
  }

  #received(event) {
    if (event.event === "typing") return this.typists.take(event.data);
    if (this.#view?.early) return this.#view.early.push(event);
    if (this.#view) return this.#show(event);
    if (!event.id) return;
    this.unread++;
    this.changed();
  }

  #show({ id = "", event: type, ...event }) {
    const { messages } = this.#view;
    if (id && messages.row(id)) return; // history had it
    messages.add({ id, type, value: "text" in event ? event.text : event.data, ephemeral: !id });
  }
}
