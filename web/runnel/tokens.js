import { HubError, closed } from './error.js'

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
