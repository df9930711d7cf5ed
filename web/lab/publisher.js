// The publisher numbers its events and sends them straight to the hub, one
// after the other; one that failed goes again under the same key.

const interval = 500;

export class Publisher {
  #url;
  #sent;
  #running = false;
  #number = 0;

  // sent is called with the number of each event that the hub has taken.
  constructor(channel, sent) {
    this.#url = `/channels/${channel}/events?event=count`;
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
