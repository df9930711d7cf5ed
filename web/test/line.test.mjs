import { browser, storage } from './browser.mjs'
import test from 'node:test'
import assert from 'node:assert/strict'
import { connect } from '../runnel.js'
import { Clock, settle } from './clock.mjs'
import { World } from './world.mjs'

/** A page that reads channels of the hub in a world of its own. */
function page (t, { modes = {}, options = {}, channels = ['a'], now = 0 } = {}) {
  const clock = new Clock()
  const world = Object.assign(new World(), modes)
  storage.clear()
  if (options.remembered) storage.setItem('runnel http://hub.example.com', `${options.remembered} ${Date.now() + 1000_000}`)
  const hub = connect('http://hub.example.com', { share: false, ...options })
  const states = []
  hub.on('state', ({ state, transport }) => states.push(transport ? `${state} ${transport}` : state))
  const seen = Object.fromEntries(channels.map(c => [c, []]))
  const errors = []
  const read = name => {
    seen[name] ??= []
    hub.channel(name).on('message', e => seen[name].push(e.data))
    hub.channel(name).on('error', e => errors.push([name, e.code]))
  }
  channels.forEach(read)
  t.after(() => { hub.close(); world.release(); clock.release() })
  return { clock, world, hub, states, seen, errors, read }
}

const upTo = n => Array.from({ length: n }, (_, i) => i + 1)

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
  const { clock, world, hub, seen } = page(t, { options: { remembered: 'sse' } })
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

test('one dead connection does not change the rung', async t => {
  const { clock, world, hub } = page(t)
  await clock.pass(600_000)
  for (const socket of world.live) socket.say = () => {}
  await clock.pass(52_000)
  assert.equal(hub.transport, 'ws')
})

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
  busy.world.opened.length = 0
  busy.world.cut()
  await busy.clock.pass(1499)
  assert.equal(busy.world.opened.length, 0)
  await busy.clock.pass(502)
  assert.equal(busy.world.opened.length, 1)
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
      hub.channel('b').on('other', () => {})
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

test('a long-poll that something on the way answers at once is not repeated in a loop', async t => {
  const { clock, world } = page(t, { options: { transports: ['poll'] } })
  await clock.pass(100)
  world.impatient = true
  world.cut()
  await clock.pass(600_000)
  assert.ok(world.opened.length < 200, `${world.opened.length} polls in ten minutes`)
})

test('events of the hub that are new to the client are left alone', async t => {
  const { clock, world, seen } = page(t, { options: { transports: ['sse'] } })
  await clock.pass(100)
  for (const feed of world.live) feed.write('event: runnel.news\ndata: not JSON\n\n')
  world.publish('a')
  await clock.pass(100)
  assert.deepEqual([seen.a, world.opened.length], [[1], 1])
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

test('rungs that do not exist, or none at all, are refused at once', () => {
  for (const transports of [['pigeon'], []]) assert.throws(() => connect('http://hub.example.com', { transports }), TypeError)
})

test('options that are undefined are as if left out', async t => {
  const { clock, hub } = page(t, { options: { transports: undefined, token: undefined, credentials: undefined, timing: undefined } })
  await clock.pass(10)
  assert.equal(hub.transport, 'ws')
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
