// The score compares what the publisher numbered with what came, and knows
// nothing of the client that brought it.

export class Score {
  begun = 0; // the event that is on its way to the hub, or was last
  sent = 0;
  received = 0;
  doubled = 0;
  #seen = new Set();
  #highest = 0;
  #mark = null;
  recovery = null; // ms, of the last change of the network

  // lost is what was passed over: a channel keeps its order.
  get lost() {
    return this.#highest - this.received;
  }

  receive(n, now) {
    if (this.#seen.has(n)) {
      this.doubled++;
      return;
    }
    this.#seen.add(n);
    this.received++;
    this.#highest = Math.max(this.#highest, n);
    if (this.#mark && n >= this.#mark.number) {
      this.recovery = now - this.#mark.at;
      this.#mark = null;
    }
  }

  // changed has the time to recover counted anew: until an event comes that
  // was begun after the network changed. One on its way may have come before.
  changed(now) {
    this.#mark = { number: this.begun + 1, at: now };
    this.recovery = null;
  }

  // waiting is for how long nothing sent since the change has come, in ms.
  waiting(now) {
    return this.#mark ? now - this.#mark.at : null;
  }
}
