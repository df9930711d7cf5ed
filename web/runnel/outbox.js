import { Backoff, Pause } from './wait.js'
import { HubError, closed, passing, uncertain } from './error.js'

const most = 1000 // publishes that wait
const batch = 100 // of them in one request, and so many bytes
const batchBytes = 900 << 10
const socketBytes = 64 << 10 // beyond, a WebSocket would be closed
const ephemeralFor = 5000 // a typing sign is worth nothing later

/**
 * Publishes in order, once each: what fails goes out again with the same
 * idempotency key, until the hub may have forgotten that.
 */
export class Outbox {
  #hub
  #queue = []
  #sending = false
  #closed = false
  #pause = new Pause()

  constructor (hub) { this.#hub = hub }

  /** Adds an event; the promise has its ID. */
  add (item) {
    if (this.#closed) return Promise.reject(closed())
    if (this.#queue.length >= most) return Promise.reject(new HubError('queue_full', `${most} events wait to be published`))
    return new Promise((resolve, reject) => {
      const idempotencyKey = item.ephemeral ? undefined : crypto.randomUUID?.() ?? randomKey()
      const body = { ...item, ephemeral: item.ephemeral || undefined, idempotency_key: idempotencyKey }
      const json = JSON.stringify(body)
      const size = new TextEncoder().encode(json).length
      this.#queue.push({ body, json, size, resolve, reject, added: Date.now(), unsureSince: null, flying: false })
      this.#send()
    })
  }

  wake () { this.#pause.wake() }

  close () {
    this.#closed = true
    this.#pause.cut()
    for (const e of this.#queue.splice(0)) e.reject(e.flying || e.unsureSince !== null ? unknown() : closed())
  }

  async #send () {
    if (this.#sending) return
    this.#sending = true
    const backoff = new Backoff(this.#hub.timing)
    while (this.#queue.length > 0 && !this.#closed) {
      await null // what is published in one go shares a request
      this.#giveUp()
      if (globalThis.navigator?.onLine === false) { // what was never sent stays certain
        await this.#pause.wait(this.#hub.timing.backoffMax)
        continue
      }
      const some = this.#first()
      if (some.length === 0) continue
      const wait = this.#settle(some, await this.#attempt(some))
      if (wait === null) backoff.reset()
      else await this.#pause.wait(backoff.next(wait), wait)
    }
    this.#sending = false
  }

  /** Gives up what must not go out again: a machine may have slept since it was to. */
  #giveUp () {
    this.#queue = this.#queue.filter(e => {
      const may = this.#mayRepeat(e)
      if (!may) e.reject(e.unsureSince === null ? new HubError('timeout', 'it could not be published in time') : unknown())
      return may
    })
  }

  /** What goes out together. */
  #first () {
    let size = 0
    const n = this.#queue.findIndex((e, i) => i === batch || ((size += e.size + 1) > batchBytes && i > 0))
    return this.#queue.slice(0, n < 0 ? undefined : n)
  }

  /** One result for each, as the hub gives them: {id} or {error}. */
  async #attempt (some) {
    const began = Date.now()
    for (const e of some) e.flying = true
    const failed = error => some.map(() => ({ error }))
    let results
    try {
      const published = some.length === 1 && some[0].size < socketBytes && this.#hub.session.publish(some[0].body)
      results = published
        ? [await published]
        : await this.#hub.requests.json('/events', () => this.#request(some))
      if (results.length !== some.length) throw new HubError('network', 'the answer is not the hub\'s')
    } catch (error) {
      results = failed(error)
    }
    for (const [i, e] of some.entries()) {
      e.flying = false
      if (uncertain.has(results[i].error?.code)) e.unsureSince ??= began
    }
    return results
  }

  /** A batch, unless it has waited too long for its turn or its token. */
  #request (some) {
    if (!some.every(e => this.#mayRepeat(e))) throw new HubError('unavailable', 'it is too late')
    return { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: `[${some.map(e => e.json)}]` }
  }

  /**
   * Settles what is decided, and returns null, or how long to wait at least
   * before the rest goes out again. Of a channel nothing overtakes what failed.
   */
  #settle (some, results) {
    let wait = null
    for (const [i, e] of some.entries()) {
      const { id, error } = results[i]
      const again = error && passing.has(error.code) && this.#mayRepeat(e)
      if (again) {
        wait = Math.max(wait ?? 0, error.retryAfter ?? 0)
        continue
      }
      this.#queue.splice(this.#queue.indexOf(e), 1)
      if (!error) e.resolve(id)
      else if (e.unsureSince !== null && passing.has(error.code)) e.reject(unknown())
      else e.reject(error instanceof HubError ? error : new HubError(error.code, error.message))
    }
    return wait
  }

  #mayRepeat (e) {
    const now = Date.now()
    if (e.body.ephemeral) return e.unsureSince === null && now - e.added < ephemeralFor // it has no key
    return e.unsureSince === null || now - e.unsureSince < this.#hub.timing.keyLife
  }
}

const unknown = () => new HubError('unknown_outcome', 'perhaps it was published; nobody can tell any more')

/** Where crypto.randomUUID is missing: pages over plain HTTP. */
function randomKey () {
  return [...crypto.getRandomValues(new Uint8Array(16))].map(b => b.toString(16).padStart(2, '0')).join('')
}
