import test from 'node:test'
import assert from 'node:assert/strict'
import { connect } from '../runnel.js'
import { page, upTo } from './page.mjs'

test('the best rung is taken at once', async t => {
  const { clock, world, hub, seen } = page(t)
  await clock.pass(10)
  assert.deepEqual([hub.state, hub.transport], ['connected', 'ws'])
  world.publish('a')
  await clock.pass(0)
  assert.deepEqual(seen.a, [1])
  assert.deepEqual(world.opened, ['ws'])
})

for (const [name, modes, rung, within] of [
  ['a WebSocket that is refused', { ws: 'refuse' }, 'sse', 100],
  ['a WebSocket that hangs', { ws: 'hang' }, 'sse', 3100],
  ['a WebSocket that carries nothing', { ws: 'mute' }, 'sse', 3100],
  ['streams that are refused too', { ws: 'refuse', sse: 'refuse' }, 'poll', 200],
  ['WebSocket swallowed and streams buffered', { ws: 'mute', sse: 'mute' }, 'poll', 6200],
  ['both hang', { ws: 'hang', sse: 'hang' }, 'poll', 6200],
  ['a proxy that refuses streams', { ws: 'refuse', sse: 403 }, 'poll', 200],
  ['a proxy that knows no streams', { ws: 'hang', sse: 404 }, 'poll', 3200]
]) {
  test(`${name}: ${rung} within ${within} ms`, async t => {
    const { clock, world, hub, seen } = page(t, { modes })
    await clock.pass(within)
    assert.equal(hub.transport, rung)
    world.publish('a')
    await clock.pass(100)
    assert.deepEqual(seen.a, [1])
  })
}

test('whatever fails in whatever order, it comes to life once a way is open', async t => {
  const modes = ['refuse', 'hang', 'mute']
  for (const ws of modes) {
    for (const sse of ['refuse', 'hang', 'mute', 404, 502]) {
      for (const poll of ['refuse', 'hang', 404, 503]) {
        await t.test(`ws ${ws}, sse ${sse}, poll ${poll}`, async t => {
          const { clock, world, hub, seen } = page(t, { modes: { ws, sse, poll } })
          await clock.pass(200_000)
          assert.equal(hub.transport, null)
          assert.equal(hub.state, 'connecting')
          Object.assign(world, { ws: 'hang', sse: 'hang', poll: 'ok' })
          await clock.pass(70_000)
          assert.equal(hub.transport, 'poll')
          world.publish('a')
          await clock.pass(100)
          assert.deepEqual(seen.a, [1])
        })
      }
    }
  }
})

for (const transports of [['ws'], ['sse'], ['poll'], ['ws', 'sse', 'poll']]) {
  test(`cut after cut on ${transports}: nothing lost, nothing doubled`, async t => {
    const { clock, world, seen } = page(t, { options: { transports } })
    await clock.pass(100)
    for (let i = 0; i < 20; i++) {
      for (let n = 0; n < 5; n++) world.publish('a')
      await clock.pass(i * 37)
      world.cut(i % 2 === 0 ? 1006 : 1001)
      for (let n = 0; n < 5; n++) world.publish('a')
      await clock.pass(i % 3 === 0 ? 100 : 40_000)
    }
    await clock.pass(60_000)
    assert.deepEqual(seen.a, upTo(200))
  })
}

test('a change of rung loses and doubles nothing', async t => {
  const { clock, world, hub, seen } = page(t)
  await clock.pass(100)
  for (const [ws, sse, rung] of [['refuse', 'ok', 'sse'], ['mute', 'refuse', 'poll'], ['hang', 'ok', 'sse'], ['ok', 'refuse', 'ws']]) {
    Object.assign(world, { ws, sse })
    for (let n = 0; n < 5; n++) world.publish('a')
    world.cut()
    await clock.pass(20 * 60_000)
    assert.equal(hub.transport, rung)
    for (let n = 0; n < 5; n++) world.publish('a')
    await clock.pass(1000)
  }
  assert.deepEqual(seen.a, upTo(40))
})

test('the rung that worked comes first next time, and the better one is found again', async t => {
  const { clock, world, hub, seen } = page(t, { remembered: 'sse' })
  await clock.pass(100)
  assert.equal(hub.transport, 'sse')
  assert.deepEqual(world.opened, ['sse'])
  world.publish('a')
  await clock.pass(80_000)
  assert.equal(hub.transport, 'ws')
  world.publish('a')
  await clock.pass(100)
  assert.deepEqual(seen.a, [1, 2])
})

test('it climbs ever more rarely where the better rung stays broken', async t => {
  const { clock, world, hub, states } = page(t, { modes: { ws: 'mute' } })
  await clock.pass(60 * 60_000)
  assert.equal(hub.transport, 'sse')
  const tried = world.opened.filter(o => o === 'ws').length
  assert.ok(tried >= 5 && tried <= 12, `${tried} times in an hour`)
  assert.deepEqual(states, ['connected sse'])
})

test('it climbs, too, where connections are cut more often than it climbs', async t => {
  const { clock, world, hub } = page(t, { modes: { ws: 'refuse' } })
  await clock.pass(1000)
  world.ws = 'ok'
  for (let n = 0; n < 6 && hub.transport !== 'ws'; n++) {
    assert.equal(hub.transport, 'sse')
    await clock.pass(20_000)
    world.cut()
    await clock.pass(4000)
  }
  assert.equal(hub.transport, 'ws')
})

test('a rung whose welcome gets through and no heartbeat is left for the next', async t => {
  const { clock, world, hub } = page(t, { modes: { ws: 'refuse', beats: false }, options: { transports: ['sse', 'poll'] } })
  await clock.pass(10)
  assert.equal(hub.transport, 'sse')
  await clock.pass(53_000)
  assert.equal(hub.transport, 'poll')
  world.publish('a')
})

test('a connection that dies in silence is noticed after two heartbeats, and made again', async t => {
  const { clock, world, hub, seen } = page(t, { options: { transports: ['ws'] } })
  await clock.pass(210_000)
  for (const socket of world.live) socket.say = () => {}
  world.publish('a')
  await clock.pass(39_000)
  assert.deepEqual(world.opened, ['ws'])
  await clock.pass(3000)
  assert.deepEqual([world.opened.length, hub.state], [2, 'connected'])
  assert.deepEqual(seen.a, [1])
})

test('a hub that sends no heartbeats is not taken for dead', async t => {
  for (const heartbeat of [0, undefined]) {
    const { clock, world, hub } = page(t, { modes: { heartbeat, beats: false }, options: { transports: ['sse'] } })
    for (let n = 0; n < 10; n++) {
      await clock.pass(60_000)
      hub.session.wake()
    }
    assert.equal(world.opened.length, 1)
    hub.close()
    world.release()
    clock.release()
  }
})

test('a machine that slept, again and again, does not change the rung', async t => {
  const { clock, world, hub } = page(t, { options: { transports: ['sse', 'poll'] } })
  for (let n = 0; n < 5; n++) {
    await clock.pass(400)
    clock.sleep(3_600_000)
    for (const feed of world.live) if (feed.write) feed.write = () => {} // nobody is there any more
    await clock.pass(60_000)
    assert.equal(hub.transport, 'sse')
  }
})

test('one dead connection does not change the rung', async t => {
  const { clock, world, hub } = page(t)
  await clock.pass(600_000)
  for (const socket of world.live) socket.say = () => {}
  await clock.pass(52_000)
  assert.equal(hub.transport, 'ws')
})

test('after a change of networks it does not wait for what began before', async t => {
  const { clock, world, hub } = page(t, { modes: { ws: 'hang', sse: 'hang', poll: 'hang' } })
  await clock.pass(10_000)
  world.ws = 'ok'
  hub.session.wake()
  await clock.pass(10)
  assert.equal(hub.transport, 'ws')
})

test('a quiet long-poll outlives a page that is looked at', async t => {
  const { clock, world, hub, states } = page(t, { options: { transports: ['poll'] } })
  for (let n = 0; n < 20; n++) {
    await clock.pass(4900)
    hub.session.wake()
  }
  assert.deepEqual(states, ['connected poll'])
  assert.ok(world.opened.length < 7, `${world.opened.length} polls`)
})

test('rungs that do not exist, or none at all, are refused at once', () => {
  for (const transports of [['pigeon'], []]) assert.throws(() => connect('http://hub.example.com', { transports }), TypeError)
})

test('options that are undefined are as if left out', async t => {
  const { clock, hub } = page(t, { options: { transports: undefined, token: undefined, credentials: undefined, timing: undefined } })
  await clock.pass(10)
  assert.equal(hub.transport, 'ws')
})
