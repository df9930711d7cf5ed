import { HubError, errorOf, kindOf } from './error.js'
import { Link } from './link.js'
import { SSEParser } from './parser.js'
import { isID } from './place.js'
import { Backoff, Pause } from './wait.js'

/** The query that reads a link's channels, each from where it stands. A cursor is long: most servers take 8 KiB. */
export function query (link) {
  const q = new URLSearchParams()
  let cursor = null
  for (const [name, { position }] of link.channels) {
    q.append('channel', name)
    if (position !== null && position !== 'earliest' && !isID(position)) cursor ??= position
    if (position !== null && position !== cursor) q.append('after', `${name}/${position}`)
  }
  if (cursor !== null) q.set('last_event_id', cursor)
  return q
}

/** Tells where reading begins: channels that had no event share the cursor. */
function start (link, cursor) {
  for (const [name, { position }] of link.channels) link.tell(name, 'start', { position: isID(position) ? position : cursor })
}

const told = { message: 'event', 'runnel.gap': 'gap', 'runnel.position': 'position' } // to a channel, as what

/**
 * A feed of server-sent events. It is read with fetch instead of EventSource,
 * which can neither send a token but in the URL nor see a status.
 */
export class Stream extends Link {
  #abort = new AbortController()
  #retry = 0

  async open () {
    try {
      this.token = await this.hub.tokens.get()
      const response = await this.hub.requests.fetch('/events?' + query(this), { headers: { Accept: 'text/event-stream' } }, this.#abort.signal)
      if (!response.ok) throw await errorOf(response)
      await this.#read(response.body.getReader())
      this.end({ kind: 'broken', retryAfter: this.#retry })
    } catch (error) {
      this.end({ kind: error instanceof HubError ? kindOf(error) : 'broken', retryAfter: error.retryAfter || this.#retry })
    }
  }

  hangUp () { this.#abort.abort() }

  async #read (reader) {
    const decoder = new TextDecoder()
    const parser = new SSEParser(block => this.#receive(block))
    for (;;) {
      const { done, value } = await reader.read()
      if (done || this.over) return
      parser.push(decoder.decode(value, { stream: true }))
    }
  }

  #receive ({ event, data, id, retry }) {
    if (this.over) return
    this.alive()
    if (retry !== undefined) this.#retry = retry
    if (told[event] && data !== '') {
      const message = JSON.parse(data)
      return this.tell(message.channel, told[event], message)
    }
    switch (event) {
      case 'runnel.expiring': return this.owner.expiring()
      case 'runnel.draining': return this.end({ kind: 'busy', retryAfter: this.#retry })
      case 'runnel.error': return this.end({ kind: kindOf(JSON.parse(data).error), retryAfter: this.#retry })
      case 'runnel.welcome':
        this.welcome(JSON.parse(data))
        start(this, id)
    }
  }
}

const spare = 10_000 // that an answer may come late

/** Long-polling: what gets through where nothing else does. */
export class Poll extends Link {
  #abort = new AbortController()
  #pause = new Pause()

  async open () {
    const { pollWait } = this.hub.timing
    const backoff = new Backoff(this.hub.timing)
    try {
      for (let wait = 0; !this.over; wait = pollWait) {
        const asked = Date.now()
        const page = await this.#ask(wait)
        if (this.over) return
        this.#take(page)
        if (page.events.length > 0 || Date.now() - asked >= wait / 2) backoff.reset()
        else await this.#pause.wait(backoff.next()) // a node that drains, or something on the way that does not wait
      }
    } catch (error) {
      this.end({ kind: error instanceof HubError ? kindOf(error) : 'broken', retryAfter: error.retryAfter })
    }
  }

  hangUp () {
    this.#abort.abort()
    this.#pause.cut()
  }

  async #ask (wait) {
    this.token = await this.hub.tokens.get()
    const q = query(this)
    if (wait > 0) q.set('wait', `${wait}ms`)
    const response = await this.hub.requests.fetch('/events?' + q, {}, this.#abort.signal)
    if (!response.ok) throw await errorOf(response)
    return await response.json()
  }

  #take ({ events, gaps, last_event_id: cursor }) {
    const first = this.since === 0
    this.welcome({ heartbeat: (this.hub.timing.pollWait + spare) / 2000 })
    if (first) start(this, cursor)
    for (const gap of gaps) this.tell(gap.channel, 'gap', gap)
    for (const e of events) this.tell(e.channel, 'event', e)
  }
}
