import { Poll, Stream } from './feeds.js'
import { Socket } from './socket.js'

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

const rungs = { ws: Socket, sse: Stream, poll: Poll }

/**
 * A line carries channels to the hub's feeds over one of the rungs of the
 * ladder, and stays on it until that breaks. A rung works once the hub's
 * welcome came through it; open is not working. Where one shows nothing in
 * time the next is tried beside it, and the first to work wins: so a slow or
 * broken rung costs seconds, and a hub that is down demotes none.
 */
export class Line {
  #hub
  #session
  #ladder
  #winner
  #active = null // the link that works
  #trying = new Set() // links that may
  #replacing = null // a link that takes over from active on the same rung
  #round = 0 // of attempts; what belongs to an older one is over
  #backoff
  #pause = new Pause()
  #climbing
  #climb
  #closed = false

  constructor (hub, session) {
    this.#hub = hub
    this.#session = session
    this.channels = new Set()
    this.state = 'connecting'
    this.#ladder = hub.options.transports.filter(t => t !== 'ws' || globalThis.WebSocket)
    this.#winner = new Remembered(hub)
    this.#backoff = new Backoff(hub.timing)
    this.#climb = hub.timing.climbMin
  }

  get transport () { return this.#active?.rung ?? null }
  get connection () { return this.#active?.connection }
  get publishes () { return this.#active?.publish !== undefined }
  publish (body) { return this.#active.publish(body) }

  join (name) {
    this.channels.add(name)
    if (this.#active?.join) this.#active.join(name)
    else if (this.#active) this.#replace()
    else if (this.channels.size === 1) queueMicrotask(() => this.#attempt()) // with those that join in the same go
    else for (const link of this.#trying) link.join?.(name)
  }

  leave (name) {
    this.channels.delete(name)
    if (this.#active?.leave) this.#active.leave(name)
    else if (this.#active && this.channels.size > 0) this.#replace()
  }

  close () {
    this.#closed = true
    this.#stop()
    this.#active?.close()
    this.#active = null
  }

  /** Something changed for the better, or the browser slept. */
  wake () {
    if (this.#active) this.#active.check()
    else this.#pause.cut()
    if (this.#active && this.#active.rung !== this.#ladder[0]) this.#climbSoon(this.#hub.timing.climbMin)
  }

  offline () {
    if (!this.#active) this.#set('offline')
  }

  #set (state) {
    this.state = state
    this.#session.changed()
  }

  #stop () {
    this.#round++
    clearTimeout(this.#climbing)
    this.#pause.cut()
    for (const link of this.#trying) link.close()
    this.#trying.clear()
    this.#replacing?.close()
    this.#replacing = null
  }

  /** Tries the rungs, beginning with the one that worked last. */
  #attempt () {
    if (this.#closed || this.channels.size === 0) return
    this.#stop()
    this.#set(globalThis.navigator?.onLine === false ? 'offline' : 'connecting')
    const first = Math.max(0, this.#ladder.indexOf(this.#winner.rung))
    this.#tryNext([...this.#ladder.slice(first), ...this.#ladder.slice(0, first)], this.#round)
  }

  #tryNext (rest, round) {
    if (round !== this.#round || rest.length === 0) return
    const [rung, ...others] = rest
    let passed = false
    const next = () => {
      if (passed) return
      passed = true
      clearTimeout(patience)
      this.#tryNext(others, round)
      if (this.#trying.size === 0 && round === this.#round) this.#retry(0)
    }
    const patience = setTimeout(next, this.#hub.timing.patience)
    this.#open(rung, {
      working: link => this.#win(link),
      down: (link, why) => {
        this.#trying.delete(link)
        if (round !== this.#round) return
        if (why.kind === 'broken') next()
        else this.#fail(why)
        if (passed && others.length === 0 && this.#trying.size === 0 && round === this.#round) this.#retry(0)
      }
    })
  }

  #open (rung, { working, down }) {
    const link = new rungs[rung](this.#hub, [...this.channels], {
      position: name => this.#session.position(name),
      working: () => working(link),
      message: (name, kind, message) => this.#session.receive(name, kind, message),
      expiring: () => this.#renew(),
      down: why => (link === this.#active ? this.#lost(why) : down(link, why))
    })
    link.rung = rung
    this.#trying.add(link)
    link.open()
    return link
  }

  #win (link) {
    const before = this.#active
    this.#trying.delete(link)
    this.#stop()
    this.#active = link
    before?.close()
    this.#backoff.reset()
    this.#winner.rung = link.rung
    for (const name of this.channels) link.join?.(name)
    this.#set('connected')
    if (link.rung !== this.#ladder[0]) this.#climbSoon(this.#climb)
    else this.#climb = this.#hub.timing.climbMin
  }

  /** The link that worked is gone. */
  #lost (why) {
    const lived = Date.now() - this.#active.since
    this.#active = null
    this.#stop()
    if (why.kind !== 'broken') return this.#fail(why)
    if (lived > this.#hub.timing.patience) this.#attempt() // cut, perhaps at a fixed age: the same rung again, at once
    else this.#retry(why.retryAfter ?? 0)
  }

  /** The hub said no: trying another rung would not help. */
  async #fail ({ kind, retryAfter = 0 }) {
    this.#stop()
    if (kind === 'refused' || (kind === 'token' && !this.#hub.tokens.renewable)) return this.#set('refused')
    if (kind === 'token') {
      const round = this.#round
      try { await this.#hub.tokens.refresh() } catch {}
      if (round !== this.#round) return
    }
    this.#retry(retryAfter)
  }

  async #retry (least) {
    this.#stop()
    const round = this.#round
    this.#set(globalThis.navigator?.onLine === false ? 'offline' : 'connecting')
    await this.#pause.wait(this.#backoff.next(least))
    if (round === this.#round) this.#attempt()
  }

  /** Opens a link with the channels, or the token, of now, and closes the old one once it works. */
  #replace () {
    this.#replacing?.close()
    const rung = this.#active.rung
    this.#replacing = this.#open(rung, {
      working: link => { this.#replacing = null; this.#win(link) },
      down: (link, why) => {
        this.#trying.delete(link)
        if (link !== this.#replacing) return
        this.#replacing = null
        const old = this.#active
        this.#active = null
        old?.close()
        why.kind === 'broken' ? this.#retry(0) : this.#fail(why)
      }
    })
  }

  async #renew () {
    if (!this.#hub.tokens.renewable) return
    const link = this.#active
    try {
      const token = await this.#hub.tokens.refresh()
      if (link !== this.#active || !link) return
      if (link.renew) link.renew(token)
      else this.#replace()
    } catch {} // it ends with its token then, and that asks again
  }

  /** Tries the rungs above, from the top, while the lower one goes on. */
  #climbSoon (wait) {
    clearTimeout(this.#climbing)
    this.#climbing = setTimeout(() => {
      this.#climb = Math.min(2 * this.#climb, this.#hub.timing.climbMax)
      this.#climbTo(0)
    }, wait * (0.75 + Math.random() / 2))
  }

  #climbTo (i) {
    const rung = this.#ladder[i]
    if (!this.#active || rung === this.#active.rung) return this.#active && this.#climbSoon(this.#climb)
    let over = false
    const next = link => {
      if (over) return
      over = true
      clearTimeout(patience)
      this.#trying.delete(link)
      link.close()
      this.#climbTo(i + 1)
    }
    const link = this.#open(rung, { working: link => { clearTimeout(patience); this.#win(link) }, down: next })
    const patience = setTimeout(() => next(link), this.#hub.timing.patience)
  }
}
