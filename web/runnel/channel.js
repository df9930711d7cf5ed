import { Emitter } from './emitter.js'
import { Backoff, Pause } from './wait.js'
import { HubError, passing } from './requests.js'

/**
 * Where a reader stands in a channel. It says what is new to it: feeds may
 * overlap, and events come once all the same.
 */
export class Place {
  /** @param {?string} position */
  constructor (position = null) { this.position = position }

  /** Takes a message of a feed and reports whether it is new. */
  take (kind, message) {
    switch (kind) {
      case 'start':
        this.position ??= message.position
        return true
      case 'event':
        if (message.id === undefined) return true // ephemeral
        if (!later(message.id, this.position)) return false
        this.position = message.id
        return true
      case 'position':
        if (later(message.last_event_id, this.position)) this.position = message.last_event_id
        return false
      case 'gap':
        // It may lead back, after a rollback, but only from where we stand.
        if (this.position !== null && message.after !== this.position && !later(message.last_event_id, this.position)) return false
        this.position = message.last_event_id
        return true
    }
    return true
  }
}

/**
 * Whether a position stands behind another one of the same channel. The running
 * number decides; where a cursor stands for one of them, nobody can tell.
 */
export function later (a, b) {
  const x = number(a)
  const y = number(b)
  return x === null || y === null || x > y
}

function number (position) {
  const match = /^\d+-(\d+)$/.exec(position ?? '')
  return match && Number(match[1])
}

const bound = 1000 // events that wait for an async iteration, or while history is read

/**
 * A channel as one tab sees it: each event once and in order, whatever
 * connection it came through.
 */
export class Channel extends Emitter {
  #hub
  #place
  #start // where reading begins, until it has begun
  #held = null // messages that wait: history comes first, or an answer to publish
  #own = new Set() // IDs of own events that are not to be echoed
  #unsettled = 0 // publishes whose echo is not wanted
  #pause = new Pause()

  constructor (hub, name, start = {}) {
    super()
    this.name = name
    this.#hub = hub
    this.#place = new Place(start.lastEventId ?? null)
    this.#start = start.since !== undefined || start.rewind !== undefined ? start : null
    this.reading = false
  }

  /** The ID to go on from, for a page that keeps it. */
  get position () { return this.#place.position }

  /**
   * Calls handler with each event of that type, `'*'` for all, `'gap'` with
   * what is missing, `'start'` with the position whenever reading has begun,
   * `'error'` with why the channel cannot be read.
   */
  on (type, handler) {
    const off = super.on(type, handler)
    this.#read()
    return off
  }

  /**
   * Publishes data, JSON or with `text: true` a string as it is. The promise
   * has the event's ID, null for an ephemeral one.
   */
  async publish (data, { event, ephemeral = false, echo = true, text = false } = {}) {
    const quiet = !echo && !ephemeral && this.reading
    if (quiet) this.#unsettled++
    try {
      const exclude = !echo && ephemeral ? this.#hub.connection : undefined
      const id = await this.#hub.outbox.add({ channel: this.name, event, ephemeral, exclude, ...(text ? { text: data } : { data }) })
      if (quiet) this.#own.add(id)
      return id
    } finally {
      if (quiet && --this.#unsettled === 0) this.#release()
    }
  }

  /** A page of history: the newest events, those before an ID, or after one. */
  history ({ limit, before, lastEventId } = {}) {
    return this.#page({ limit, before, last_event_id: lastEventId })
  }

  /** Stops reading. Handlers are kept: reading begins again with the next one. */
  close () {
    if (!this.reading) return
    this.reading = false
    this.#pause.cut()
    this.#hub.tabs.leave(this.name)
    this.emit('end')
  }

  /** Events as they come. It ends with close, and throws where the reader is far too slow. */
  async * [Symbol.asyncIterator] () {
    const queue = []
    let wake
    let end = null
    const offs = [
      this.on('*', e => { queue.length < bound ? queue.push(e) : (end ??= new HubError('slow_reader', `${bound} events wait to be read`)); wake?.() }),
      super.on('end', () => { end ??= 'closed'; wake?.() })
    ]
    try {
      while (true) {
        while (queue.length > 0) yield queue.shift()
        if (end === 'closed' || this.#hub.closed) return
        if (end) throw end
        await new Promise(resolve => { wake = resolve })
      }
    } finally {
      for (const off of offs) off()
    }
  }

  /** A message of the hub's; before is the position that its feed had. */
  receive (kind, message, before) {
    if (!this.reading) return
    if (this.#held) return this.#hold([kind, message, before])
    const at = this.position
    if (at !== null && this.#behind(kind, message, before)) {
      this.#hold([kind, message, before])
      this.#catchUp({ last_event_id: at })
      return
    }
    if (kind === 'event' && this.#unsettled > 0) return this.#hold([kind, message, before])
    if (this.#place.take(kind, message)) this.#tell(kind, message)
  }

  /** Whether the feed stands further on than this tab, which missed something. */
  #behind (kind, message, before) {
    const feed = kind === 'start' ? message.position : before
    return isID(feed) && isID(this.position) && later(feed, this.position)
  }

  #tell (kind, message) {
    if (kind === 'gap') return this.emit('gap', message)
    if (kind === 'error') return this.emit('error', new HubError(message.code, message.message))
    if (kind === 'start') return this.emit('start', message)
    if (kind !== 'event' || this.#own.delete(message.id)) return
    const event = { ...message, data: 'text' in message ? message.text : message.data }
    this.emit(event.event, event)
    this.emit('*', event)
  }

  #read () {
    if (this.reading || this.#hub.closed) return
    this.reading = true
    if (this.#start) {
      const { since, rewind } = this.#start
      this.#start = null
      this.#held = []
      this.#catchUp({ since, rewind })
    }
    this.#hub.tabs.join(this.name, this.position)
  }

  #hold (item) {
    this.#held ??= []
    if (this.#held.length < bound) this.#held.push(item)
    // Beyond, the next message shows that some are missing, and history is read.
  }

  #release () {
    const held = this.#held ?? []
    this.#held = null
    for (const item of held) this.receive(...item)
  }

  /** Reads history from a start up to now; what comes meanwhile waits. */
  async #catchUp (from) {
    this.#held ??= []
    const backoff = new Backoff(this.#hub.timing)
    while (this.reading && !this.#hub.closed) {
      try {
        const page = await this.#page({ ...from, limit: 1000 })
        if (page.gap && this.#place.take('gap', page.gap)) this.#tell('gap', page.gap)
        for (const e of page.events) if (this.#place.take('event', e)) this.#tell('event', e)
        this.#place.position = page.last_event_id
        from = { last_event_id: page.last_event_id }
        if (!page.more || page.events.length === 0) break
      } catch (error) {
        if (!passing.has(error.code)) {
          this.emit('error', error)
          break
        }
        await this.#pause.wait(backoff.next(error.retryAfter))
      }
    }
    this.#release()
  }

  #page (query) {
    const q = new URLSearchParams()
    for (const [name, value] of Object.entries(query)) if (value !== undefined && value !== null) q.set(name, value)
    return this.#hub.requests.json(`/channels/${encodeURIComponent(this.name)}/events?${q}`)
  }
}

const isID = position => /^\d+-\d+$/.test(position ?? '')
