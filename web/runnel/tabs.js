import { subjectOf } from './requests.js'

const lateHello = 200 // ms that a new leader waits for what other tabs read
const tabLife = 30_000 // after which a tab that says nothing is gone

/**
 * The tabs of one browser that are of the same hub and user. One of them leads:
 * it holds the Web Lock, and with it the connection, and passes on what comes.
 * When it closes the lock is free; when it freezes or hangs another one takes
 * the lock. A tab alone, or where the browser lacks the means, leads itself.
 */
export class Tabs {
  #hub
  #bus = null
  #key
  #id = Math.random().toString(36).slice(2)
  #term = 0 // of the leader: when it began to lead
  #leading = false
  #heard = 0 // when the leader was last heard
  #asked = false // whether it was asked since, as it was silent
  #others = new Map() // as leader: tab → {channels, heard}
  #timer
  #closed = false
  #release = () => {}

  constructor (hub) { this.#hub = hub }

  async start () {
    this.#key = await this.#shared()
    if (this.#closed) return
    if (this.#key === null) return this.#lead()
    this.#bus = new BroadcastChannel(this.#key)
    this.#bus.onmessage = ({ data }) => this.#receive(data)
    this.#heard = Date.now()
    this.#elect({})
    this.#hello()
    this.#tick()
  }

  /** What tabs have in common that may share a connection; null for none. */
  async #shared () {
    const { share, token, user } = this.#hub.options
    if (share === false || !globalThis.navigator?.locks || !globalThis.BroadcastChannel) return null
    let who = user ?? null
    try { if (who === null && token) who = subjectOf(await this.#hub.tokens.get()) } catch {}
    return who === null ? null : `runnel ${this.#hub.url} ${who}`
  }

  /** This tab reads a channel, from a position on if it has one. */
  join (name, position) {
    if (this.#leading) this.#hub.session.join(name, position)
    else this.#hello()
  }

  leave (name) {
    if (this.#leading) this.#prune()
    else this.#hello()
  }

  /** As leader: a message for all tabs. */
  deliver (name, kind, message, before) {
    this.#hub.receive(name, kind, message, before)
    if (this.#others.size > 0) this.#post({ type: 'deliver', name, kind, message, before })
  }

  /** As leader: the connection's state. */
  changed (state, transport) {
    this.#hub.setState(state, transport)
    this.#post({ type: 'beat', state, transport, connection: this.#hub.session.connection })
  }

  close () {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#post({ type: 'bye' })
    this.#release()
    this.#bus?.close()
    this.#bus = null
  }

  #post (message) { this.#bus?.postMessage({ ...message, tab: this.#id, term: this.#term }) }

  #hello () {
    if (!this.#leading) this.#post({ type: 'hello', channels: this.#hub.reading() })
  }

  /** Waits for the lock, and leads as long as this tab has it. */
  #elect (options) {
    navigator.locks.request(this.#key, options, () => {
      if (this.#closed) return
      this.#lead()
      return new Promise(resolve => { this.#release = resolve })
    }).catch(() => this.#depose()) // another tab took it
  }

  async #lead () {
    this.#leading = true
    this.#term = Date.now()
    if (this.#bus) {
      this.#post({ type: 'who' })
      await new Promise(resolve => setTimeout(resolve, lateHello))
    }
    if (this.#closed || !this.#leading) return
    this.#hub.session.lead()
    for (const { name, position } of this.#hub.reading()) this.#hub.session.join(name, position)
    for (const { channels } of this.#others.values()) this.#joinAll(channels)
  }

  #depose () {
    if (this.#closed || !this.#leading) return
    this.#leading = false
    this.#others.clear()
    this.#hub.session.close()
    this.#heard = Date.now()
    this.#elect({})
    this.#hello()
  }

  #joinAll (channels) { for (const { name, position } of channels) this.#hub.session.join(name, position) }

  /** As leader: leaves the channels that no tab reads any more. */
  #prune () {
    const read = new Set(this.#hub.reading().map(c => c.name))
    for (const { channels } of this.#others.values()) for (const { name } of channels) read.add(name)
    for (const name of this.#hub.session.channels) if (!read.has(name)) this.#hub.session.leave(name)
  }

  #receive (m) {
    if (this.#closed) return
    if (m.type === 'hello' || m.type === 'bye') return this.#leading && this.#visited(m)
    if (m.term < this.#term || this.#leading) return // a leader of the past
    this.#term = m.term
    if (this.#asked || !(m.answer || m.message?.known)) this.#heard = Date.now() // a frozen tab answers, and does nothing else
    this.#asked = false
    switch (m.type) {
      case 'who': return this.#hello()
      case 'beat':
        this.#hub.sharedConnection = m.connection
        return this.#hub.setState(m.state, m.transport)
      case 'deliver': return this.#hub.receive(m.name, m.kind, m.message, m.before)
    }
  }

  /** As leader: another tab says what it reads, or that it goes. */
  #visited ({ type, tab, channels }) {
    if (type === 'bye') this.#others.delete(tab)
    else this.#others.set(tab, { channels, heard: Date.now() })
    if (type === 'hello') {
      this.#joinAll(channels)
      this.#post({ type: 'beat', answer: true, state: this.#hub.state, transport: this.#hub.transport, connection: this.#hub.session.connection })
    }
    this.#prune()
  }

  /**
   * The leader shows that it is there; others see whether it does. After a
   * sleep, or where a hidden tab has few timers, it is asked first.
   */
  #tick () {
    const { beat, silence } = this.#hub.timing
    let last = Date.now()
    let beats = 0
    const tick = () => {
      const now = Date.now()
      const late = now - last > 2 * beat + 1000
      last = now
      if (this.#leading) {
        this.#post({ type: 'beat', state: this.#hub.state, transport: this.#hub.transport, connection: this.#hub.session.connection })
        for (const [tab, { heard }] of this.#others) if (now - heard > tabLife) this.#others.delete(tab)
        this.#prune()
      } else if (now - this.#heard > silence) {
        this.#asked = late && !this.#asked
        if (this.#asked) this.#hello()
        else {
          this.#heard = now
          this.#elect({ steal: true })
        }
      } else if (++beats % 4 === 0) this.#hello()
      this.#timer = setTimeout(tick, beat)
    }
    this.#timer = setTimeout(tick, beat)
  }
}
