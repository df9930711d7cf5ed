import { reported, storage, timing } from './browser.mjs'
import test from 'node:test'
import assert from 'node:assert/strict'
import { connect } from '../runnel.js'
import { Channel } from '../runnel/channel.js'
import { HubError } from '../runnel/error.js'
import { Clock, settle } from './clock.mjs'
import { World } from './world.mjs'

const at = n => `1732137600000-${n}`
const upTo = n => Array.from({ length: n }, (_, i) => i + 1)

function page (t, rung = 'ws') {
  const clock = new Clock()
  const world = new World()
  storage.clear()
  const hub = connect('http://hub.example.com', { share: false, transports: [rung] })
  t.after(() => { hub.close(); world.release(); clock.release() })
  return { clock, world, hub }
}

/** A channel whose feed is the test itself; its history has so many events. */
function alone (t, { history = () => 0, start } = {}) {
  const clock = new Clock()
  t.after(() => clock.release())
  const asked = []
  const hub = {
    timing,
    closed: false,
    connection: 'c1',
    tabs: { join () {}, leave () {} },
    outbox: { add: async () => null },
    requests: {
      json: async path => {
        const query = new URL(path, 'http://x').searchParams
        asked.push(query.get('last_event_id') ?? query.get('since') ?? query.get('rewind'))
        const last = await history()
        const from = Number(/-(\d+)$/.exec(query.get('last_event_id'))?.[1] ?? 0)
        const events = upTo(last).slice(from, from + Number(query.get('limit'))).map(n => ({ type: 'event', channel: 'a', event: 'message', id: at(n), data: n }))
        return { events, gap: null, last_event_id: events.at(-1)?.id ?? at(Math.max(from, last)), more: from + events.length < last }
      }
    }
  }
  const channel = new Channel(hub, 'a', start)
  const seen = []
  channel.on('message', e => seen.push(e.data))
  const event = (n, before = n - 1) => channel.receive('event', { type: 'event', channel: 'a', event: 'message', id: at(n), data: n }, at(before))
  return { clock, hub, channel, seen, asked, event }
}

test('whoever reads a channel again as it ends hears what comes then', t => {
  const { channel, event } = alone(t)
  const got = []
  const old = []
  channel.on('*', e => old.push(e.data))
  channel.on('end', () => channel.on('*', e => got.push(e.data)))
  channel.close()
  assert.equal(channel.reading, true)
  event(1)
  channel.close()
  event(2)
  assert.deepEqual([got, old], [[1], []])
})

test('events go to the handlers of their type, and to those of all', async t => {
  const { clock, world, hub } = page(t)
  const got = []
  hub.channel('a').on('note', e => got.push(['note', e.data]))
  hub.channel('a').on('*', e => got.push([e.event, e.data]))
  await clock.pass(100)
  world.publish('a', { event: 'note', data: undefined, text: 'plain' })
  world.publish('a', { event: 'typing', data: true, ephemeral: true })
  await clock.pass(10)
  assert.deepEqual(got, [['note', 'plain'], ['note', 'plain'], ['typing', true]])
})

test('nobody forges a gap, an error, a start or an end by publishing an event of that type', async t => {
  const { clock, world, hub } = page(t)
  const own = ['gap', 'error', 'start', 'end', '*']
  const got = []
  await clock.pass(0)
  const channel = hub.channel('a')
  channel.on('*', e => got.push(e.event))
  await clock.pass(100)
  for (const name of own.slice(0, 4)) channel.on(name, () => got.push(`forged ${name}`))
  for (const event of own) world.publish('a', { event })
  await clock.pass(10)
  assert.deepEqual(got, own)
})

test('a handler that throws is reported and breaks nothing', async t => {
  const { clock, world, hub } = page(t)
  const got = []
  reported.length = 0
  hub.channel('a').on('message', () => { throw new Error('mine') })
  hub.channel('a').on('message', e => got.push(e.data))
  hub.on('state', () => { throw new Error('mine too') })
  await clock.pass(100)
  for (let n = 0; n < 3; n++) world.publish('a')
  await clock.pass(10)
  assert.deepEqual(got, [1, 2, 3])
  assert.equal(reported.length, 4)
})

test('off takes a handler away', async t => {
  const { clock, world, hub } = page(t)
  const got = []
  const off = hub.channel('a').on('message', e => got.push(e.data))
  await clock.pass(100)
  world.publish('a')
  await clock.pass(10)
  off()
  world.publish('a')
  await clock.pass(10)
  assert.deepEqual(got, [1])
})

test('handlers of a channel end with close: whoever mounts, unmounts and mounts again has each event once', async t => {
  const { clock, world, hub } = page(t)
  const got = { events: [], all: [], gaps: [], starts: [], errors: [] }
  const mount = () => { // as an effect of a component does, in StrictMode twice
    const channel = hub.channel('a')
    channel.on('message', e => got.events.push(e.data))
    channel.on('*', e => got.all.push(e.data))
    channel.on('gap', gap => got.gaps.push(gap))
    channel.on('start', ({ position }) => got.starts.push(position))
    channel.on('error', error => got.errors.push(error.code))
    return () => channel.close()
  }
  mount()()
  const unmount = mount()
  await clock.pass(100)
  world.publish('a')
  await clock.pass(10)
  unmount()
  world.publish('a')
  await clock.pass(10)
  mount()
  await clock.pass(100)
  world.publish('a')
  await clock.pass(10)
  assert.deepEqual([got.events, got.all, got.starts.length], [[1, 2, 3], [1, 2, 3], 2], 'it goes on where it was, once each')
  hub.channel('a').receive('gap', { channel: 'a', after: null, last_event_id: at(9), resumed_at: null, missed: 1, reason: 'trimmed' }, null)
  hub.channel('a').receive('error', { code: 'forbidden', message: 'no' }, null)
  assert.deepEqual([got.gaps.length, got.errors], [1, ['forbidden']])
})

test('handlers of a channel that could not be read end with close, too', async t => {
  const { channel, event, seen } = alone(t)
  const errors = []
  channel.on('error', e => errors.push(e.code))
  channel.receive('error', { code: 'forbidden', message: 'no' }, null)
  channel.close()
  channel.on('message', () => {})
  event(1, 0)
  channel.receive('error', { code: 'forbidden', message: 'no' }, null)
  assert.deepEqual([seen, errors], [[], ['forbidden']])
})

test('a handler that was taken away, or whose channel was closed, hears nothing more of the same event', async t => {
  for (const end of ['off', 'close', 'hub']) {
    const { clock, world, hub } = page(t)
    const got = []
    const channel = hub.channel('a')
    channel.on('message', () => { if (end === 'off') off(); else if (end === 'hub') hub.close(); else channel.close() })
    const off = channel.on('message', e => got.push(e.data))
    if (end !== 'off') channel.on('*', e => got.push(e.data))
    await clock.pass(100)
    world.publish('a')
    await clock.pass(10)
    assert.deepEqual(got, [], end)
    clock.release()
    world.release()
  }
})

test('closing in a handler leaves the rest of a page of history to the next reader', async t => {
  const { channel, clock, event } = alone(t, { history: () => 5 })
  const got = { first: [], second: [] }
  channel.on('*', e => {
    got.first.push(e.data)
    if (e.data !== 2) return
    channel.close()
    channel.on('message', e => got.second.push(e.data))
    channel.receive('start', { position: at(2), known: true }, at(2))
    for (const n of [3, 4, 5]) event(n)
  })
  channel.receive('start', { position: at(0) }, null)
  event(5, 4)
  await clock.pass(0)
  assert.deepEqual(got, { first: [1, 2], second: [3, 4, 5] })
})

test('a hub that is closed tells so, and then nothing', async t => {
  const { clock, hub } = page(t)
  const states = []
  hub.on('state', ({ state }) => states.push(state))
  hub.channel('a').on('message', () => {})
  await clock.pass(100)
  hub.close()
  hub.setState('connected', 'ws')
  assert.deepEqual(states, ['connected', 'closed'])
})

test('an iteration ends with close, and the next one has each event once', async t => {
  const { clock, world, hub } = page(t)
  const got = []
  const read = async () => { for await (const e of hub.channel('a')) got.push(e.data) }
  const first = read()
  await clock.pass(100)
  hub.channel('a').close()
  read()
  await first
  await clock.pass(100)
  world.publish('a')
  await clock.pass(10)
  assert.deepEqual(got, [1])
})

test('an option that is misspelt is refused with those that exist, and nothing begins live instead', async t => {
  const { hub } = page(t)
  assert.throws(() => connect('http://hub.example.com', { tokn: 'x' }), /no option tokn; there are token/)
  assert.throws(() => connect('http://hub.example.com', { timing: { patient: 1 } }), TypeError)
  for (const start of [{ last_event_id: at(1) }, { lastEventID: at(1) }, { rewnd: 3 }]) assert.throws(() => hub.channel('a', start), /there are lastEventId, since, rewind/)
  await assert.rejects(hub.channel('a').publish(1, { ephemeral: true, echos: false }), TypeError)
  await assert.rejects(hub.channel('a').history({ last_event_id: at(1) }), /there are limit, before, lastEventId/)
})

test('what was published after history was read and before the feed began is read, in a quiet channel too', async t => {
  let last = 0
  const { clock, channel, seen } = alone(t, { start: { rewind: 5 }, history: () => last })
  last = 1 // the read under way does not have it, and the feed begins after it
  channel.receive('start', { position: at(1) })
  await clock.pass(10)
  assert.deepEqual(seen, [1])
})

for (const rung of ['ws', 'sse', 'poll']) {
  test(`${rung}: history and live are one, wherever reading begins`, async t => {
    for (const [start, first] of [[{ rewind: 5 }, 6], [{ lastEventId: at(3) }, 4], [undefined, 11]]) {
      const { clock, world, hub } = page(t, rung)
      for (let n = 0; n < 10; n++) world.publish('a')
      const got = []
      hub.channel('a', start).on('message', e => got.push(e.data))
      await clock.pass(1)
      if (start) world.publish('a')
      await clock.pass(100)
      while (world.log('a').length < 15) world.publish('a')
      await clock.pass(100)
      assert.deepEqual(got, upTo(15).slice(first - 1), JSON.stringify(start))
      hub.close()
      world.release()
      clock.release()
    }
  })

  test(`${rung}: thirty-two channels without an event fit in a URL, each at its place`, async t => {
    const { clock, world, hub } = page(t, rung)
    const got = []
    const fetched = []
    const { fetch } = globalThis
    globalThis.fetch = (url, init) => { fetched.push(url); return fetch(url, init) }
    for (let n = 0; n < 32; n++) {
      hub.channel(`channel-${n}`).on('message', e => got.push([e.channel, e.data]))
      await clock.pass(n % 4 * 20)
    }
    await clock.pass(1000)
    world.publish('channel-3')
    await clock.pass(100)
    world.cut()
    for (let n = 0; n < 32; n++) world.publish(`channel-${n}`)
    await clock.pass(10_000)
    assert.equal(got.length, 33)
    assert.deepEqual(got.filter(([c]) => c === 'channel-3').map(([, n]) => n), [1, 2])
    assert.ok(fetched.every(url => url.length < 6000), `${Math.max(...fetched.map(u => u.length))} characters`)
  })
}

test('an iteration gets what comes, and ends with the channel or the hub', async t => {
  const { clock, world, hub } = page(t)
  const got = { a: [], b: [] }
  const read = async name => { for await (const e of hub.channel(name)) got[name].push(e.data) }
  const readers = [read('a'), read('b')]
  await clock.pass(100)
  for (let n = 0; n < 3; n++) { world.publish('a'); world.publish('b') }
  await clock.pass(10)
  hub.channel('a').close()
  await readers[0]
  world.publish('a')
  world.publish('b')
  await clock.pass(10)
  hub.close()
  await readers[1]
  assert.deepEqual(got, { a: [1, 2, 3], b: [1, 2, 3, 4] })
})

test('an iteration that is far too slow is told', async t => {
  const { channel, event } = alone(t)
  channel.receive('start', { position: at(0) }, null)
  const events = channel[Symbol.asyncIterator]()
  const first = events.next()
  await settle()
  for (let n = 1; n <= 1002; n++) event(n)
  assert.equal((await first).value.data, 1)
  await assert.rejects(async () => { for (;;) if ((await events.next()).done) break }, { code: 'slow_reader' })
})

test('a tab that its feed has left behind reads history first', async t => {
  const { channel, seen, asked, event, clock } = alone(t, { history: () => 9 })
  channel.receive('start', { position: at(0) }, null)
  event(1)
  event(8, 7)
  event(9)
  event(10)
  await clock.pass(0)
  assert.deepEqual(asked, [at(1)])
  assert.deepEqual(seen, upTo(10))
})

test('history that fails is asked for again, what comes meanwhile waits', async t => {
  let tries = 0
  const { channel, seen, event, clock } = alone(t, { history: () => { if (++tries < 4) throw new HubError('network', ''); return 5 } })
  channel.receive('start', { position: at(0) }, null)
  event(5, 4)
  event(6)
  await clock.pass(60_000)
  assert.deepEqual(seen, upTo(6))
})

test('more than can wait is read from history afterwards', async t => {
  let last = 5
  let go
  const { channel, seen, event, clock } = alone(t, { history: async () => { await go; return last } })
  go = new Promise(resolve => setTimeout(resolve, 1000))
  channel.receive('start', { position: at(0) }, null)
  event(5, 4)
  for (let n = 6; n <= 3000; n++) event(n)
  last = 3000
  await clock.pass(5000)
  assert.deepEqual(seen, upTo(3000))
})

test('publishing without an echo does not disturb history that is read', async t => {
  const { channel, seen, event, clock, hub } = alone(t, { history: async () => { await new Promise(resolve => setTimeout(resolve, 100)); return 9 } })
  channel.receive('start', { position: at(0) }, null)
  hub.outbox.add = async () => { await new Promise(resolve => setTimeout(resolve, 50)); return at(10) }
  event(9, 8)
  channel.publish('x', { echo: false })
  event(10)
  event(11)
  await clock.pass(1000)
  assert.deepEqual(seen, [...upTo(9), 11])
})

test('without an echo an own event comes to the others only, on each rung', async t => {
  for (const rung of ['ws', 'sse', 'poll']) {
    const { clock, world, hub } = page(t, rung)
    const got = []
    hub.channel('a').on('message', e => got.push(e.data))
    await clock.pass(100)
    hub.channel('a').publish('mine', { echo: false })
    await clock.pass(100)
    hub.channel('a').publish('everybody\'s')
    await clock.pass(100)
    assert.deepEqual(got, ['everybody\'s'], rung)
    hub.close()
    world.release()
    clock.release()
  }
})

test('a start is told once for each time that reading begins', async t => {
  const { channel } = alone(t)
  let starts = 0
  channel.on('start', () => starts++)
  channel.receive('start', { position: at(0) }, null)
  channel.receive('start', { position: at(0), known: true }, at(0))
  channel.receive('start', { position: at(0) }, at(0))
  assert.equal(starts, 2)
})

test('whatever a feed leaves out or says twice, each event comes once and in order', async t => {
  let seed = 7
  const roll = n => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) % n
  for (let round = 0; round < 60; round++) {
    let last = 0
    const { channel, seen, event, clock } = alone(t, {
      history: async () => {
        if (roll(5) === 0) throw new HubError('unavailable', '')
        await new Promise(resolve => setTimeout(resolve, roll(200)))
        return last
      }
    })
    channel.receive('start', { position: roll(2) ? at(0) : 'a-cursor' }, null)
    while (last < 100) {
      last++
      const fate = roll(8)
      if (fate > 1) event(last)
      if (fate === 2) event(last)
      if (fate === 3) event(1 + roll(last))
      if (fate === 4) channel.receive('start', { position: at(last), known: true }, at(last))
      await clock.pass(roll(3) * 20)
    }
    await clock.pass(120_000)
    event(++last)
    await clock.pass(120_000)
    assert.deepEqual(seen, upTo(101), `round ${round}`)
    clock.release()
  }
})

test('an iteration that is far too slow never skips an event before it is told', async t => {
  const { channel, event } = alone(t)
  channel.receive('start', { position: at(0) }, null)
  const events = channel[Symbol.asyncIterator]()
  const first = events.next()
  await settle()
  let n = 0
  const seen = []
  while (n < 1002) event(++n)
  seen.push((await first).value.data)
  await assert.rejects(async () => {
    for (;;) {
      seen.push((await events.next()).value.data)
      event(++n) // there is room again
    }
  }, { code: 'slow_reader' })
  assert.deepEqual(seen, upTo(seen.length))
})

test('an iteration of a channel that cannot be read is told why', async t => {
  for (const rung of ['ws', 'sse', 'poll']) {
    const { clock, world, hub } = page(t, rung)
    world.forbidden.add('a')
    const reading = assert.rejects(async () => { for await (const e of hub.channel('a')) assert.fail(e) }, { code: 'forbidden' })
    await clock.pass(10_000)
    await reading
    hub.close()
    world.release()
    clock.release()
  }
})

test('a channel that could not be read is read again by the next handler', async t => {
  const { clock, world, hub } = page(t)
  const got = []
  world.forbidden.add('a')
  hub.channel('a').on('message', e => got.push(e.data))
  await clock.pass(1000)
  world.forbidden.clear()
  hub.channel('a').on('other', () => {})
  await clock.pass(1000)
  world.publish('a')
  await clock.pass(10)
  assert.deepEqual(got, [1])
})

test('history that may not be read ends reading with an error', async t => {
  const { channel, clock, event, seen } = alone(t, { history: () => { throw new HubError('forbidden', 'no') } })
  const errors = []
  channel.on('error', e => errors.push(e.code))
  channel.receive('start', { position: at(0) }, null)
  event(5, 4)
  await clock.pass(0)
  event(6)
  assert.deepEqual([errors, seen, channel.reading], [['forbidden'], [], false])
})

test('a proxy that refuses history is not the hub, and is asked again', async t => {
  let tries = 0
  const { channel, clock, event, seen } = alone(t, { history: () => { if (++tries < 3) throw new HubError('forbidden', '', { status: 403, foreign: true }); return 5 } })
  channel.receive('start', { position: at(0) }, null)
  event(5, 4)
  await clock.pass(60_000)
  assert.deepEqual(seen, upTo(5))
})

test('what others publish does not wait for an own event that the hub cannot take', async t => {
  const { channel, hub, seen, event, clock } = alone(t)
  channel.receive('start', { position: at(0) }, null)
  let answer
  hub.outbox.add = () => new Promise(resolve => { answer = resolve })
  channel.publish('mine', { echo: false })
  event(1)
  assert.deepEqual(seen, [1])
  channel.receive('event', { type: 'event', channel: 'a', event: 'message', id: at(2), data: 'mine' }, at(1)) // it has it after all
  event(3)
  assert.deepEqual(seen, [1])
  answer(at(2))
  await clock.pass(0)
  assert.deepEqual(seen, [1, 3])
})

test('own text is known by its lines, whatever they end with', async t => {
  const { channel, hub, clock } = alone(t)
  const texts = []
  channel.on('note', e => texts.push(e.data))
  channel.receive('start', { position: at(0) }, null)
  let answer
  hub.outbox.add = () => new Promise(resolve => { answer = resolve })
  channel.publish('two\r\nlines', { event: 'note', text: true, echo: false })
  channel.receive('event', { channel: 'a', event: 'note', id: at(1), text: 'two\nlines' }, at(0))
  answer(at(1))
  await clock.pass(0)
  channel.receive('event', { channel: 'a', event: 'note', id: at(2), text: 'two\nlines' }, at(1))
  assert.deepEqual(texts, ['two\nlines'])
})

test('what comes between a page of history and the start of its feed is not skipped', async t => {
  let answer
  const { channel, seen, clock } = alone(t, { history: () => new Promise(resolve => { answer = resolve }), start: { rewind: 3 } })
  const event = (n, before) => channel.receive('event', { type: 'event', channel: 'a', event: 'message', id: at(n), data: n }, before)
  await clock.pass(0)
  channel.receive('start', { position: 'a-cursor' }, null) // the feed began at 5, history was read at 3
  event(6, 'a-cursor')
  answer(3)
  await clock.pass(0)
  answer(6)
  await clock.pass(0)
  event(7, at(6))
  assert.deepEqual(seen, upTo(7))
})

test('a channel that is closed while history is read, and read again, has each event once', async t => {
  for (const start of [undefined, { rewind: 10 }]) {
    const answers = []
    const { channel, seen, clock, event } = alone(t, { history: () => new Promise(resolve => answers.push(resolve)), start })
    channel.receive('start', { position: at(0) }, null)
    event(3, 2)
    await clock.pass(0)
    channel.close()
    channel.on('message', e => seen.push(e.data))
    channel.receive('start', { position: at(3), known: true }, at(3))
    await clock.pass(0)
    for (let n = 0; n < answers.length; n++) { answers[n](3); await clock.pass(0) }
    event(4)
    await clock.pass(0)
    assert.deepEqual(seen, upTo(4), JSON.stringify(start))
    clock.release()
  }
})
