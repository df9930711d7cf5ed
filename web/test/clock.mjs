// A clock of the tests': timers and Date.now go by it, and it moves only when told.

const real = { setTimeout, clearTimeout, setInterval, clearInterval, now: Date.now }
const begin = 1_700_000_000_000

export class Clock {
  #now = begin
  #timers = new Map()
  #count = 0

  /** Takes the place of the real one until release. */
  constructor () {
    globalThis.setTimeout = (f, ms = 0) => this.#add(f, ms)
    globalThis.setInterval = (f, ms) => this.#add(f, ms, ms)
    globalThis.clearTimeout = globalThis.clearInterval = id => { this.#timers.delete(id) }
    Date.now = () => this.#now
  }

  release () {
    const { now, ...timers } = real
    Object.assign(globalThis, timers)
    Date.now = now
  }

  get now () { return this.#now }
  get waiting () { return this.#timers.size }

  #add (f, ms, every) {
    this.#timers.set(++this.#count, { f, at: this.#now + Math.max(0, ms), every })
    return this.#count
  }

  /** Lets ms go by; what is due happens in its order, and what follows from it before the next. */
  async pass (ms) {
    const until = this.#now + ms
    for (;;) {
      await settle()
      const due = [...this.#timers].filter(([, t]) => t.at <= until).sort(([a, x], [b, y]) => x.at - y.at || a - b)[0]
      if (!due) break
      const [id, timer] = due
      this.#now = Math.max(this.#now, timer.at)
      if (timer.every === undefined) this.#timers.delete(id)
      else timer.at += timer.every
      timer.f()
    }
    this.#now = until
    await settle()
  }

  /** The machine sleeps: time goes by, and no timer with it. */
  sleep (ms) {
    this.#now += ms
    for (const timer of this.#timers.values()) timer.at += ms
  }
}

/** Returns when promises that are settled have been heard by all who wait. */
export function settle () {
  return new Promise(resolve => setImmediate(resolve))
}
