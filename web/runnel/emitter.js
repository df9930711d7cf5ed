/** Handlers by name. One that throws breaks neither the others nor delivery. */
export class Emitter {
  #handlers = new Map()

  /**
   * Adds a handler and returns a function that takes it away again.
   */
  on (name, handler) {
    if (typeof handler !== 'function') throw new TypeError('a handler is a function')
    if (!this.#handlers.has(name)) this.#handlers.set(name, new Set())
    this.#handlers.get(name).add(handler)
    return () => this.off(name, handler)
  }

  off (name, handler) {
    const set = this.#handlers.get(name)
    set?.delete(handler)
    if (set?.size === 0) this.#handlers.delete(name)
  }

  /** Takes all handlers away. */
  clear () { this.#handlers.clear() }

  /** Takes all handlers away and tells those of that name: what one of them adds is for what begins anew, and stays. */
  clearTelling (name, value) {
    const those = new Emitter()
    those.#handlers = this.#handlers
    this.#handlers = new Map()
    those.emit(name, value)
  }

  emit (name, value) {
    for (const handler of [...(this.#handlers.get(name) ?? [])]) {
      if (!this.#handlers.get(name)?.has(handler)) continue // one before it took it away
      try {
        handler(value)
      } catch (error) {
        reportError(error)
      }
    }
  }
}

/** Shows an error where errors of pages are shown, after what is being done. */
const reportError = globalThis.reportError ?? (error => queueMicrotask(() => { throw error }))
