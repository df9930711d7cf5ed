import { HubError, passing } from './error.js'
import { Link } from './link.js'
import { Backoff } from './wait.js'

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
