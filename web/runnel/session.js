import { Place } from './channel.js'
import { Line } from './line.js'

const perLine = 32 // channels that one SSE feed or long-poll carries
const mostLines = 3 // a browser has six connections to a host, and requests need some

/**
 * What one tab holds for the browser: lines to the hub, and where each channel
 * stands. A line carries so many channels.
 */
export class Session {
  #hub
  #lines = []
  #places = new Map()
  #leading = false

  constructor (hub) { this.#hub = hub }

  /** Begins to read for all tabs. */
  lead () { this.#leading = true }

  /** Reads a channel from a position on; null is now. */
  join (name, position) {
    if (!this.#leading) return
    const known = this.#places.get(name)
    if (known) {
      if (known.position !== null) this.#hub.tabs.deliver(name, 'start', { position: known.position, known: true }, known.position)
      return
    }
    let line = this.#lines.find(l => l.channels.size < perLine)
    if (!line && this.#lines.length === mostLines) {
      this.#hub.tabs.deliver(name, 'error', { code: 'bad_request', message: `at most ${perLine * mostLines} channels at a time` }, null)
      return
    }
    if (!line) this.#lines.push((line = new Line(this.#hub, this)))
    this.#places.set(name, new Place(position))
    line.join(name)
  }

  leave (name) {
    if (!this.#places.delete(name)) return
    const line = this.#lines.find(l => l.channels.has(name))
    line?.leave(name)
    if (!line || line.channels.size > 0) return
    line.close()
    this.#lines.splice(this.#lines.indexOf(line), 1)
  }

  /** A channel that cannot be read. */
  refused (name, error) {
    this.#places.delete(name)
    this.#hub.tabs.deliver(name, 'error', error, null)
  }

  get channels () { return [...this.#places.keys()] }

  position (name) { return this.#places.get(name)?.position ?? null }

  /** A message that a line brought. */
  receive (name, kind, message) {
    const place = this.#places.get(name)
    if (!place) return
    const before = place.position
    if (place.take(kind, message) || kind === 'position') this.#hub.tabs.deliver(name, kind, message, before)
  }

  /** A line's state changed: the worst of them is everybody's. */
  changed () {
    const order = ['refused', 'offline', 'connecting', 'connected']
    const state = order.find(s => this.#lines.some(l => l.state === s)) ?? 'connected'
    this.#hub.tabs.changed(state, this.#lines[0]?.transport ?? null)
  }

  /** The connection's ID, for exclude. */
  get connection () { return this.#lines[0]?.connection }

  /** Publishes over a WebSocket, where there is one; the promise has the result. */
  publish (body) { return this.#lines.find(l => l.publishes)?.publish(body) ?? null }

  wake () { for (const line of this.#lines) line.wake() }

  offline () { for (const line of this.#lines) line.offline() }

  /** Stops reading, as where another tab leads now. */
  close () {
    this.#leading = false
    for (const line of this.#lines.splice(0)) line.close()
    this.#places.clear()
  }
}
