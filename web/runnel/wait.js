/** Waits that grow, each by chance within its bound ("full jitter"). */
export class Backoff {
  #tries = 0

  constructor ({ backoffMin, backoffMax }, random = Math.random) {
    this.min = backoffMin
    this.max = backoffMax
    this.random = random
  }

  /** The next wait in ms, no shorter than least. */
  next (least = 0) {
    const bound = Math.min(this.max, this.min * 2 ** this.#tries++)
    return least + bound * this.random()
  }

  reset () { this.#tries = 0 }

  /** Begins no higher than after so many tries: something did work. */
  ease (tries) { this.#tries = Math.min(this.#tries, tries) }
}

/** A timer that can be cut short. */
export class Pause {
  #timer
  #done

  wait (ms) {
    this.cut()
    return new Promise(resolve => {
      this.#done = resolve
      this.#timer = setTimeout(() => this.cut(), ms)
    })
  }

  cut () {
    clearTimeout(this.#timer)
    this.#done?.()
    this.#done = undefined
  }
}

/** Which rung worked last in this browser, for a while. */
export class Remembered {
  #key
  #life
  #rung = null
  #until = 0

  constructor (hub) {
    this.#key = `runnel ${hub.url}`
    this.#life = hub.timing.winnerFor
    try {
      const [rung, until] = (localStorage.getItem(this.#key) ?? '').split(' ')
      if (Number(until) <= Date.now() + this.#life) [this.#rung, this.#until] = [rung, Number(until)]
    } catch {} // no storage: it is remembered by this page alone
  }

  get rung () { return Date.now() < this.#until ? this.#rung : null }

  set rung (rung) {
    this.#rung = rung
    this.#until = Date.now() + this.#life
    try { localStorage.setItem(this.#key, `${rung} ${this.#until}`) } catch {}
  }
}
