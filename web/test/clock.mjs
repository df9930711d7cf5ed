// A clock of the tests': timers and Date.now go by it, and it moves only when told.

const real = { setTimeout, clearTimeout, setInterval, clearInterval, now: Date.now }
const begin = 1_700_000_000_000

export class Clock {
  #now = begin
  #timers = new Map()
  #count = 0
  lazy = false // whether timers made now go off once a minute at most, as a hidden tab's

  /** Takes the place of the real one until release. */
  constructor () {
    globalThis.setTimeout = (f, ms = 0) => this.#add(f, ms > 2 ** 31 - 1 ? 1 : ms) // as browsers do
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
  get pending () { return [...this.#timers.values()].map(t => String(t.f)) }

  #add (f, ms, every) {
    const { lazy } = this
    const made = ++this.#count
    const then = () => { // what follows from it is of the same tab
      const { lazy: before } = this
      this.lazy = lazy
      try { f() } finally { this.lazy = before }
    }
    const at = this.#now + Math.max(0, ms)
    this.#timers.set(made, { f: then, at: lazy ? Math.ceil(at / 60_000) * 60_000 : at, every })
    return made
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

  /** Somebody sets the clock; timers do not care. */
  turnBack (ms) {
    this.#now -= ms
    for (const timer of this.#timers.values()) timer.at -= ms
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
