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
