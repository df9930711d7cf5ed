import { Attempt } from './attempt.js'
import { Poll, Stream } from './feeds.js'
import { Ladder } from './ladder.js'
import { mend } from './mend.js'
import { Socket } from './socket.js'
import { Backoff, Pause } from './wait.js'

const links = { ws: Socket, sse: Stream, poll: Poll }

/**
 * A line carries channels to the hub's feeds over one of the rungs of the
 * ladder, and stays on it until that breaks. A rung works once the hub's
 * welcome came through it; open is not working.
 */
export class Line {
  #hub
  #session
  #ladder
  #active = null // the link that works
  #attempt = null // at one, or at another link in the place of the active one
  #climb = null // an attempt at the rungs above
  #changing = false // whether the active link is about to be replaced
  #failures = 0 // to replace it, in a row
  #again // when that is tried again
  #round = 0 // what belongs to an older one is over
  #climbing // the next one's timer
  #climbAt = 0 // when, also where connections are cut more often than it climbs; 0: at the top
  #backoff
  #pause = new Pause()
  #closed = false

  constructor (hub, session) {
    this.#hub = hub
    this.#session = session
    this.channels = new Map() // name → Place, another one for each time that it joins
    this.state = 'connecting'
    this.#ladder = new Ladder(hub)
    this.#backoff = new Backoff(hub.timing)
  }

  get transport () { return this.#active?.rung ?? null }
  get connection () { return this.#active?.connection }
  get publishes () { return this.#active?.publish !== undefined }
  publish (body) { return this.#active.publish(body) }

  join (name, place) {
    this.channels.set(name, place)
    if (this.#active?.join) this.#active.join(name, place)
    else if (this.#active || this.channels.size === 1 || this.state === 'refused') this.#change()
  }

  leave (name) {
    this.channels.delete(name)
    if (this.#active?.leave) this.#active.leave(name)
    else if (this.#active) this.#change()
  }

  close () {
    this.#closed = true
    this.#drop()
  }

  /** Something changed for the better, or the browser slept. */
  wake () {
    const { climbMin, patience } = this.#hub.timing
    if (this.#active) {
      this.#active.check()
      if (this.#climbAt > Date.now() + climbMin) this.#climbAfter(climbMin * Math.random())
    } else if (this.#attempt && Date.now() - this.#attempt.began > patience) this.#begin() // what it began with may be dead
    else this.#pause.wake()
  }

  offline () {
    if (!this.#active) this.#set('offline')
  }

  #set (state) {
    this.state = state
    this.#session.changed()
  }

  /** Ends everything but the active link, or the one that works now. */
  #stop (working) {
    this.#round++
    clearTimeout(this.#climbing)
    clearTimeout(this.#again)
    this.#pause.cut()
    this.#attempt?.stop(working)
    this.#climb?.stop(working)
    this.#attempt = this.#climb = null
  }

  #drop () {
    this.#stop()
    this.#active?.close()
    this.#active = null
  }

  /** Does once, for all that join and leave in the same go, what has to be done for them. */
  #change () {
    if (this.#changing) return
    this.#changing = true
    queueMicrotask(() => {
      this.#changing = false
      if (this.channels.size === 0 || this.#active?.join) return
      if (this.#active) this.#replace()
      else this.#begin()
    })
  }

  #begin () {
    if (this.#closed) return
    this.#stop()
    this.#wait()
    if (this.#closed) return // who heard of it may have had enough
    const { patience, requestTimeout } = this.#hub.timing
    this.#attempt = this.#try(this.#ladder.rungs, { patience, last: requestTimeout }, why => this.#fail(why))
  }

  #wait () { this.#set(globalThis.navigator?.onLine === false ? 'offline' : 'connecting') }

  #try (rungs, waits, failed) { return new Attempt(rungs, waits, (rung, down) => this.#open(rung, down), failed) }

  #open (rung, down) {
    const link = new links[rung](this.#hub, new Map(this.channels), {
      working: () => this.#win(link),
      message: (name, place, kind, message) => this.#receive(link, name, place, kind, message),
      expiring: () => this.#renew(),
      down: why => (link === this.#active ? this.#lost(why) : down(link, why))
    })
    link.rung = rung
    link.open()
    return link
  }

  /** A message counts for the channel as it was when the link took it up; what came since it was left and joined again is not known there. */
  #receive (link, name, place, kind, message) {
    if (this.channels.get(name) !== place) return
    if (kind === 'error') return this.#refuse(name, message)
    if (kind === 'gap' && message.reason === 'rollback' && place.doubts(message)) return link.end({ kind: 'broken' }) // the hub knows, asked from here
    this.#session.receive(name, place, kind, message)
  }

  #refuse (name, { code, message }) {
    this.channels.delete(name)
    this.#session.refused(name, { code, message })
    if (this.channels.size > 0 || this.#closed) return
    this.#drop()
    this.#set('refused')
  }

  #win (link) {
    const before = this.#active
    this.#stop(link)
    this.#active = link
    before?.close()
    this.#ladder.worked(link.rung)
    this.#failures = 0
    this.#set('connected')
    if (link.over) return
    if (link.join) for (const [name, place] of this.channels) link.join(name, place)
    else if (!this.#fits(link)) this.#change() // some came or went meanwhile
    if (this.#ladder.above(link.rung).length === 0) this.#climbAt = 0
    else if (this.#climbAt === 0) this.#climbSoon()
    else this.#climbAfter(this.#climbAt - Date.now())
  }

  #fits ({ channels }) { return channels.size === this.channels.size && [...channels].every(([name, place]) => this.channels.get(name) === place) }

  /** The link that worked is gone. */
  #lost (why) {
    const link = this.#active
    const lived = Date.now() - link.since
    this.#active = null
    if (lived > this.#hub.timing.patience) this.#backoff.reset() // cut, perhaps at a fixed age: the same rung again
    else this.#backoff.ease(4)
    this.#ladder.broke(link, lived, why.silent)
    this.#fail(why)
  }

  /** Nothing works. Where the hub said no, trying another rung would not help. */
  async #fail (why) {
    this.#stop()
    this.#wait()
    if (this.#closed) return
    const round = this.#round
    const hope = await this.#mend(why)
    if (hope === null) return
    if (!hope) return this.#set('refused')
    const { retryAfter = 0 } = why
    await this.#pause.wait(this.#backoff.next(retryAfter), retryAfter)
    if (round === this.#round) this.#begin()
  }

  /** Does what can be done about a link that failed, and reports whether there is hope for another; null: it matters no more. */
  async #mend (why) {
    const round = this.#round
    const still = () => round === this.#round
    const hope = await mend(why, this.#hub, this.channels, (name, error) => still() && this.#refuse(name, error))
    return still() ? hope : null
  }

  /** Opens a link with the channels, or the token, of now, and closes the old one once it works. */
  #replace () {
    clearTimeout(this.#again)
    this.#round++
    this.#attempt?.stop()
    this.#attempt = this.#try([this.#active.rung], { last: this.#hub.timing.requestTimeout }, why => this.#notReplaced(why))
  }

  /** The old link goes on; it makes room where the hub may have none for both. */
  async #notReplaced (why) {
    const hope = await this.#mend(why)
    if (hope === null) return
    if (hope && ++this.#failures < 3) {
      this.#again = setTimeout(() => this.#replace(), this.#backoff.next(why.retryAfter))
      return
    }
    this.#failures = 0
    this.#drop()
    this.#fail(why)
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
  #climbSoon (least = 0) { this.#climbAfter(least + this.#ladder.wait * (0.75 + Math.random() / 2)) }

  #climbAfter (wait) {
    clearTimeout(this.#climbing)
    this.#climbAt = Date.now() + wait
    this.#climbing = setTimeout(() => this.#climbNow(), wait)
  }

  #climbNow () {
    const { patience } = this.#hub.timing
    this.#ladder.climbed()
    this.#climbAt = Date.now() + this.#ladder.wait // should the link break meanwhile
    this.#climb = this.#try(this.#ladder.above(this.#active.rung), { patience, last: patience }, why => this.#climbSoon(why.retryAfter))
  }
}
