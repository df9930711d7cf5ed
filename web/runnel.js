// runnel.js: a client of the hub for browsers that gets through any firewall
// and never loses its place. The wire protocol is in docs/protocol.md.

import { Channel } from './runnel/channel.js'
import { Emitter } from './runnel/emitter.js'
import { HubError, closed } from './runnel/error.js'
import { known } from './runnel/known.js'
import { Outbox } from './runnel/outbox.js'
import { Requests } from './runnel/requests.js'
import { Session } from './runnel/session.js'
import { Tabs } from './runnel/tabs.js'
import { Tokens } from './runnel/tokens.js'

export { HubError }

/**
 * Intervals in milliseconds; tests make them short.
 */
const defaults = {
  patience: 3000, // before the next rung is tried beside one that shows nothing
  requestTimeout: 15_000, // of an ordinary request
  pollWait: 25_000, // of a long-poll
  backoffMin: 500,
  backoffMax: 30_000,
  winnerFor: 30 * 60_000, // how long a browser remembers which rung worked
  climbMin: 60_000, // until a higher rung is tried again, doubling
  climbMax: 10 * 60_000,
  keyLife: 4.5 * 60_000, // how long the hub surely knows an idempotency key
  beat: 2000, // of the tab that leads
  silence: 6000 // after which another one takes over
}

const rungs = ['ws', 'sse', 'poll']
const settings = ['token', 'transports', 'credentials', 'user', 'share', 'timing']
const starts = ['lastEventId', 'since', 'rewind']

/**
 * Connects to a hub. It returns at once and goes on trying until close.
 *
 * @param {string} [url] the hub's address, such as https://hub.example.com; the page's own by default
 * @param {import('./runnel').Options} [options]
 * @returns {Hub}
 */
export function connect (url = location.origin, options = {}) {
  return new Hub(url, options)
}

/** A connection to a hub, shared by the browser's tabs where they can. */
export class Hub extends Emitter {
  #channels = new Map()
  #closed = false

  constructor (url, options) {
    super()
    known(options, settings)
    this.url = new URL(url, globalThis.location?.href).href.replace(/\/+$/, '')
    this.options = { ...options, transports: options.transports ?? rungs }
    if (!this.options.transports.every(t => rungs.includes(t)) || !this.options.transports.length) throw new TypeError(`transports are some of ${rungs}`)
    this.timing = { ...defaults, ...known(options.timing ?? {}, Object.keys(defaults)) }
    this.tokens = new Tokens(options.token, this.timing.requestTimeout)
    this.requests = new Requests(this)
    this.outbox = new Outbox(this)
    this.session = new Session(this)
    this.state = 'connecting'
    this.transport = null
    this.tabs = new Tabs(this)
    this.#watch()
    this.tabs.start()
  }

  /**
   * The channel of that name; the same one for the same name. Reading begins
   * with its first handler, where `start` says: live from now by default.
   *
   * @param {string} name
   * @param {{lastEventId?: string, since?: string, rewind?: number}} [start]
   */
  channel (name, start) {
    if (this.#closed) throw closed()
    known(start ?? {}, starts)
    let channel = this.#channels.get(name)
    if (!channel) this.#channels.set(name, (channel = new Channel(this, name, start)))
    return channel
  }

  /** Ends everything, and all handlers with it. What waits to be published fails with `closed`; of what is under way the outcome is unknown. */
  close () {
    if (this.#closed) return
    this.#closed = true
    this.#unwatch()
    this.outbox.close()
    this.tabs.close()
    this.session.close()
    this.requests.close()
    this.tokens.close()
    for (const channel of this.#channels.values()) channel.close()
    this.setState('closed', null)
    this.clear()
  }

  get closed () { return this.#closed }

  // What follows is for the modules beside this one.

  /** The channels that are read, with the positions reached. */
  reading () {
    return [...this.#channels.values()].filter(c => c.reading).map(c => ({ name: c.name, position: c.position }))
  }

  /** A message of the session, or of the tab that leads, for this tab. */
  receive (name, kind, message, before) {
    this.#channels.get(name)?.receive(kind, message, before)
  }

  /** The ID of the connection, of this tab or the one that leads. */
  get connection () { return this.session.connection ?? this.sharedConnection }

  setState (state, transport) {
    if (this.state === state && this.transport === transport) return
    this.state = state
    this.transport = transport
    this.emit('state', { state, transport })
  }

  #listeners = []

  #watch () {
    const on = (target, type, f) => {
      target?.addEventListener?.(type, f)
      this.#listeners.push(() => target?.removeEventListener?.(type, f))
    }
    const wake = () => {
      this.session.wake()
      this.outbox.wake()
      for (const channel of this.#channels.values()) channel.wake()
    }
    on(globalThis, 'online', wake)
    on(globalThis, 'offline', () => this.session.offline())
    on(globalThis, 'pageshow', wake)
    on(globalThis.document, 'resume', wake)
    on(globalThis.document, 'visibilitychange', () => document.visibilityState === 'visible' && wake())
    let last = Date.now()
    const tick = setInterval(() => { // a sleep stops timers, not the clock
      if (Date.now() - last > 10_000) wake()
      last = Date.now()
    }, 2000)
    this.#listeners.push(() => clearInterval(tick))
  }

  #unwatch () { for (const off of this.#listeners.splice(0)) off() }
}
