// What a browser has and the modules under test need, as far as the tests let them have it.

import { webcrypto } from 'node:crypto'

globalThis.crypto ??= webcrypto

/** Errors of handlers that were reported. */
export const reported = []
globalThis.reportError = error => { reported.push(error) }

class Storage {
  #items = new Map()
  getItem (key) { return this.#items.get(key) ?? null }
  setItem (key, value) { this.#items.set(key, String(value)) }
  clear () { this.#items.clear() }
}

export const storage = new Storage()
Object.defineProperty(globalThis, 'localStorage', { value: storage, configurable: true })

/** What navigator says: onLine, and locks where there are any. */
export const browser = { onLine: true, locks: undefined }
Object.defineProperty(globalThis, 'navigator', { value: browser, configurable: true })

/** The intervals of the tests, those of the client by default. */
export const timing = {
  patience: 3000,
  requestTimeout: 15_000,
  pollWait: 25_000,
  backoffMin: 500,
  backoffMax: 30_000,
  winnerFor: 30 * 60_000,
  climbMin: 60_000,
  climbMax: 10 * 60_000,
  keyLife: 4.5 * 60_000,
  beat: 2000,
  silence: 6000
}
