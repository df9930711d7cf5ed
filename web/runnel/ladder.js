/** The rungs of the ladder: which comes first, and when a better one is tried again. */
export class Ladder {
  #rungs
  #timing
  #memory
  #instead = null // of the rung that worked last
  #silences = 0 // of links in a row that ended in silence
  wait // until the next climb, in ms

  constructor (hub) {
    this.#rungs = hub.options.transports
    this.#timing = hub.timing
    this.#memory = new Remembered(hub)
    this.wait = hub.timing.climbMin
  }

  /** All rungs, beginning with the one that worked last. */
  get rungs () {
    const first = Math.max(0, this.#rungs.indexOf(this.#instead ?? this.#memory.rung))
    return [...this.#rungs.slice(first), ...this.#rungs.slice(0, first)]
  }

  /** The better rungs. */
  above (rung) { return this.#rungs.slice(0, this.#rungs.indexOf(rung)) }

  worked (rung) {
    this.#memory.rung = rung
    this.#instead = null
  }

  /** A link that worked is gone. What lets the welcome through and no heartbeats does not work. */
  broke ({ rung, heartbeat }, lived, silent = false) {
    this.#silences = silent ? this.#silences + 1 : 0
    const i = this.#rungs.indexOf(rung)
    if (silent && (lived < 3 * heartbeat || this.#silences > 1)) this.#instead = this.#rungs[(i + 1) % this.#rungs.length]
    else if (i === 0 && !silent) this.wait = this.#timing.climbMin
  }

  /** Each climb is rarer. */
  climbed () { this.wait = Math.min(2 * this.wait, this.#timing.climbMax) }
}

/** Which rung worked last in this browser, for a while. */
export class Remembered {
  #key
  #life
  #rung = null
  #until = 0

  constructor (hub) {
    this.#key = `runnel ${hub.url}`
    this.#life = hub.timing.winnerFor
    try {
      const [rung, until] = (localStorage.getItem(this.#key) ?? '').split(' ')
      if (Number(until) <= Date.now() + this.#life) [this.#rung, this.#until] = [rung, Number(until)]
    } catch {} // no storage: it is remembered by this page alone
  }

  get rung () { return Date.now() < this.#until ? this.#rung : null }

  set rung (rung) {
    this.#rung = rung
    this.#until = Date.now() + this.#life
    try { localStorage.setItem(this.#key, `${rung} ${this.#until}`) } catch {}
  }
}
