import { subjectOf } from './tokens.js'
import { Pause } from './wait.js'

const lateHello = 200 // ms that a new leader waits for what other tabs read
const tabLife = 15 // beats after which a tab that says nothing is gone

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
  #said = 0 // when this tab last told it what it reads
  #saying = false // whether it is about to
  #asked = false // whether it was asked since, as it was silent
  #others = new Map() // as leader: tab → {channels, beats}
  #election = null // the newest; what comes of older ones does not count
  #release = () => {}
  #pause = new Pause()
  #timer
  #closed = false

  constructor (hub) { this.#hub = hub }

  async start () {
    await this.#share()
    if (this.#closed) return
    if (this.#bus === null) return this.#lead()
    this.#bus.onmessage = ({ data }) => this.#receive(data)
    this.#heard = Date.now()
    this.#elect(false)
    this.#hello()
    this.#tick()
  }

  /** Opens the bus of the tabs that may share a connection, if there can be others. */
  async #share () {
    const { share, token, user } = this.#hub.options
    try {
      if (share === false || !navigator.locks) return
      const who = user ?? (token ? subjectOf(await this.#hub.tokens.get()) : null)
      if (who === null || this.#closed) return
      this.#key = `runnel ${this.#hub.url} ${who}`
      this.#bus = new BroadcastChannel(this.#key)
    } catch {} // no token, or a browser that lacks or forbids it
  }

  /** This tab reads a channel, from a position on if it has one. */
  join (name, position) {
    if (this.#leading) this.#hub.session.join(name, position)
    else this.#hello()
  }

  leave () {
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
    this.#beat()
  }

  close () {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#pause.cut()
    this.#election?.abort()
    this.#post({ type: 'bye' })
    this.#release()
    this.#bus?.close()
    this.#bus = null
  }

  #post (message) { this.#bus?.postMessage({ ...message, tab: this.#id, term: this.#term }) }

  #beat (answer) {
    const { state, transport, session } = this.#hub
    this.#post({ type: 'beat', answer, state, transport, connection: session.connection })
  }

  /** Tells the leader what this tab reads, once for all that changes in the same go. */
  #hello () {
    this.#said = Date.now()
    if (this.#saying) return
    this.#saying = true
    queueMicrotask(() => {
      this.#saying = false
      if (!this.#leading) this.#post({ type: 'hello', channels: this.#hub.reading() })
    })
  }

  /** Waits for the lock, or takes it, and leads as long as this tab has it. */
  #elect (steal) {
    this.#election?.abort()
    const election = this.#election = new AbortController()
    const current = () => !this.#closed && election === this.#election
    navigator.locks.request(this.#key, steal ? { steal } : { signal: election.signal }, () => {
      if (!current()) return
      this.#lead()
      return new Promise(resolve => { this.#release = resolve })
    }).catch(error => {
      if (!current()) return
      if (error.name === 'AbortError') this.#depose() // another tab took it
      else this.#lead() // the browser gives none: each tab leads itself
    })
  }

  async #lead () {
    this.#leading = true
    this.#term = Math.max(Date.now(), this.#term + 1) // clocks go back at times
    if (this.#bus) {
      this.#post({ type: 'who' })
      await this.#pause.wait(lateHello)
    }
    if (this.#closed || !this.#leading) return
    this.#hub.session.lead()
    this.#joinAll(this.#hub.reading())
    for (const { channels } of this.#others.values()) this.#joinAll(channels)
  }

  #depose () {
    if (!this.#leading) return
    this.#leading = false
    this.#others.clear()
    this.#hub.session.close()
    this.#heard = Date.now()
    this.#elect(false)
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
      case 'beat': return this.#follow(m)
      case 'deliver': return this.#hub.receive(m.name, m.kind, m.message, m.before)
    }
  }

  /** The leader lives. It is told so too: a hidden tab has few timers of its own. */
  #follow ({ state, transport, connection }) {
    this.#hub.sharedConnection = connection
    this.#hub.setState(state, transport)
    if (Date.now() - this.#said > 4 * this.#hub.timing.beat) this.#hello()
  }

  /** As leader: another tab says what it reads, or that it goes. */
  #visited ({ type, tab, channels }) {
    if (type === 'bye') this.#others.delete(tab)
    else {
      this.#others.set(tab, { channels, beats: 0 })
      this.#joinAll(channels)
      this.#beat(true)
    }
    this.#prune()
  }

  /** The leader shows that it is there; others see whether it does. */
  #tick () {
    const { beat } = this.#hub.timing
    let last = Date.now()
    const tick = () => {
      const now = Date.now()
      const late = now - last > 2 * beat + 1000
      last = now
      if (this.#leading) this.#show()
      else this.#look(now, late)
      this.#timer = setTimeout(tick, beat)
    }
    this.#timer = setTimeout(tick, beat)
  }

  #show () {
    this.#beat()
    for (const [tab, other] of this.#others) if (++other.beats > tabLife) this.#others.delete(tab)
    this.#prune()
  }

  /** After a sleep, or where a hidden tab has few timers, a silent leader is asked first. */
  #look (now, late) {
    if (now - this.#heard <= this.#hub.timing.silence) return
    this.#asked = late && !this.#asked
    if (this.#asked) return this.#hello()
    this.#heard = now
    this.#elect(true)
  }
}
