import { HubError, errorOf } from './requests.js'
import { Link, kindOf } from './socket.js'
import { isID } from './place.js'
import { Backoff, Pause, bearable } from './wait.js'

/**
 * Reads a stream of server-sent events
 * (https://html.spec.whatwg.org/multipage/server-sent-events.html) piece by
 * piece, without a byte order mark, which decoders take away. A block that a cut
 * leaves unfinished is dropped.
 */
export class SSEParser {
  #rest = ''
  #onBlock
  #block = fresh()

  /** @param {(block: {event: string, data: string, id?: string, retry?: number}) => void} onBlock */
  constructor (onBlock) { this.#onBlock = onBlock }

  push (text) {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/)
    this.#rest = lines.pop()
    for (const line of lines) this.#line(line)
  }

  #line (line) {
    if (line === '') {
      const { lines, ...block } = this.#block
      this.#block = fresh()
      if (lines.length > 0 || block.retry !== undefined) this.#onBlock({ ...block, data: lines.join('\n') })
      return
    }
    const colon = line.indexOf(':')
    if (colon === 0) return
    const name = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1))
    switch (name) {
      case 'data': this.#block.lines.push(value); break
      case 'event': this.#block.event = value || 'message'; break
      case 'id': if (!value.includes('\0')) this.#block.id = value; break
      case 'retry': if (/^\d+$/.test(value)) this.#block.retry = bearable(Number(value))
    }
  }
}

const fresh = () => ({ event: 'message', lines: [] })

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
      this.end({ kind: error instanceof HubError ? kindOf(error) : 'broken', retryAfter: error.retryAfter })
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
