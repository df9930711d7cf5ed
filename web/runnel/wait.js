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
  #soonest // when it may end at the earliest, unless it is cut

  /** Waits so many ms, or until wake; what the hub asked for is the least. */
  wait (ms, least = 0) {
    this.cut()
    this.#soonest = Date.now() + least
    return new Promise(resolve => {
      this.#done = resolve
      this.#until(ms)
    })
  }

  /** Ends the wait as soon as it may: there is hope again. */
  wake () {
    const left = this.#soonest - Date.now()
    if (left <= 0) this.cut()
    else if (this.#done) this.#until(left)
  }

  cut () {
    clearTimeout(this.#timer)
    this.#done?.()
    this.#done = undefined
  }

  #until (ms) {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.cut(), ms)
  }
}

/** What somebody asked to wait in ms, a day at most: timers cannot tell months from nothing. */
export const bearable = ms => Math.min(Math.max(ms || 0, 0), 86_400_000)
