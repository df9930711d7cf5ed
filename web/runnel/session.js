import { Line } from './line.js'
import { Place } from './place.js'

const perLine = 32 // channels that one SSE feed or long-poll carries
const mostLines = 3 // a browser has six connections to a host, and requests need some

/**
 * What one tab holds for the browser: lines to the hub, which know where each
 * channel stands. A line carries so many channels.
 */
export class Session {
  #hub
  #lines = []
  #leading = false

  constructor (hub) { this.#hub = hub }

  /** Begins to read for all tabs. */
  lead () { this.#leading = true }

  /** Reads a channel from a position on; null is now. */
  join (name, position) {
    if (!this.#leading) return
    const known = this.#line(name)?.channels.get(name).position
    if (known) this.#hub.tabs.deliver(name, 'start', { position: known, known: true }, known)
    if (known !== undefined) return
    const line = this.#lines.find(l => l.channels.size < perLine) ?? this.#another()
    if (line) line.join(name, new Place(position))
    else this.refused(name, { code: 'bad_request', message: `at most ${perLine * mostLines} channels at a time` })
  }

  leave (name) {
    const line = this.#line(name)
    if (!line) return
    line.leave(name)
    if (line.channels.size > 0) return
    line.close()
    this.#lines.splice(this.#lines.indexOf(line), 1)
    this.changed()
  }

  #line (name) { return this.#lines.find(l => l.channels.has(name)) }

  #another () {
    if (this.#lines.length === mostLines) return null
    const line = new Line(this.#hub, this)
    this.#lines.push(line)
    return line
  }

  /** A channel cannot be read. */
  refused (name, error) { this.#hub.tabs.deliver(name, 'error', error, null) }

  get channels () { return this.#lines.flatMap(l => [...l.channels.keys()]) }

  /** A message that a line brought for a channel that stands there. */
  receive (name, place, kind, message) {
    const before = place.position
    if (place.take(kind, message) || kind === 'position') this.#hub.tabs.deliver(name, kind, message, before)
  }

  /** A line's state changed: the worst of them is everybody's. */
  changed () {
    const order = ['refused', 'offline', 'connecting', 'connected']
    const state = order.find(s => this.#lines.some(l => l.state === s)) ?? 'connecting'
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
  }
}
