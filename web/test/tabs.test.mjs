import { browser, storage } from './browser.mjs'
import test from 'node:test'
import assert from 'node:assert/strict'
import { connect } from '../runnel.js'
import { Clock } from './clock.mjs'
import { World } from './world.mjs'

const upTo = n => Array.from({ length: n }, (_, i) => i + 1)

/** The browser's channels between tabs; one that is frozen neither sends nor hears. */
class Bus {
  static all = new Set()
  frozen = false

  constructor (name) {
    this.name = name
    Bus.all.add(this)
  }

  postMessage (data) {
    if (this.frozen) return
    const copy = structuredClone(data)
    for (const bus of Bus.all) {
      if (bus !== this && bus.name === this.name && !bus.frozen) queueMicrotask(() => Bus.all.has(bus) && bus.onmessage?.({ data: copy }))
    }
  }

  close () { Bus.all.delete(this) }
}

/** The browser's locks, as the standard has them (https://w3c.github.io/web-locks/). */
class Locks {
  #held = new Map() // name → {reject}
  #queue = []
  late = false // whether all that is said takes its time, and who is robbed hears of it last

  get waiting () { return this.#queue.length }

  request (name, { steal = false, signal }, callback) {
    return new Promise((resolve, reject) => {
      const wanted = { name, callback, resolve, reject }
      signal?.addEventListener('abort', () => {
        const i = this.#queue.indexOf(wanted)
        if (i < 0) return
        this.#queue.splice(i, 1)
        reject(signal.reason)
      })
      if (!steal) {
        this.#queue.push(wanted)
        return this.#grant(name)
      }
      const robbed = this.#held.get(name)
      const tell = () => robbed?.reject(new DOMException('stolen', 'AbortError'))
      if (this.late) setTimeout(tell, 100)
      else tell()
      this.#held.delete(name)
      this.#queue.unshift(wanted)
      this.#grant(name)
    })
  }

  #grant (name) {
    const i = this.#queue.findIndex(w => w.name === name)
    if (i < 0 || this.#held.has(name)) return
    const [wanted] = this.#queue.splice(i, 1)
    this.#held.set(name, wanted)
    const later = this.late ? f => setTimeout(f, 50) : queueMicrotask
    later(async () => {
      const result = await wanted.callback()
      if (this.#held.get(name) === wanted) {
        this.#held.delete(name)
        this.#grant(name)
      }
      wanted.resolve(result)
    })
  }
}

function setting (t) {
  const kept = globalThis.BroadcastChannel
  const clock = new Clock()
  const world = new World()
  const tabs = []
  storage.clear()
  Bus.all.clear()
  globalThis.BroadcastChannel = Bus
  browser.locks = new Locks()
  t.after(async () => {
    for (const tab of tabs) tab.hub.close()
    world.release()
    clock.release()
    globalThis.BroadcastChannel = kept
    browser.locks = undefined
  })
  /** Opens a tab that reads channels. */
  const open = (options, ...channels) => {
    const before = new Set(Bus.all)
    const tab = { hub: connect('http://hub.example.com', options), seen: {}, read }
    tabs.push(tab)
    channels.forEach(name => read(tab, name))
    queueMicrotask(() => queueMicrotask(() => { tab.bus = [...Bus.all].find(b => !before.has(b)) }))
    return tab
  }
  const read = (tab, name, start) => {
    tab.seen[name] = []
    tab.hub.channel(name, start).on('message', e => tab.seen[name].push(e.data))
  }
  const opened = async (...args) => {
    const tab = open(...args)
    await clock.pass(1000)
    tab.bus ??= [...Bus.all].at(-1)
    return tab
  }
  return { clock, world, open: opened, read }
}

const ann = { user: 'ann' }

test('in a tab that follows, too, handlers end with close', async t => {
  const { clock, world, open, read } = setting(t)
  for (const tab of [await open(ann), await open(ann)]) { // the one that leads, and a follower
    const old = []
    for (let n = 0; n < 2; n++) {
      tab.hub.channel('a').on('message', e => old.push(e.data))
      tab.hub.channel('a').close()
    }
    read(tab, 'a')
    await clock.pass(1000)
    world.publish('a')
    await clock.pass(100)
    assert.deepEqual([old, tab.seen.a.length], [[], 1])
  }
})

test('the tabs of a user share one connection, and each has every event once', async t => {
  const { clock, world, open, read } = setting(t)
  const tabs = []
  for (let n = 0; n < 20; n++) tabs.push(await open(ann, 'a'))
  read(tabs[7], 'b')
  await clock.pass(1000)
  assert.equal(world.live.size, 1)
  for (let n = 0; n < 10; n++) { world.publish('a'); world.publish('b') }
  await clock.pass(100)
  for (const tab of tabs) assert.deepEqual(tab.seen.a, upTo(10))
  assert.deepEqual(tabs[7].seen.b, upTo(10))
  assert.ok(tabs.every(tab => tab.hub.state === 'connected' && tab.hub.transport === 'ws'))
})

test('another user has a connection of its own and gets nothing of it', async t => {
  const { clock, world, open } = setting(t)
  const a = await open(ann, 'a')
  const b = await open({ user: 'bob' }, 'b')
  const alone = await open({ user: 'ann', share: false }, 'a')
  assert.equal(world.live.size, 3)
  world.publish('a')
  await clock.pass(10)
  assert.deepEqual([a.seen, b.seen, alone.seen], [{ a: [1] }, { b: [] }, { a: [1] }])
})

test('tabs that name no user share nothing', async t => {
  const { world, open } = setting(t)
  await open({}, 'a')
  await open({}, 'a')
  assert.equal(world.live.size, 2)
})

test('when the tab that leads closes another goes on where it was', async t => {
  const { clock, world, open } = setting(t)
  const tabs = []
  for (let n = 0; n < 6; n++) tabs.push(await open(ann, 'a'))
  while (tabs.length > 0) {
    world.publish('a')
    await clock.pass(10)
    const [first] = tabs
    for (const tab of tabs) assert.deepEqual(tab.seen.a, upTo(world.log('a').length))
    tabs.shift()
    first.hub.close()
    world.publish('a')
    await clock.pass(1000)
    assert.equal(world.live.size, Math.min(1, tabs.length))
  }
})

test('when it freezes another takes over within eight seconds, and back again it follows', async t => {
  const { clock, world, open } = setting(t)
  const first = await open(ann, 'a')
  const second = await open(ann, 'a')
  await clock.pass(10_000)
  world.publish('a')
  await clock.pass(10)
  first.bus.frozen = true
  world.publish('a')
  await clock.pass(8500)
  assert.deepEqual(second.seen.a, [1, 2])
  first.bus.frozen = false
  world.publish('a')
  await clock.pass(10_000)
  assert.deepEqual([first.seen.a, second.seen.a], [[1, 2, 3], [1, 2, 3]])
  assert.equal(world.live.size, 1)
})

test('tabs that slept together change no leader', async t => {
  const { clock, world, open } = setting(t)
  await open(ann, 'a')
  const second = await open(ann, 'a')
  await clock.pass(10_000)
  for (let n = 0; n < 5; n++) {
    clock.sleep(3_600_000)
    await clock.pass(4000)
  }
  assert.equal(world.opened.length, 1)
  world.publish('a')
  await clock.pass(10)
  assert.deepEqual(second.seen.a, [1])
})

test('a tab that missed something reads it from history', async t => {
  const { clock, world, open } = setting(t)
  await open(ann, 'a')
  const second = await open(ann, 'a')
  world.publish('a')
  await clock.pass(10)
  second.bus.frozen = true
  for (let n = 0; n < 5; n++) world.publish('a')
  await clock.pass(100)
  second.bus.frozen = false
  world.publish('a')
  await clock.pass(100)
  assert.deepEqual(second.seen.a, upTo(7))
})

test('the connection carries what any tab reads, and no more', async t => {
  const { clock, world, open, read } = setting(t)
  const first = await open(ann, 'a')
  const second = await open(ann, 'b')
  read(second, 'c')
  await clock.pass(1000)
  const [socket] = world.live
  assert.deepEqual([...socket.channels].sort(), ['a', 'b', 'c'])
  second.hub.channel('b').close()
  await clock.pass(10_000)
  assert.deepEqual([...socket.channels].sort(), ['a', 'c'])
  second.hub.close()
  await clock.pass(10_000)
  assert.deepEqual([...socket.channels], ['a'])
  world.publish('a')
  await clock.pass(10)
  assert.deepEqual(first.seen.a, [1])
})

test('a tab that opens late begins now, or where it wants to', async t => {
  const { clock, world, open, read } = setting(t)
  await open(ann, 'a')
  for (let n = 0; n < 5; n++) world.publish('a')
  await clock.pass(10)
  const now = await open(ann, 'a')
  const early = await open(ann)
  read(early, 'a', { lastEventId: 'earliest' })
  const recent = await open(ann)
  read(recent, 'a', { rewind: 2 })
  await clock.pass(1000)
  world.publish('a')
  await clock.pass(1000)
  assert.deepEqual([now.seen.a, early.seen.a, recent.seen.a], [[6], upTo(6), [4, 5, 6]])
})

test('each tab publishes, over the connection or by requests', async t => {
  const { clock, world, open } = setting(t)
  const first = await open(ann, 'a')
  const second = await open(ann, 'a')
  const ids = [first.hub.channel('a').publish('x'), second.hub.channel('a').publish('y')]
  await clock.pass(1000)
  assert.equal(new Set(await Promise.all(ids)).size, 2)
  assert.deepEqual(first.seen, second.seen)
  assert.equal(world.log('a').length, 2)
})

test('a tab that takes the lock just when it is given to it leads', async t => {
  const { clock, world, open } = setting(t)
  browser.locks.late = true
  for (let ms = 5500; ms < 8500; ms += 50) {
    const user = { user: `user-${ms}` }
    const first = await open(user, 'a')
    const second = await open(user, 'a')
    first.bus.frozen = true
    await clock.pass(ms)
    first.hub.close()
    await clock.pass(10_000)
    const opened = world.opened.length
    world.publish('a')
    await clock.pass(10_000)
    assert.equal(second.seen.a.length, 1, `${ms}`)
    assert.equal(world.opened.length, opened, `${ms}`)
    second.hub.close()
    assert.equal(browser.locks.waiting, 0)
  }
})

test('tabs that come and go, and take the lead from each other, leave nothing that waits for it', async t => {
  const { clock, open } = setting(t)
  const first = await open(ann, 'a')
  const second = await open(ann, 'a')
  for (let n = 0; n < 6; n++) {
    const [leader] = n % 2 === 0 ? [first] : [second]
    leader.bus.frozen = true
    await clock.pass(9000)
    leader.bus.frozen = false
    await clock.pass(9000)
    assert.equal(browser.locks.waiting, 1)
  }
  for (let n = 0; n < 5; n++) (await open(ann, 'a')).hub.close()
  assert.equal(browser.locks.waiting, 1)
  second.hub.close()
  first.hub.close()
  await clock.pass(0)
  assert.equal(browser.locks.waiting, 0)
  assert.equal(clock.waiting, 0)
})

test('a leader whose clock was put back is heard', async t => {
  const { clock, world, open } = setting(t)
  const first = await open(ann, 'a')
  const second = await open(ann, 'a')
  const third = await open(ann, 'a')
  await clock.pass(10_000)
  clock.turnBack(3_600_000)
  first.hub.close()
  await clock.pass(1000)
  for (let n = 0; n < 3; n++) world.publish('a')
  await clock.pass(100)
  assert.deepEqual([second.seen.a, third.seen.a], [upTo(3), upTo(3)])
  const opened = world.opened.length
  await clock.pass(60_000)
  assert.equal(world.opened.length, opened)
})

test('a hidden tab, with a timer a minute, gets every event at once', async t => {
  const { clock, world, open } = setting(t)
  await open(ann, 'a')
  clock.lazy = true // the timers that are made from now on, of the second tab alone
  const second = await open(ann, 'a', 'b')
  clock.lazy = false
  for (let n = 0; n < 40; n++) {
    await clock.pass(7000)
    world.publish('a')
    world.publish('b')
    await clock.pass(50)
    assert.deepEqual([second.seen.a.length, second.seen.b.length], [n + 1, n + 1])
  }
  assert.equal(world.opened.length, 1)
})

test('a channel that may not be read is told once in each tab, and asked for no more', async t => {
  const { clock, world, open } = setting(t)
  world.forbidden.add('b')
  const errors = []
  const tabs = [await open(ann, 'a'), await open(ann, 'a'), await open(ann)]
  for (const [n, tab] of tabs.entries()) {
    tab.hub.channel('b').on('error', e => errors.push([n, e.code]))
    await clock.pass(100)
  }
  await clock.pass(120_000)
  assert.deepEqual(errors, [[0, 'forbidden'], [1, 'forbidden'], [2, 'forbidden']])
  assert.equal(world.subscribes, 4)
})

test('where the browser forbids locks or channels each tab has its own connection', async t => {
  const { clock, world, open } = setting(t)
  const forbidden = () => { throw new DOMException('not here', 'SecurityError') }
  browser.locks = { request: async () => forbidden() }
  const first = await open(ann, 'a')
  globalThis.BroadcastChannel = class { constructor () { forbidden() } }
  const second = await open(ann, 'a')
  await clock.pass(1000)
  assert.equal(world.live.size, 2)
  world.publish('a')
  await clock.pass(30_000)
  assert.deepEqual([first.seen.a, second.seen.a], [[1], [1]])
})

test('a rollback that another tab is told of is looked into', async t => {
  const { clock, open } = setting(t)
  const tab = await open(ann, 'a')
  const channel = tab.hub.channel('a')
  const asked = []
  tab.hub.requests.json = async path => { asked.push(path); return { events: [], gap: null, last_event_id: channel.position, more: false } }
  channel.receive('event', { channel: 'a', id: '5-9' }, channel.position)
  channel.receive('gap', { channel: 'a', after: '5-8', last_event_id: '5-4', reason: 'rollback' }, '5-8')
  await clock.pass(100)
  assert.equal(asked.length, 1)
  assert.match(asked[0], /last_event_id=5-9/)
})

test('a tab that reads many channels says so once', async t => {
  const { clock, world, open, read } = setting(t)
  await open(ann, 'a')
  const second = await open(ann)
  const said = []
  const post = second.bus.postMessage
  second.bus.postMessage = function (m) { said.push(m); post.call(this, m) }
  for (let n = 0; n < 40; n++) read(second, `b${n}`)
  await clock.pass(100)
  assert.deepEqual(said.map(m => [m.type, m.channels.length]), [['hello', 40]])
  for (let n = 0; n < 40; n++) world.publish(`b${n}`)
  await clock.pass(100)
  assert.ok(Object.values(second.seen).every(seen => seen.length === 1))
})
