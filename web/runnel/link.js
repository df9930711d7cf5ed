/**
 * A link is one way of reading channels: it opens once, works from the hub's
 * welcome on, and goes down once. Its owner hears of it:
 *
 * working() · message(channel, place, kind, message) · expiring() · down({kind, retryAfter, token})
 *
 * where kind is `broken` (the network, or what stands in it), `busy` (the hub
 * says to come again), `token` (a new one is needed) or `refused` (no use).
 */
export class Link {
  #watchdog
  #over = false

  constructor (hub, channels, owner) {
    this.hub = hub
    this.channels = channels // name → Place: what it carries
    this.owner = owner
    this.since = 0 // when it began to work
    this.heard = Date.now()
    this.connection = undefined
    this.token = null // it was opened with
    this.heartbeat = 0 // ms between signs of life at most
  }

  get over () { return this.#over }

  /** The hub is there. */
  welcome ({ connection, heartbeat }) {
    this.connection = connection
    this.heartbeat = 1000 * heartbeat
    this.alive()
    if (this.since > 0) return
    this.since = Date.now()
    this.#watch()
    this.owner.working()
  }

  /** Something came. */
  alive () { this.heard = Date.now() }

  /** Silence of twice the heartbeat means a dead connection, one far longer that the machine slept. */
  #watch () {
    const most = 2 * this.heartbeat
    const left = this.heard + most - Date.now()
    if (left > 0) this.#watchdog = setTimeout(() => this.#watch(), Math.min(left, most)) // clocks go back at times
    else if (most > 0) this.end({ kind: 'broken', silent: left > -10_000 })
  }

  /** Tells its owner what came for a channel. */
  tell (name, kind, message) {
    const place = this.channels.get(name)
    if (place && !this.#over) this.owner.message(name, place, kind, message)
  }

  /** After a sleep, in which no time passes for timers: whether it still lives. */
  check () {
    if (this.heartbeat > 0 && Date.now() - this.heard > 2 * this.heartbeat) this.end({ kind: 'broken' })
  }

  /** Goes down, and says so once. */
  end (why) {
    if (this.#over) return
    this.close()
    this.owner.down({ token: this.token, ...why })
  }

  /** Goes down without a word. */
  close () {
    this.#over = true
    clearTimeout(this.#watchdog)
    this.hangUp()
  }
}
