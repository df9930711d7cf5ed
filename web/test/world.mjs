// A hub as the client sees it, and the network before it. Each way to it can be
// switched: 'ok' · 'refuse' (the connection fails) · 'hang' (nothing ever comes)
// · 'mute' (it opens and carries nothing) · a number (a proxy's status) ·
// {code, status} (the hub's error).

import { timing } from './browser.mjs'

const at = n => `1732137600000-${n}`

export class World {
  ws = 'ok'
  sse = 'ok'
  poll = 'ok'
  beats = true // whether heartbeats get through
  heartbeat = 25
  forbidden = new Set() // channels
  delay = 0 // ms that what a client sends is on its way
  impatient = false // whether long-polls are answered at once
  subscribing = null // a code with which subscriptions are refused
  subscribes = 0 // how many were asked for over WebSockets
  tokens = null // those that are good; null: none is needed
  opened = [] // all that was tried: 'ws', 'sse', 'poll'
  live = new Set() // feeds
  #logs = new Map()
  #kept

  constructor () {
    this.#kept = [globalThis.fetch, globalThis.WebSocket]
    const world = this
    globalThis.fetch = (url, init) => this.#fetch(new URL(url), init)
    globalThis.WebSocket = class extends Socket { constructor (url) { super(world, url) } }
    globalThis.WebSocket.OPEN = 1
  }

  release () { [globalThis.fetch, globalThis.WebSocket] = this.#kept }

  log (channel) {
    if (!this.#logs.has(channel)) this.#logs.set(channel, [])
    return this.#logs.get(channel)
  }

  last (channel) { return at(this.log(channel).length) }

  /** Publishes the next number of a channel, or what is given. */
  publish (channel, more = {}) {
    const log = this.log(channel)
    const event = { type: 'event', channel, event: 'message', data: log.length + 1, ...more }
    if (!more.ephemeral) log.push(Object.assign(event, { id: at(log.length + 1) }))
    delete event.ephemeral
    for (const feed of this.live) feed.event(event)
    return event.id ?? null
  }

  after (channel, position) { return this.log(channel).slice(position === 'earliest' ? 0 : Number(/-(\d+)$/.exec(position)[1])) }

  /** Every feed ends; code is a WebSocket's. */
  cut (code = 1006) { for (const feed of [...this.live]) feed.cut(code) }

  cursor (channels, positions) {
    return `cursor:${JSON.stringify(Object.fromEntries(channels.map(c => [c, positions.get(c) ?? this.last(c)])))}`
  }

  // Where the channels of a request begin, by its query.
  positions (query) {
    const positions = new Map()
    const read = (channel, position) => {
      if (position?.startsWith('cursor:')) position = JSON.parse(position.slice(7))[channel]
      if (position && !positions.has(channel)) positions.set(channel, position)
    }
    for (const pair of query.getAll('after')) read(pair.slice(0, pair.indexOf('/')), pair.slice(pair.indexOf('/') + 1))
    for (const channel of query.getAll('channel')) read(channel, query.get('last_event_id'))
    return positions
  }

  async #fetch (url, { method = 'GET', headers, body, signal }) {
    const aborted = new Promise((resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
    aborted.catch(() => {})
    const stream = headers.Accept === 'text/event-stream'
    const feed = url.pathname === '/events' && method === 'GET'
    const mode = !feed ? this.requests ?? 'ok' : stream ? this.sse : this.poll
    if (feed) this.opened.push(stream ? 'sse' : 'poll')
    if (mode === 'refuse') throw new TypeError('Failed to fetch')
    if (mode === 'hang') return aborted
    if (this.delay > 0) await Promise.race([new Promise(resolve => setTimeout(resolve, this.delay)), aborted])
    if (typeof mode === 'number') return new Response('<html>', { status: mode })
    if (mode.code) return this.#error(mode)
    if (this.tokens && !this.tokens.includes(headers.Authorization?.slice(7))) return this.#error({ code: 'unauthorized', status: 401 })
    const query = url.searchParams
    if (method === 'POST') return Response.json(JSON.parse(body).map(({ channel, data, ephemeral }) => ({ id: this.publish(channel, { data, ephemeral }) })))
    const of = /^\/channels\/([^/]+)\/events$/.exec(url.pathname)?.[1]
    const channels = of ? [decodeURIComponent(of)] : query.getAll('channel')
    if (channels.some(c => this.forbidden.has(c))) return this.#error({ code: 'forbidden', status: 403 })
    if ([query.get('last_event_id'), ...query.getAll('after')].some(p => p?.endsWith('yesterday'))) return this.#error({ code: 'bad_request', status: 400 })
    if (of) return Response.json(this.#page(channels[0], query))
    const positions = this.positions(query)
    if (stream) return new Response(new Stream(this, channels, positions, mode, signal).body)
    return Promise.race([this.#longPoll(channels, positions, query, signal), aborted])
  }

  #error ({ code, status, retryAfter }) {
    return Response.json({ error: { code, message: `no: ${code}` } }, { status, headers: retryAfter ? { 'Retry-After': retryAfter } : {} })
  }

  #page (channel, query) {
    const from = query.get('last_event_id')
    const limit = Number(query.get('limit') ?? 100)
    const all = from ? this.after(channel, from) : this.log(channel).slice(-Number(query.get('rewind') ?? limit))
    const events = all.slice(0, limit)
    return { events, last_event_id: events.at(-1)?.id ?? from ?? this.last(channel), gap: null, more: all.length > events.length }
  }

  async #longPoll (channels, positions, query, signal) {
    const wait = Number.parseInt(query.get('wait') ?? 0)
    for (const c of channels) if (!positions.has(c)) positions.set(c, this.last(c))
    const found = () => channels.flatMap(c => this.after(c, positions.get(c)))
    let events = found()
    if (events.length === 0 && wait > 0 && !this.impatient) {
      await new Promise(resolve => {
        const feed = { event: e => channels.includes(e.channel) && done(), cut: () => done() }
        const done = () => { this.live.delete(feed); clearTimeout(timer); resolve() }
        const timer = setTimeout(done, wait)
        this.live.add(feed)
        signal.addEventListener('abort', done)
      })
      events = found()
    }
    for (const e of events) positions.set(e.channel, e.id)
    return Response.json({ events, last_event_id: this.cursor(channels, positions), gaps: [], more: false })
  }
}

class Stream {
  constructor (world, channels, positions, mode, signal) {
    this.world = world
    this.channels = channels
    this.body = new ReadableStream({ start: controller => { this.controller = controller } })
    if (mode === 'mute') return
    world.live.add(this)
    signal.addEventListener('abort', () => this.cut())
    this.write(`retry: 1500\nevent: runnel.welcome\ndata: {"type":"welcome","connection":"c","user":null,"node":"n","heartbeat":${world.heartbeat ?? null}}\nid: ${world.cursor(channels, positions)}\n\n`)
    for (const c of channels) if (positions.has(c)) for (const e of world.after(c, positions.get(c))) this.event(e)
    this.timer = setInterval(() => world.beats && this.write('event: runnel.heartbeat\ndata: {}\n\n'), 1000 * (world.heartbeat || 25))
  }

  event (e) { if (this.channels.includes(e.channel)) this.write(`data: ${JSON.stringify(e)}\n\n`) }
  say (event, data) { this.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`) }
  write (text) { this.controller.enqueue(new TextEncoder().encode(text)) }

  cut () {
    clearInterval(this.timer)
    if (this.world.live.delete(this)) this.controller.close()
  }

  reset () {
    clearInterval(this.timer)
    if (this.world.live.delete(this)) this.controller.error(new TypeError('network error'))
  }
}

class Socket {
  readyState = 0
  channels = new Set()

  constructor (world, url) {
    this.world = world
    this.url = url
    world.opened.push('ws')
    const mode = world.ws
    if (mode === 'hang') return
    setTimeout(() => {
      if (mode === 'refuse') return this.cut(1006)
      this.readyState = 1
      if (mode !== 'mute') world.live.add(this)
      this.onopen?.()
      if (mode === 'mute') return
      if (mode.close) return this.cut(mode.close)
      if (!world.tokens) this.welcome()
    }, 1)
  }

  welcome () {
    this.say({ type: 'welcome', connection: 'c', user: null, node: 'n', heartbeat: this.world.heartbeat })
    this.timer = setInterval(() => this.world.beats && this.say({ type: 'heartbeat' }), 1000 * this.world.heartbeat)
  }

  say (m) { queueMicrotask(() => this.onmessage?.({ data: JSON.stringify(m) })) }
  event (e) { if (this.channels.has(e.channel)) this.say(e) }

  send (text) {
    const { world } = this
    if (world.delay > 0) setTimeout(() => this.hear(text), world.delay)
    else this.hear(text)
  }

  hear (text) {
    const { world } = this
    if (!world.live.has(this)) return
    const { type, ref, channel, token, last_event_id: position, data, ephemeral } = JSON.parse(text)
    switch (type) {
      case 'auth':
        if (!world.tokens?.includes(token)) return this.cut(4001)
        if (!this.timer) this.welcome()
        return
      case 'ping': return this.say({ type: 'pong', ref })
      case 'subscribe':
        world.subscribes++
        if (world.subscribing) return this.say({ type: 'error', ref, code: world.subscribing, message: 'not now' })
        if (world.forbidden.has(channel)) return this.say({ type: 'error', ref, code: 'forbidden', message: 'no: forbidden' })
        if (position === 'yesterday') return this.say({ type: 'error', ref, code: 'bad_request', message: 'no: bad_request' })
        this.channels.add(channel)
        this.say({ type: 'subscribed', ref, channel, last_event_id: position?.startsWith('cursor:') ? JSON.parse(position.slice(7))[channel] : position ?? world.last(channel) })
        if (position) for (const e of world.after(channel, world.positions(new URLSearchParams([['channel', channel], ['last_event_id', position]])).get(channel))) this.event(e)
        return
      case 'unsubscribe': this.channels.delete(channel); return this.say({ type: 'unsubscribed', ref, channel })
      case 'publish': return this.say({ type: 'published', ref, id: world.publish(channel, { data, ephemeral }) })
    }
  }

  close () { this.gone() }

  cut (code) {
    this.gone()
    this.onclose?.({ code })
  }

  gone () {
    this.readyState = 3
    clearInterval(this.timer)
    this.world.live.delete(this)
  }
}

export { timing }
