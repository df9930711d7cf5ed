import { bearable } from './wait.js'

/**
 * An error with a code of docs/protocol.md, or one of the client's own:
 * `closed`, `queue_full`, `network`, `timeout`, `token`, `slow_reader`.
 */
export class HubError extends Error {
  constructor (code, message, { status = 0, retryAfter = 0, foreign = false } = {}) {
    super(message)
    this.name = 'HubError'
    this.code = code
    this.status = status
    this.retryAfter = retryAfter // ms
    this.foreign = foreign // a proxy's answer, not the hub's
  }
}

export const closed = () => new HubError('closed', 'the connection was closed')

/** Codes that pass by themselves: the same request can succeed later. */
export const passing = new Set(['network', 'timeout', 'token', 'rate_limited', 'connection_limit', 'unavailable', 'unknown_outcome', 'internal'])

/** Codes after which nobody knows whether something was published. */
export const uncertain = new Set(['network', 'timeout', 'unknown_outcome', 'internal'])

const rest = 30_000 // ms at least between asking for tokens because one is about to expire

/**
 * The credential: a string, or a function that returns one or a promise of
 * one. It is asked for once at a time, however many need it.
 */
export class Tokens {
  #source
  #timeout
  #token
  #asking = null
  #asked = -Infinity
  #giveUp = null // asking, with an error

  constructor (source, timeout) {
    this.#source = source
    this.#timeout = timeout
    this.#token = typeof source === 'string' ? source : null
  }

  /** Whether a refused token can be replaced. */
  get renewable () { return typeof this.#source === 'function' }

  /** The token, or null where there is none to send. */
  async get () {
    if (this.#token === null && this.renewable) return await this.refresh()
    return this.#token
  }

  /** Asks for a token in the place of the one that was used, unless somebody has. */
  async refresh (used = this.#token) {
    if (!this.renewable || this.#token !== used) return this.#token
    this.#asking ??= this.#ask()
    return await this.#asking
  }

  /** As refresh, for a token that still works: null where the source was asked just now. */
  async renew (used) {
    if (this.#token === used && Date.now() - this.#asked < rest) return null
    return await this.refresh(used)
  }

  /** Gives up asking. */
  close () { this.#giveUp?.(closed()) }

  async #ask () {
    this.#asked = Date.now()
    let timer
    try {
      const late = new Promise((resolve, reject) => { this.#giveUp = reject })
      timer = setTimeout(() => this.#giveUp(new Error('it takes too long')), this.#timeout)
      return (this.#token = await Promise.race([this.#source(), late]))
    } catch (error) {
      throw new HubError('token', `there is no token: ${error?.message}`)
    } finally {
      clearTimeout(timer)
      this.#asking = this.#giveUp = null
    }
  }
}

/** The user that a JWT names, unchecked, or null. */
export function subjectOf (token) {
  try {
    const body = token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/')
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(body), c => c.charCodeAt(0)))).sub ?? null
  } catch {
    return null
  }
}

/** How many ordinary requests run at once: a browser has six per host. */
const atOnce = 2

/** Requests to the hub, with the token in a header and a bound in time. */
export class Requests {
  #hub
  #running = new Set() // what aborts each
  #waiting = []
  #closed = false

  constructor (hub) { this.#hub = hub }

  /**
   * Makes an ordinary request and returns its JSON answer. What is requested
   * is asked for when its turn has come: some things may not be late.
   */
  async json (path, init = () => ({})) {
    while (this.#running.size >= atOnce) await new Promise(resolve => this.#waiting.push(resolve))
    const abort = new AbortController()
    this.#running.add(abort)
    const timer = setTimeout(() => abort.abort(new HubError('timeout', 'the hub did not answer in time')), this.#hub.timing.requestTimeout)
    try {
      if (this.#closed) throw closed()
      return await this.#ask(path, init, abort.signal)
    } finally {
      clearTimeout(timer)
      this.#running.delete(abort)
      this.#waiting.shift()?.()
    }
  }

  async #ask (path, init, signal) {
    const { tokens } = this.#hub
    const used = await tokens.get()
    let response = await this.fetch(path, init(), signal)
    if (response.status === 401 && tokens.renewable) {
      await tokens.refresh(used)
      response = await this.fetch(path, init(), signal)
    }
    if (!response.ok) throw await errorOf(response)
    return await read(response, signal)
  }

  /** Makes any request; the answer's head alone has been read. */
  async fetch (path, { headers = {}, ...init }, signal) {
    const token = await this.#hub.tokens.get()
    if (token) headers = { ...headers, Authorization: `Bearer ${token}` }
    try {
      return await fetch(this.#hub.url + path, { cache: 'no-store', credentials: this.#hub.options.credentials, ...init, headers, signal })
    } catch (error) {
      throw failed(error, signal)
    }
  }

  /** Ends what is under way, and what waits for its turn. */
  close () {
    this.#closed = true
    for (const abort of this.#running) abort.abort(closed())
  }
}

async function read (response, signal) {
  try {
    return await response.json()
  } catch (error) {
    throw failed(error, signal)
  }
}

/** Why a request failed: it was aborted for a reason of ours, or by the network. */
function failed (error, { reason }) {
  return reason instanceof HubError ? reason : new HubError('network', `the hub cannot be reached: ${error.message}`)
}

/** The error that an answer tells. */
export async function errorOf (response) {
  const after = response.headers.get('Retry-After') // seconds, or a date (RFC 9110, section 10.2.3)
  const retryAfter = bearable(/^\d+$/.test(after) ? 1000 * after : Date.parse(after) - Date.now())
  const { status } = response
  try {
    const { code, message } = (await response.json()).error
    if (code) return new HubError(code, message, { status, retryAfter })
  } catch {} // a proxy's page
  return new HubError(codeOf(status), `the answer has status ${status}`, { status, retryAfter, foreign: true })
}

/** What a proxy's status means. Behind a 502 the hub may have done what it was asked. */
function codeOf (status) {
  const codes = { 400: 'bad_request', 401: 'unauthorized', 403: 'forbidden', 404: 'not_found', 409: 'conflict', 413: 'too_large', 429: 'rate_limited', 503: 'unavailable' }
  return codes[status] ?? (status >= 500 ? 'unknown_outcome' : 'bad_request')
}
