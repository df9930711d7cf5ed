import { Emitter } from './emitter.js'
import { Backoff, Pause } from './wait.js'
import { HubError, kindOf } from './error.js'
import { known } from './known.js'
import { Place, isID, later } from './place.js'

const bound = 1000 // events that wait for an async iteration, or while history is read
const pageSize = 500 // leaves an async iteration room
const publishing = ['event', 'ephemeral', 'echo', 'text']
const paging = ['limit', 'before', 'lastEventId']
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
  #covered = 0 // so many of them came before the newest page of history was asked for
  #own = new Set() // IDs of own events that are not to be echoed
  #unsettled = [] // what is published and not to be echoed, as it will look
  #reading = false // history
  #round = 0 // of reading: what belongs to an older one is over
  #overflow = false // more came meanwhile than can wait
  #begun = false // handlers were told where
  #pause = new Pause()

  constructor (hub, name, start = {}) {
    super()
    this.name = name
    this.#hub = hub
    this.#place = new Place(start.lastEventId ?? null)
    this.#start = start.since !== undefined || start.rewind !== undefined ? { since: start.since, rewind: start.rewind } : null
    this.reading = false
  }

  /** The ID to go on from, for a page that keeps it. */
  get position () { return this.#place.position }

  /**
   * Calls handler with each event of that type, `'*'` for all, `'gap'` with
   * what is missing, `'start'` with the position whenever reading has begun,
   * `'error'` with why the channel cannot be read; reading has ended then.
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
  async publish (data, options = {}) {
    const { event, ephemeral = false, echo = true, text = false } = known(options, publishing)
    const body = { channel: this.name, event, ephemeral, ...(text ? { text: data } : { data }) }
    if (ephemeral && !echo) body.exclude = this.#hub.connection
    if (ephemeral || echo || !this.reading) return await this.#hub.outbox.add(body)
    const likeness = look(body)
    this.#unsettled.push(likeness)
    try {
      const id = await this.#hub.outbox.add(body)
      if (this.#own.add(id).size > bound) this.#own.delete(this.#own.values().next().value)
      return id
    } finally {
      this.#unsettled.splice(this.#unsettled.indexOf(likeness), 1)
      if (!this.#reading) this.#release()
    }
  }

  /** A page of history: the newest events, those before an ID, or after one. */
  async history (query = {}) {
    const { limit, before, lastEventId } = known(query, paging)
    return await this.#page({ limit, before, last_event_id: lastEventId })
  }

  /** Stops reading and takes all handlers away. With the next one reading begins again where it was. */
  close () {
    if (this.#stop()) this.clearTelling('end')
    else this.clear()
  }

  #stop () {
    if (!this.reading) return false
    this.reading = this.#reading = this.#overflow = false
    this.#round++
    this.#held = null
    this.#pause.cut()
    this.#hub.tabs.leave()
    return true
  }

  #fail (error) {
    if (this.#stop()) this.emit('error', error)
  }

  /** Events as they come. It ends with close, and throws where the channel cannot be read or the reader is far too slow. */
  async * [Symbol.asyncIterator] () {
    const queue = []
    let wake
    let end = null
    const finish = why => { end ??= why; wake?.() }
    const offs = [
      super.on('end', () => finish('closed')),
      super.on('error', finish),
      this.on('*', e => {
        if (queue.length === bound) finish(new HubError('slow_reader', `${bound} events wait to be read`))
        if (end === null) queue.push(e)
        wake?.()
      })
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

  /** There is hope again for what failed. */
  wake () { this.#pause.wake() }

  /** A message of the hub's; before is the position that its feed had. */
  receive (kind, message, before) {
    if (!this.reading) return
    if (kind === 'error') return this.#fail(new HubError(message.code, message.message))
    const feed = before ?? message.position ?? null
    if (this.#held) this.#hold([kind, message, feed])
    else this.#take(kind, message, feed, false)
  }

  #take (kind, message, feed, covered) {
    const lost = kind === 'gap' && message.reason === 'rollback' && !covered && this.#place.doubts(message)
    if (lost || this.#behind(feed, covered)) {
      this.#hold([kind, message, feed])
      this.#catchUp({ last_event_id: this.position })
    } else if (kind === 'event' && message.id && this.#unsettled.includes(look(message))) this.#hold([kind, message, feed])
    else if (this.#place.take(kind, message)) this.#tell(kind, message)
  }

  /**
   * Whether the feed may stand further on than this tab, which missed something.
   * Of a cursor nobody can say, but for what came before history was asked for.
   */
  #behind (feed, covered) {
    const at = this.position
    if (at === null || feed === null || feed === at) return false
    return isID(feed) && isID(at) ? later(feed, at) : !covered
  }

  #tell (kind, message) {
    if (kind === 'gap') return this.emit('gap', message)
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
    if (this.#start) this.#catchUp(this.#start)
    this.#hub.tabs.join(this.name, this.position)
  }

  #hold (item) {
    this.#held ??= []
    if (this.#held.length < bound) this.#held.push(item)
    else this.#overflow = true
  }

  #release () {
    const held = this.#held ?? []
    const round = this.#round
    const covered = this.#covered
    this.#held = null
    this.#covered = 0
    if (this.#overflow) return this.#catchUp({ last_event_id: this.position })
    for (const [i, item] of held.entries()) {
      if (round !== this.#round) return
      if (this.#held) this.#hold(item)
      else this.#take(...item, i < covered)
    }
    if (this.#reading) this.#covered = this.#held.length
  }

  /** Reads history from a start up to now; what comes meanwhile waits. */
  async #catchUp (from) {
    this.#held ??= []
    this.#reading = true
    this.#overflow = false
    const backoff = new Backoff(this.#hub.timing)
    const round = this.#round
    while (round === this.#round) {
      try {
        this.#covered = this.#held.length
        const page = await this.#page({ ...from, limit: pageSize })
        if (round !== this.#round) return
        this.#start = null
        if (page.gap && this.#place.take('gap', page.gap)) this.#tell('gap', page.gap)
        for (const e of page.events) {
          if (round !== this.#round) return // a handler closed the channel
          if (this.#place.take('event', e)) this.#tell('event', e)
        }
        if (round !== this.#round) return
        if (later(page.last_event_id, this.position)) this.#place.position = page.last_event_id
        from = { last_event_id: page.last_event_id }
        if (!page.more || page.events.length === 0) break
      } catch (error) {
        if (round !== this.#round) return
        if (this.#hopeless(error)) this.#fail(error)
        else await this.#pause.wait(backoff.next(error.retryAfter), error.retryAfter)
      }
    }
    if (round !== this.#round) return
    this.#reading = false
    this.#release()
  }

  #hopeless (error) {
    const kind = kindOf(error)
    return kind === 'refused' || (kind === 'token' && !this.#hub.tokens.renewable)
  }

  #page (query) {
    const q = new URLSearchParams()
    for (const [name, value] of Object.entries(query)) if (value !== undefined && value !== null) q.set(name, value)
    return this.#hub.requests.json(`/channels/${encodeURIComponent(this.name)}/events?${q}`)
  }
}

/** What an event looks like on its way out and back, before its ID is known. */
function look ({ event, text, data }) {
  return JSON.stringify([event || 'message', typeof text === 'string' ? text.replace(/\r\n?/g, '\n') : data])
}
