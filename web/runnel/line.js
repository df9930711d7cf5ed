import { Poll, Stream } from './feeds.js'
import { Socket, kindOf } from './socket.js'
import { Backoff, Pause, Remembered } from './wait.js'

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
    else if (this.channels.size === 1 || this.state === 'refused') queueMicrotask(() => this.#attempt()) // with those that join in the same go
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
    this.#winner.rung = link.rung
    this.#set('connected')
    if (link.join) for (const name of this.channels) link.join(name)
    else if (link.channels.join() !== [...this.channels].join()) this.#replace() // some came or went meanwhile
    if (link.rung !== this.#ladder[0]) this.#climbSoon(this.#climb)
    else this.#climb = this.#hub.timing.climbMin
  }

  /** The link that worked is gone. */
  #lost (why) {
    const lived = Date.now() - this.#active.since
    this.#active = null
    this.#stop()
    if (lived > this.#hub.timing.patience) this.#backoff.reset() // cut, perhaps at a fixed age: the same rung again
    else this.#backoff.ease(4)
    if (why.kind === 'broken') this.#retry(why.retryAfter ?? 0)
    else this.#fail(why)
  }

  /** The hub said no: trying another rung would not help. */
  async #fail ({ kind, retryAfter = 0 }) {
    this.#stop()
    const round = this.#round
    if (kind === 'token' && !this.#hub.tokens.renewable) return this.#set('refused')
    if (kind === 'token') try { await this.#hub.tokens.refresh() } catch {}
    if (kind === 'refused' && !(await this.#sortOut())) return round === this.#round && this.#set('refused')
    if (round === this.#round) this.#retry(retryAfter)
  }

  /** Drops the channels that cannot be read, and reports whether there were some and others are left. */
  async #sortOut () {
    const before = this.channels.size
    for (const name of [...this.channels]) {
      try {
        await this.#hub.requests.json(`/channels/${encodeURIComponent(name)}/events?limit=1`)
      } catch (error) {
        if (kindOf(error) !== 'refused') continue
        this.channels.delete(name)
        this.#session.refused(name, { code: error.code, message: error.message })
      }
    }
    return this.channels.size > 0 && this.channels.size < before
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
