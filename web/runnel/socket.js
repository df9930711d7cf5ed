import { HubError, passing } from './requests.js'
import { Backoff } from './wait.js'

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
    this.owner.working()
  }

  /** Something came. Silence of twice the heartbeat means a dead connection. */
  alive () {
    this.heard = Date.now()
    clearTimeout(this.#watchdog)
    if (this.heartbeat > 0 && !this.#over) this.#watchdog = setTimeout(() => this.end({ kind: 'broken', silent: true }), 2 * this.heartbeat)
  }

  /** Tells its owner what came for a channel. */
  tell (name, kind, message) {
    const place = this.channels.get(name)
    if (place && !this.#over) this.owner.message(name, place, kind, message)
  }

  /** After a sleep, in which no time passes for timers: whether it still lives. */
  check () {
    if (Date.now() - this.heard > 2 * this.heartbeat) this.end({ kind: 'broken' })
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

/** What an error means for a link. A proxy's refusal is the network's, but for its 5xx and 429. */
export function kindOf ({ code, foreign, status }) {
  if (foreign && status < 500 && status !== 429) return 'broken'
  switch (code) {
    case 'unauthorized': return 'token'
    case 'forbidden':
    case 'bad_request':
    case 'not_found': return 'refused'
    case 'network': return 'broken'
    default: return 'busy'
  }
}

const kinds = { 1001: 'busy', 1011: 'busy', 1012: 'busy', 1013: 'busy', 4001: 'token', 4003: 'refused', 4008: 'busy', 4009: 'busy' }

/** A WebSocket. It takes more channels, a new token and publishes as it is. */
export class Socket extends Link {
  #ws
  #ref = 0
  #asked = new Map() // what waits for its answer, by ref
  #held = new Map() // name → Place: the hub's subscriptions
  #asking = new Set() // channels whose subscription is about to change
  #again = new Set() // channels that the hub could not see to yet
  #timer // until it is asked again
  #backoff = new Backoff(this.hub.timing)
  channels = new Map() // those that joined

  async open () {
    try { this.token = await this.hub.tokens.get() } catch { return this.end({ kind: 'busy' }) }
    if (this.over) return
    try {
      this.#ws = new WebSocket(this.hub.url.replace(/^http/, 'ws') + '/ws')
    } catch { return this.end({ kind: 'broken' }) } // the page's policy forbids it
    this.#ws.onopen = () => { if (this.token) this.renew(this.token) }
    this.#ws.onmessage = ({ data }) => this.#receive(data)
    this.#ws.onclose = ({ code }) => this.end({ kind: kinds[code] ?? 'broken' })
  }

  join (name, place) {
    this.channels.set(name, place)
    this.#put(name)
  }

  leave (name) {
    this.channels.delete(name)
    this.#put(name)
  }

  /** Messages of a subscription that is to end are not those of one to come. */
  tell (name, kind, message) { if (this.#held.get(name) === this.channels.get(name)) super.tell(name, kind, message) }

  /** Takes the hub's subscription to what the channel is now, step by step. */
  #put (name) {
    const held = this.#held.get(name)
    const place = this.channels.get(name)
    if (held === place || this.#asking.has(name) || this.over) return
    this.#asking.add(name)
    if (!held) this.#held.set(name, place) // events may come before the answer
    const from = !held && place.position !== null && { last_event_id: place.position }
    this.#ask({ type: held ? 'unsubscribe' : 'subscribe', channel: name, ...from }, answer => {
      if (answer === null) return
      this.#asking.delete(name)
      if (passing.has(answer.code)) return this.#putLater(name, held)
      if (held) this.#held.delete(name)
      else if (answer.type === 'subscribed') this.#subscribed(name, answer)
      else this.#refused(name, answer)
      this.#put(name)
    })
  }

  #putLater (name, held) {
    if (!held) this.#held.delete(name)
    this.#again.add(name)
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      const names = [...this.#again]
      this.#again.clear()
      for (const name of names) this.#put(name)
    }, this.#backoff.next(1000))
  }

  #subscribed (name, { last_event_id: position }) {
    this.#backoff.reset()
    this.tell(name, 'start', { position })
  }

  #refused (name, error) {
    this.tell(name, 'error', error)
    if (this.#held.get(name) === this.channels.get(name)) this.channels.delete(name)
    this.#held.delete(name)
  }

  /** The promise has {id} or {error}, or fails when the connection does. */
  publish (body) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new HubError('timeout', 'the hub did not answer in time')), this.hub.timing.requestTimeout)
      this.#ask({ type: 'publish', ...body }, answer => {
        clearTimeout(timer)
        if (answer === null) reject(new HubError('network', 'the connection broke'))
        else resolve(answer.type === 'published' ? { id: answer.id } : { error: { code: answer.code, message: answer.message } })
      })
    })
  }

  renew (token) {
    this.token = token
    this.#send({ type: 'auth', token })
  }

  /** A WebSocket can be asked. */
  check () {
    if (Date.now() - this.heard < 1000) return
    const timer = setTimeout(() => this.end({ kind: 'broken' }), this.hub.timing.patience)
    this.#ask({ type: 'ping' }, () => clearTimeout(timer))
  }

  hangUp () {
    clearTimeout(this.#timer)
    if (this.#ws) {
      this.#ws.onopen = this.#ws.onmessage = this.#ws.onclose = null
      this.#ws.close()
    }
    for (const answer of this.#asked.values()) answer(null)
    this.#asked.clear()
  }

  #send (message) {
    if (this.#ws?.readyState === WebSocket.OPEN) this.#ws.send(JSON.stringify(message))
  }

  #ask (message, answer) {
    const ref = ++this.#ref
    this.#asked.set(ref, answer)
    this.#send({ ...message, ref })
  }

  #receive (text) {
    if (this.over) return
    let m
    try { m = JSON.parse(text) } catch { return this.end({ kind: 'broken' }) }
    this.alive()
    const answer = this.#asked.get(m.ref)
    if (answer) {
      this.#asked.delete(m.ref)
      return answer(m)
    }
    switch (m.type) {
      case 'welcome': return this.welcome(m)
      case 'event':
      case 'gap':
      case 'position': return this.tell(m.channel, m.type, m)
      case 'expiring': return this.owner.expiring()
      case 'unsubscribed': return m.code && this.#refused(m.channel, { code: m.code, message: 'the token does not allow it any more' })
    }
  }
}
