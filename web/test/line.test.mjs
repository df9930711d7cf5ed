import { browser } from './browser.mjs'
import test from 'node:test'
import assert from 'node:assert/strict'
import { settle } from './clock.mjs'
import { page, upTo } from './page.mjs'

for (const rung of ['ws', 'sse', 'poll']) {
  test(`${rung}: channels that come and go disturb nobody`, async t => {
    const { clock, world, hub, seen, read } = page(t, { options: { transports: [rung] } })
    await clock.pass(100)
    for (let i = 0; i < 10; i++) {
      read(`b${i}`)
      if (i % 3 === 2) hub.channel(`b${i - 1}`).close()
      world.publish('a')
      await clock.pass(i * 3)
      world.publish('a')
      await clock.pass(30)
    }
    world.publish('b9')
    await clock.pass(2000)
    assert.deepEqual(seen.a, upTo(20))
    assert.deepEqual(seen.b9, [1])
    assert.equal(world.live.size, 1)
  })

  test(`${rung}: a channel that joins while the first connection opens is read`, async t => {
    const { clock, world, seen, read } = page(t, { options: { transports: [rung] } })
    await Promise.resolve()
    await Promise.resolve()
    read('b')
    await clock.pass(500)
    world.publish('a')
    world.publish('b')
    await clock.pass(500)
    assert.deepEqual(seen, { a: [1], b: [1] })
  })

  test(`${rung}: a channel that may not be read says so, and the others go on`, async t => {
    const { clock, world, seen, errors, read } = page(t, { modes: { forbidden: new Set(['b', 'c']) }, options: { transports: [rung] }, channels: ['a', 'b'] })
    await clock.pass(3000)
    world.publish('a')
    read('c')
    await clock.pass(3000)
    world.publish('a')
    await clock.pass(3000)
    assert.deepEqual(errors, [['b', 'forbidden'], ['c', 'forbidden']])
    assert.deepEqual(seen.a, [1, 2])
  })

  test(`${rung}: where no channel may be read there is no connection, until there is another one`, async t => {
    const { clock, world, hub, seen, read } = page(t, { modes: { forbidden: new Set(['a', 'b']) }, options: { transports: [rung] }, channels: ['a', 'b'] })
    await clock.pass(3000)
    assert.deepEqual([hub.state, hub.transport, world.live.size], ['refused', null, 0])
    const opened = world.opened.length
    await clock.pass(600_000)
    assert.equal(world.opened.length, opened)
    read('c')
    await clock.pass(100)
    world.publish('c')
    await clock.pass(100)
    assert.deepEqual([hub.state, seen.c], ['connected', [1]])
  })

  test(`${rung}: a token that is refused is replaced, one that stays bad is not asked for in a loop`, async t => {
    let asked = 0
    const { clock, world, hub, seen } = page(t, { modes: { tokens: ['t2'] }, options: { transports: [rung], token: () => `t${++asked}` } })
    await clock.pass(2000)
    assert.deepEqual([hub.state, asked], ['connected', 2])
    world.publish('a')
    await clock.pass(100)
    assert.deepEqual(seen.a, [1])
    world.tokens = []
    world.cut(4001)
    await clock.pass(10 * 60_000)
    assert.ok(asked < 70, `asked ${asked} times`)
    world.tokens = [`t${asked + 1}`]
    world.publish('a')
    await clock.pass(61_000)
    assert.deepEqual(seen.a, [1, 2])
  })

  test(`${rung}: without another token it says that it was refused, and rests`, async t => {
    const { clock, world, hub } = page(t, { modes: { tokens: ['good'] }, options: { transports: [rung], token: 'bad' } })
    await clock.pass(600_000)
    assert.equal(hub.state, 'refused')
    assert.equal(world.opened.length, 1)
  })
}

test('a token about to expire is renewed in place on a WebSocket, by a new feed on SSE', async t => {
  for (const rung of ['ws', 'sse']) {
    let asked = 0
    const { clock, world, seen, hub } = page(t, { modes: { tokens: ['t1', 't2'] }, options: { transports: [rung], token: () => `t${++asked}` } })
    await clock.pass(100_000)
    for (const feed of world.live) rung === 'ws' ? feed.say({ type: 'expiring' }) : feed.say('runnel.expiring', {})
    world.publish('a')
    await clock.pass(1000)
    assert.deepEqual([asked, world.opened.length, world.live.size], [2, rung === 'ws' ? 1 : 2, 1], rung)
    assert.deepEqual(seen.a, [1])
    for (let i = 0; i < 100; i++) { // a source that has nothing better
      for (const feed of world.live) rung === 'ws' ? feed.say({ type: 'expiring' }) : feed.say('runnel.expiring', {})
      await clock.pass(10)
    }
    assert.equal(asked, 2)
    hub.close()
    world.release()
    clock.release()
  }
})

test('a feed whose successor is refused goes on, and makes room when it has to', async t => {
  const { clock, world, seen, read } = page(t, { options: { transports: ['sse'] } })
  await clock.pass(10_000)
  world.sse = { code: 'connection_limit', status: 429 }
  read('b')
  await clock.pass(50)
  world.publish('a')
  await clock.pass(50)
  assert.deepEqual(seen.a, [1])
  world.sse = 'ok'
  await clock.pass(5000)
  world.publish('b')
  await clock.pass(50)
  assert.deepEqual(seen.b, [1])
})

test('nothing is left when it is closed', async t => {
  for (const modes of [{}, { ws: 'refuse' }, { ws: 'hang', sse: 'hang' }, { ws: 'refuse', sse: 503 }, { ws: 'mute', sse: 'mute' }]) {
    const { clock, world, hub } = page(t, { modes })
    await clock.pass(7000)
    hub.close()
    await clock.pass(0)
    assert.equal(world.live.size, 0, JSON.stringify(modes))
    const opened = world.opened.length
    await clock.pass(3_600_000)
    assert.equal(world.opened.length, opened)
    assert.equal(clock.waiting, 0, JSON.stringify(modes))
    world.release()
    clock.release()
  }
})

for (const rung of ['ws', 'sse', 'poll']) {
  test(`${rung}: a channel that is closed and read again goes on where it was`, async t => {
    const { clock, world, hub, seen, read } = page(t, { modes: { delay: 50 }, options: { transports: [rung] } })
    read('b')
    await clock.pass(1000)
    for (let n = 0; n < 20; n++) {
      world.publish('b')
      await clock.pass(1000)
      hub.channel('b').close()
      world.publish('b') // the old connection still carries it
      await clock.pass(10 + n)
      read('b')
      world.publish('b')
      await clock.pass(3 * n)
    }
    await clock.pass(3000)
    assert.deepEqual(seen.b, upTo(60))
  })

  test(`${rung}: a position that cannot be read is told once, and disturbs nobody`, async t => {
    const { clock, world, hub, seen } = page(t, { options: { transports: [rung] } })
    const errors = []
    await clock.pass(1000)
    hub.channel('b', { lastEventId: 'yesterday' }).on('error', e => errors.push(e.code))
    await clock.pass(10_000)
    assert.deepEqual(errors, ['bad_request'])
    const opened = world.opened.filter(o => o !== 'poll').length
    world.publish('a')
    await clock.pass(60_000)
    assert.deepEqual(seen.a, [1])
    assert.equal(world.opened.filter(o => o !== 'poll').length, opened)
  })
}

test('a rollback that is told from where nobody stands is asked about again', async t => {
  const { clock, world } = page(t, { options: { transports: ['ws'] } })
  await clock.pass(100)
  for (let n = 0; n < 9; n++) world.publish('a')
  await clock.pass(5000)
  const gap = (after, last, reason) => { for (const feed of world.live) feed.say({ type: 'gap', channel: 'a', after: `1732137600000-${after}`, last_event_id: `1732137600000-${last}`, reason }) }
  gap(7, 8, 'trimmed') // a feed that overlaps
  await clock.pass(1000)
  assert.equal(world.opened.length, 1)
  gap(7, 4, 'rollback')
  await clock.pass(1000)
  assert.equal(world.opened.length, 2)
})

test('events of the hub that are new to the client are left alone', async t => {
  const { clock, world, seen } = page(t, { options: { transports: ['sse'] } })
  await clock.pass(100)
  for (const feed of world.live) feed.write('event: runnel.news\ndata: not JSON\n\n')
  world.publish('a')
  await clock.pass(100)
  assert.deepEqual([seen.a, world.opened.length], [[1], 1])
})

test('the state is that of what is read', async t => {
  const { clock, hub } = page(t)
  await clock.pass(100)
  hub.channel('a').close()
  assert.deepEqual([hub.state, hub.transport], ['connecting', null])
  hub.channel('a').on('message', () => {})
  await clock.pass(100)
  assert.deepEqual([hub.state, hub.transport], ['connected', 'ws'])
})

test('a hub that is closed leaves no request, no timer and no question for a token', async t => {
  for (const token of [undefined, 'a string', () => new Promise(() => {})]) {
    for (const requests of ['hang', 503]) {
      const { clock, world, hub } = page(t, { modes: { requests, tokens: token ? ['a string'] : null }, options: { token } })
      const pages = Array.from({ length: 5 }, () => hub.channel('a').history().catch(error => error.code))
      hub.channel('b', { rewind: 3 }).on('message', () => {})
      hub.channel('a').publish(1).catch(() => {})
      await clock.pass(50)
      let asked = 0
      const { fetch } = globalThis
      globalThis.fetch = (...args) => { asked++; return fetch(...args) }
      hub.close()
      await clock.pass(0)
      assert.equal(clock.waiting, 0, `${requests}, ${typeof token}: ${clock.pending}`)
      await clock.pass(60_000)
      assert.equal(asked, 0)
      if (requests === 'hang' && typeof token !== 'function') assert.deepEqual(await Promise.all(pages), Array(5).fill('closed'))
      await assert.rejects(hub.outbox.add({}), { code: 'closed' })
      globalThis.fetch = fetch
      world.release()
      clock.release()
    }
  }
})

test('a page may close its hub whenever it is told of something', async t => {
  for (const when of ['connecting', 'connected', 'offline', 'online', 'refused', 'error', 'start', 'message']) {
    const { clock, world, hub } = page(t, { modes: { ws: 'refuse', forbidden: new Set(['b']), tokens: ['good'] }, options: { token: 'good' }, channels: ['a', 'b'] })
    let left = null
    const told = async what => {
      if (what !== when || left) return
      hub.close()
      await settle()
      left = [clock.pending, world.live.size]
    }
    let before
    hub.on('state', ({ state }) => { told(before === 'offline' ? 'online' : state); before = state })
    hub.channel('b').on('error', () => told('error'))
    hub.channel('a').on('start', () => told('start'))
    hub.channel('a').on('message', () => told('message'))
    await clock.pass(2000)
    world.publish('a')
    await clock.pass(2000)
    browser.onLine = when !== 'offline' && when !== 'online'
    if (when === 'refused') world.tokens = []
    world.cut()
    await clock.pass(2)
    browser.onLine = true
    await clock.pass(20_000)
    assert.deepEqual(left, [[], 0], when)
    world.release()
    clock.release()
  }
})
