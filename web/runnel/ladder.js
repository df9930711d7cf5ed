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

/**
 * One go at some rungs: each is tried beside those before it when they show
 * nothing in time, or fail. The owner stops it when a link works; it has failed
 * when all links have, when the hub itself says no, or when the last rung has
 * had its time. A slow or broken rung costs seconds this way, and a hub that is
 * down demotes none.
 */
export class Attempt {
  began = Date.now()
  #rungs
  #waits
  #open
  #failed
  #links = new Set()
  #newest
  #timer

  /**
   * @param {string[]} rungs in their order, one at least
   * @param {{patience: number, last: number}} waits with a rung, and with all after the last
   * @param {(rung: string, down: (link: Link, why: object) => void) => Link} open
   * @param {(why: object) => void} failed
   */
  constructor (rungs, waits, open, failed) {
    this.#rungs = [...rungs]
    this.#waits = waits
    this.#open = open
    this.#failed = failed
    this.#next()
  }

  #next () {
    const rung = this.#rungs.shift()
    const { patience, last } = this.#waits
    clearTimeout(this.#timer)
    this.#timer = this.#rungs.length > 0 ? setTimeout(() => this.#next(), patience) : setTimeout(() => this.#fail({ kind: 'broken' }), last)
    this.#newest = this.#open(rung, (link, why) => this.#down(link, why))
    this.#links.add(this.#newest)
  }

  #down (link, why) {
    this.#links.delete(link)
    if (why.kind !== 'broken') this.#fail(why)
    else if (link === this.#newest && this.#rungs.length > 0) this.#next()
    else if (this.#links.size === 0) this.#fail(why)
  }

  #fail (why) {
    this.stop()
    this.#failed(why)
  }

  /** Ends all links but the one that works. */
  stop (working) {
    clearTimeout(this.#timer)
    this.#links.delete(working)
    for (const link of this.#links) link.close()
    this.#links.clear()
  }
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
