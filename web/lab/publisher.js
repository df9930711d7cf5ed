// The publisher numbers its events and sends them straight to the hub, one
// after the other; one that failed goes again under the same key.

const interval = 500;

export class Publisher {
  #url;
  #begun;
  #sent;
  #running = false;
  #number = 0;

  // begun is called with the number of each event before it goes to the hub,
  // sent when the hub has taken it.
  constructor(channel, { begun, sent }) {
    this.#url = `/channels/${channel}/events?event=count`;
    this.#begun = begun;
    this.#sent = sent;
  }

  get running() {
    return this.#running;
  }

  start() {
    if (this.#running) return;
    this.#running = true;
    this.#run();
  }

  stop() {
    this.#running = false;
  }

  async #run() {
    while (this.#running) {
      const began = performance.now();
      this.#begun(this.#number + 1);
      if (await this.#publish(this.#number + 1)) this.#sent(++this.#number);
      await new Promise((done) => setTimeout(done, Math.max(0, interval - (performance.now() - began))));
    }
  }

  async #publish(n) {
    try {
      const answer = await fetch(this.#url, {
        method: "POST",
        headers: { "Content-Type": "application/json", "Idempotency-Key": `lab-${n}` },
        body: JSON.stringify({ n }),
        signal: AbortSignal.timeout(10_000),
      });
      return answer.ok;
    } catch {
      return false;
    }
  }
}
