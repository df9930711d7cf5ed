import { HubError, closed, errorOf } from './error.js'

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
