import { browser } from './browser.mjs'
import test from 'node:test'
import assert from 'node:assert/strict'
import { page } from './page.mjs'

test('after a sleep a connection is asked whether it lives', async t => {
  const { clock, world, seen } = page(t)
  await clock.pass(20_000)
  for (const socket of world.live) socket.say = () => {}
  world.publish('a')
  clock.sleep(3_600_000)
  await clock.pass(2000 + 3000 + 600)
  assert.deepEqual(seen.a, [1])
})

test('a hub that is down or overloaded is left alone for longer and longer, and no rung is lost', async t => {
  const { clock, world, hub, states } = page(t, { modes: { ws: 'refuse', sse: 503, poll: 503 } })
  await clock.pass(60 * 60_000)
  const tries = world.opened.filter(o => o === 'ws').length
  assert.ok(tries > 100 && tries < 400, `${tries} tries in an hour`)
  world.ws = 'ok'
  await clock.pass(31_000)
  assert.equal(hub.transport, 'ws')
  assert.deepEqual(states.filter(s => s.startsWith('connected')), ['connected ws'])
})

test('a hub that ends what it welcomed is not stormed', async t => {
  const { clock, world } = page(t, { options: { transports: ['sse'] } })
  await clock.pass(100)
  for (let i = 0; i < 600; i++) {
    world.cut()
    await clock.pass(1000)
  }
  assert.ok(world.opened.length < 200, `${world.opened.length} times in ten minutes`)
})

test('Retry-After and retry: are kept', async t => {
  const busy = page(t, { modes: { sse: { code: 'connection_limit', status: 429, retryAfter: 20 } }, options: { transports: ['sse'] } })
  await busy.clock.pass(19_900)
  assert.equal(busy.world.opened.length, 1)
  await busy.clock.pass(700)
  assert.equal(busy.world.opened.length, 2)
  busy.world.sse = 'ok'
  await busy.clock.pass(60_000)
  for (const end of ['cut', 'reset']) {
    busy.world.opened.length = 0
    for (const feed of busy.world.live) feed[end]()
    await busy.clock.pass(1499)
    assert.equal(busy.world.opened.length, 0, end)
    await busy.clock.pass(502)
    assert.equal(busy.world.opened.length, 1, end)
    await busy.clock.pass(10_000)
  }
})

test('a node that drains is left though its feed stays open, and its retry: is kept', async t => {
  const { clock, world, hub, seen } = page(t, { options: { transports: ['sse'] } })
  await clock.pass(100)
  for (const feed of [...world.live]) feed.write('retry: 4000\nevent: runnel.draining\ndata: {"retry":4000}\n\n')
  await clock.pass(3999)
  assert.deepEqual([hub.state, world.opened.length], ['connecting', 1])
  await clock.pass(600)
  assert.deepEqual([hub.state, world.opened.length], ['connected', 2])
  world.publish('a')
  await clock.pass(10)
  assert.deepEqual(seen.a, [1])
})

test('what a WebSocket is closed with says what to do', async t => {
  for (const [close, demoted] of [[1001, false], [1011, false], [1012, false], [1013, false], [4008, false], [4009, false], [1006, true], [1009, true]]) {
    await t.test(String(close), async t => {
      const { clock, world } = page(t, { modes: { ws: { close } } })
      await clock.pass(2)
      assert.equal(world.opened[0], 'ws')
      assert.equal(world.opened.includes('sse'), demoted)
    })
  }
})

test('online wakes a client that waits', async t => {
  const { clock, world, hub } = page(t, { modes: { ws: 'refuse', sse: 'refuse', poll: 'refuse' } })
  browser.onLine = false
  t.after(() => { browser.onLine = true })
  await clock.pass(600_000)
  assert.equal(hub.state, 'offline')
  Object.assign(world, { ws: 'ok' })
  browser.onLine = true
  hub.session.wake()
  await clock.pass(10)
  assert.equal(hub.transport, 'ws')
})

test('a date in Retry-After is kept, and one beyond all bounds is not taken for none', async t => {
  const options = { transports: ['sse'] }
  const dated = page(t, { modes: { sse: { code: 'unavailable', status: 503, retryAfter: new Date(1_700_000_020_000).toUTCString() } }, options })
  await dated.clock.pass(19_900)
  assert.equal(dated.world.opened.length, 1)
  await dated.clock.pass(700)
  assert.ok(dated.world.opened.length > 1)
  dated.hub.close()
  dated.clock.release()
  dated.world.release()
  const { clock, world } = page(t, { modes: { sse: { code: 'unavailable', status: 503, retryAfter: 9e12 } }, options })
  await clock.pass(3_600_000)
  assert.equal(world.opened.length, 1)
})

test('waking does not cut short what the hub asked for', async t => {
  const { clock, world, hub } = page(t, { modes: { sse: { code: 'unavailable', status: 503, retryAfter: 20 } }, options: { transports: ['sse'] } })
  await clock.pass(1000)
  hub.session.wake()
  await clock.pass(18_900)
  assert.equal(world.opened.length, 1)
  await clock.pass(150)
  assert.equal(world.opened.length, 2)
})

test('a long-poll that something on the way answers at once is not repeated in a loop', async t => {
  const { clock, world } = page(t, { options: { transports: ['poll'] } })
  await clock.pass(100)
  world.impatient = true
  world.cut()
  await clock.pass(600_000)
  assert.ok(world.opened.length < 200, `${world.opened.length} polls in ten minutes`)
})

test('a subscription that the hub cannot take yet is asked for again, ever more rarely', async t => {
  const { clock, world, seen } = page(t, { modes: { subscribing: 'unavailable' }, options: { transports: ['ws'] } })
  await clock.pass(10 * 60_000)
  assert.ok(world.subscribes > 10 && world.subscribes < 60, `${world.subscribes} times`)
  world.subscribing = null
  await clock.pass(31_000)
  world.publish('a')
  await clock.pass(10)
  assert.deepEqual([seen.a, world.opened.length], [[1], 1])
})
