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
      case 'start': // a cursor grows old, and one is enough for all channels that had no event
        if (!isID(this.position)) this.position = message.position
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

/** Whether a position is an event's ID or a base, not a cursor of several channels. */
export const isID = position => /^\d+-\d+$/.test(position ?? '')

const bound = 1000 // events that wait for an async iteration, or while history is read
const pageSize = 500 // leaves an async iteration room
const ours = new Set(['*', 'gap', 'start', 'error', 'end']) // handlers of these never get what somebody published

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
  #reading = false // history
  #overflow = false // more came meanwhile than can wait
  #begun = false // handlers were told where
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
      if (quiet && this.#own.add(id).size > bound) this.#own.delete(this.#own.values().next().value)
      return id
    } finally {
      if (quiet && --this.#unsettled === 0 && !this.#reading) this.#release()
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
    this.#take(kind, message, before ?? message.position ?? null, false)
  }

  #take (kind, message, feed, held) {
    if (this.#behind(feed, held)) {
      this.#hold([kind, message, feed])
      this.#catchUp({ last_event_id: this.position })
    } else if (kind === 'event' && this.#unsettled > 0) this.#hold([kind, message, feed])
    else if (this.#place.take(kind, message)) this.#tell(kind, message)
  }

  /**
   * Whether the feed may stand further on than this tab, which missed something.
   * Of a cursor nobody can say, but for what came while history was read.
   */
  #behind (feed, held) {
    const at = this.position
    if (at === null || feed === null || feed === at) return false
    return isID(feed) && isID(at) ? later(feed, at) : !held
  }

  #tell (kind, message) {
    if (kind === 'gap') return this.emit('gap', message)
    if (kind === 'error') return this.emit('error', new HubError(message.code, message.message))
    if (kind === 'start') {
      if (!message.known || !this.#begun) this.emit('start', { position: message.position })
      this.#begun = true
    }
    if (kind !== 'event' || this.#own.delete(message.id)) return
    const event = { ...message, data: 'text' in message ? message.text : message.data }
    if (!ours.has(event.event)) this.emit(event.event, event)
    this.emit('*', event)
  }

  #read () {
    if (this.reading || this.#hub.closed) return
    this.reading = true
    this.#begun = false
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
    else this.#overflow = true
  }

  #release () {
    const held = this.#held ?? []
    this.#held = null
    if (this.#overflow) return this.#catchUp({ last_event_id: this.position })
    for (const item of held) {
      if (this.#held) this.#hold(item)
      else if (this.reading) this.#take(...item, true)
    }
  }

  /** Reads history from a start up to now; what comes meanwhile waits. */
  async #catchUp (from) {
    this.#held ??= []
    this.#reading = true
    this.#overflow = false
    const backoff = new Backoff(this.#hub.timing)
    while (this.reading && !this.#hub.closed) {
      try {
        const page = await this.#page({ ...from, limit: pageSize })
        if (!this.reading) break
        if (page.gap && this.#place.take('gap', page.gap)) this.#tell('gap', page.gap)
        for (const e of page.events) if (this.#place.take('event', e)) this.#tell('event', e)
        if (later(page.last_event_id, this.position)) this.#place.position = page.last_event_id
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
    this.#reading = false
    this.#release()
  }

  #page (query) {
    const q = new URLSearchParams()
    for (const [name, value] of Object.entries(query)) if (value !== undefined && value !== null) q.set(name, value)
    return this.#hub.requests.json(`/channels/${encodeURIComponent(this.name)}/events?${q}`)
  }
}
