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
  #untried = [] // rungs of this round
  #patience // with the newest of those that are tried
  #replacing = null // a link that takes over from active on the same rung
  #changing = false // whether one is about to
  #failures = 0 // of such links in a row
  #again // when one is tried again, or given up
  #round = 0 // of attempts; what belongs to an older one is over
  #first = null // the rung to begin with, where it is not the one that worked last
  #silences = 0 // of links in a row that ended in silence
  #backoff
  #pause = new Pause()
  #climbing
  #climbAt = 0
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
    else if (this.#active) this.#change()
    else if (this.channels.size === 1 || this.state === 'refused') queueMicrotask(() => this.#attempt()) // with those that join in the same go
  }

  leave (name) {
    this.channels.delete(name)
    if (this.#active?.leave) this.#active.leave(name)
    else if (this.#active) this.#change()
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
    const { climbMin } = this.#hub.timing
    if (this.#active && this.#active.rung !== this.#ladder[0] && this.#climbAt > Date.now() + climbMin) this.#climbSoon(climbMin)
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
    clearTimeout(this.#patience)
    clearTimeout(this.#again)
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
    const first = Math.max(0, this.#ladder.indexOf(this.#first ?? this.#winner.rung))
    this.#untried = [...this.#ladder.slice(first), ...this.#ladder.slice(0, first)]
    this.#tryNext()
  }

  /** Tries the next rung, while those before it go on; after the last one all have a while. */
  #tryNext () {
    const { patience, requestTimeout } = this.#hub.timing
    const rung = this.#untried.shift()
    const last = this.#untried.length === 0
    clearTimeout(this.#patience)
    this.#patience = setTimeout(() => last ? this.#retry(0) : this.#tryNext(), last ? requestTimeout : patience)
    this.#open(rung, {
      working: link => this.#win(link),
      down: (link, why) => {
        const newest = [...this.#trying].at(-1) === link
        this.#trying.delete(link)
        if (why.kind !== 'broken') this.#fail(why)
        else if (newest && this.#untried.length > 0) this.#tryNext()
        else if (this.#trying.size === 0) this.#retry(why.retryAfter ?? 0)
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
    if (link === this.#replacing) this.#replacing = null
    this.#stop()
    this.#active = link
    before?.close()
    this.#winner.rung = link.rung
    this.#first = null
    this.#failures = 0
    this.#set('connected')
    if (link.join) for (const name of this.channels) link.join(name)
    else if (link.channels.join() !== [...this.channels].join()) this.#replace() // some came or went meanwhile
    if (link.rung !== this.#ladder[0]) this.#climbSoon(this.#climb)
  }

  /** The link that worked is gone. */
  #lost (why) {
    const { rung, since, heartbeat } = this.#active
    const lived = Date.now() - since
    this.#active = null
    this.#stop()
    if (lived > this.#hub.timing.patience) this.#backoff.reset() // cut, perhaps at a fixed age: the same rung again
    else this.#backoff.ease(4)
    this.#silences = why.silent ? this.#silences + 1 : 0
    // What lets the welcome through and no heartbeats does not work.
    if (why.silent && (lived < 3 * heartbeat || this.#silences > 1)) this.#first = this.#ladder[(this.#ladder.indexOf(rung) + 1) % this.#ladder.length]
    else if (rung === this.#ladder[0] && !why.silent) this.#climb = this.#hub.timing.climbMin
    if (why.kind === 'broken') this.#retry(why.retryAfter ?? 0)
    else this.#fail(why)
  }

  /** The hub said no: trying another rung would not help. */
  async #fail (why) {
    this.#stop()
    const round = this.#round
    const hope = await this.#mend(why)
    if (round !== this.#round) return
    if (hope) this.#retry(why.retryAfter ?? 0)
    else this.#set('refused')
  }

  /** Does what can be done about a link that failed, and reports whether there is hope for another. */
  async #mend ({ kind }) {
    if (kind === 'token' && !this.#hub.tokens.renewable) return false
    if (kind === 'token') await this.#hub.tokens.refresh().catch(() => {})
    if (kind === 'refused') await this.#sortOut()
    return this.channels.size > 0
  }

  /** Drops the channels that cannot be read. */
  async #sortOut () {
    for (const name of [...this.channels]) {
      try {
        await this.#hub.requests.json(`/channels/${encodeURIComponent(name)}/events?limit=1`)
      } catch (error) {
        if (kindOf(error) !== 'refused') continue
        this.channels.delete(name)
        this.#session.refused(name, { code: error.code, message: error.message })
      }
    }
  }

  async #retry (least) {
    this.#stop()
    const round = this.#round
    this.#set(globalThis.navigator?.onLine === false ? 'offline' : 'connecting')
    await this.#pause.wait(this.#backoff.next(least))
    if (round === this.#round) this.#attempt()
  }

  /** Replaces the link once for all that join and leave in the same go. */
  #change () {
    if (this.#changing) return
    this.#changing = true
    queueMicrotask(() => {
      this.#changing = false
      if (this.#active && !this.#active.join && this.channels.size > 0) this.#replace()
    })
  }

  /** Opens a link with the channels, or the token, of now, and closes the old one once it works. */
  #replace () {
    clearTimeout(this.#again)
    this.#replacing?.close()
    this.#trying.delete(this.#replacing)
    const link = this.#replacing = this.#open(this.#active.rung, { working: link => this.#win(link), down: (_, why) => this.#notReplaced(why) })
    this.#again = setTimeout(() => link.end({ kind: 'broken' }), this.#hub.timing.requestTimeout)
  }

  /** The old link goes on; it makes room where the hub may have none for both. */
  async #notReplaced (why) {
    const round = this.#round
    clearTimeout(this.#again)
    this.#trying.delete(this.#replacing)
    this.#replacing = null
    const hope = await this.#mend(why)
    if (round !== this.#round || this.#replacing) return
    if (hope && ++this.#failures < 3) {
      this.#again = setTimeout(() => this.#replace(), this.#backoff.next(why.retryAfter))
      return
    }
    this.#failures = 0
    this.#active.close()
    this.#active = null
    if (hope) this.#retry(why.retryAfter ?? 0)
    else this.#set('refused')
  }

  async #renew () {
    if (!this.#hub.tokens.renewable) return
    const link = this.#active
    try {
      const token = await this.#hub.tokens.renew(link?.token)
      if (token === null || !link || link !== this.#active) return
      if (link.renew) link.renew(token)
      else this.#replace()
    } catch {} // it ends with its token then, and that asks again
  }

  /** Tries the rungs above, from the top, while the lower one goes on. */
  #climbSoon (wait) {
    clearTimeout(this.#climbing)
    wait *= 0.75 + Math.random() / 2
    this.#climbAt = Date.now() + wait
    this.#climbing = setTimeout(() => {
      this.#climb = Math.min(2 * this.#climb, this.#hub.timing.climbMax)
      this.#climbTo(0)
    }, wait)
  }

  #climbTo (i) {
    const rung = this.#ladder[i]
    if (!this.#active || rung === this.#active.rung) return this.#active && this.#climbSoon(this.#climb)
    const link = this.#open(rung, {
      working: link => this.#win(link),
      down: link => {
        clearTimeout(this.#climbing)
        this.#trying.delete(link)
        this.#climbTo(i + 1)
      }
    })
    this.#climbing = setTimeout(() => link.end({ kind: 'broken' }), this.#hub.timing.patience)
  }
}
