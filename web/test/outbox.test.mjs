import { browser, timing } from './browser.mjs'
import test from 'node:test'
import assert from 'node:assert/strict'
import { Outbox } from '../runnel/outbox.js'
import { HubError } from '../runnel/error.js'
import { Clock, settle } from './clock.mjs'

/** An outbox at a hub that gives each attempt the next answer: a function of its items. */
function outbox (t, ...answers) {
  const clock = new Clock()
  const hub = { timing, session: { publish: () => null }, attempts: [], connection: 'c1' }
  const answer = items => {
    hub.attempts.push(items)
    return (answers.length > 1 ? answers.shift() : answers[0])(items)
  }
  hub.requests = { json: async (path, init) => answer(JSON.parse(init().body)) }
  hub.answer = answer
  const box = new Outbox(hub)
  t.after(() => { box.close(); clock.release() })
  return { box, hub, clock }
}

let count = 0
const accept = items => items.map(() => ({ id: `5-${++count}` }))
const all = error => items => items.map(() => ({ error }))
const fail = (code, init) => () => { throw new HubError(code, code, init) }
const hang = () => new Promise(() => {})
const item = n => ({ channel: 'a', data: n })
const sent = hub => hub.attempts.map(items => items.map(i => i.data))

/** What becomes of promises: 'ID', or the error's code. */
const outcomes = promises => Promise.all(promises.map(p => p.catch(error => error.code)))

test('what is published in one go is one request, in its order, each with a key', async t => {
  const { box, hub } = outbox(t, accept)
  const ids = await Promise.all([box.add(item(1)), box.add(item(2)), box.add(item(3))])
  assert.deepEqual(sent(hub), [[1, 2, 3]])
  assert.equal(new Set(ids).size, 3)
  assert.equal(new Set(hub.attempts[0].map(i => i.idempotency_key)).size, 3)
})

test('a request has at most 100 events and about 900 KB', async t => {
  const { box, hub } = outbox(t, accept)
  await Promise.all(Array.from({ length: 250 }, (_, n) => box.add(item(n))))
  assert.deepEqual(hub.attempts.map(a => a.length), [100, 100, 50])
  const large = 'é'.repeat(100_000)
  hub.attempts.length = 0
  await Promise.all(Array.from({ length: 10 }, () => box.add({ channel: 'a', text: large })))
  assert.deepEqual(hub.attempts.map(a => a.length), [4, 4, 2])
})

test('after a failure the same goes out again with the same keys, and nothing overtakes it', async t => {
  const { box, hub, clock } = outbox(t, fail('network'), fail('unavailable', { retryAfter: 2000 }), accept)
  const first = box.add(item(1))
  await settle()
  const second = box.add(item(2))
  await clock.pass(10_000)
  assert.deepEqual(await outcomes([first, second]).then(r => r.map(id => id.startsWith('5-'))), [true, true])
  assert.deepEqual(sent(hub), [[1], [1, 2], [1, 2]])
  assert.equal(new Set(hub.attempts.map(a => a[0].idempotency_key)).size, 1)
})

test('Retry-After is kept', async t => {
  const { box, hub, clock } = outbox(t, fail('rate_limited', { retryAfter: 5000 }), accept)
  box.add(item(1))
  await clock.pass(4999)
  assert.equal(hub.attempts.length, 1)
  await clock.pass(501)
  assert.equal(hub.attempts.length, 2)
})

test('what the hub refuses fails alone and at once', async t => {
  const { box, hub } = outbox(t, items => [{ id: '5-1' }, { error: { code: 'forbidden', message: 'no' } }, { id: '5-2' }])
  assert.deepEqual(await outcomes([1, 2, 3].map(n => box.add(item(n)))), ['5-1', 'forbidden', '5-2'])
  assert.equal(hub.attempts.length, 1)
})

test('an unknown outcome is repeated as long as the key surely lives, no longer', async t => {
  const { box, hub, clock } = outbox(t, fail('network'))
  const outcome = outcomes([box.add(item(1))])
  await clock.pass(timing.keyLife - 1)
  const attempts = hub.attempts.length
  assert.ok(attempts > 8)
  await clock.pass(120_000)
  assert.deepEqual(await outcome, ['unknown_outcome'])
  assert.ok(hub.attempts.length <= attempts + 1)
})

test('a machine that slept past the life of a key does not publish twice', async t => {
  const { box, hub, clock } = outbox(t, fail('timeout'), accept)
  const outcome = outcomes([box.add(item(1))])
  await settle()
  clock.sleep(3_600_000)
  box.wake()
  await clock.pass(60_000)
  assert.deepEqual(await outcome, ['unknown_outcome'])
  assert.equal(hub.attempts.length, 1)
})

test('what a hub that is overloaded never took waits as long as it has to', async t => {
  const { box, hub, clock } = outbox(t, fail('unavailable'))
  const outcome = outcomes([box.add(item(1))])
  await clock.pass(3_600_000)
  hub.requests.json = async (path, init) => accept(JSON.parse(init().body))
  await clock.pass(timing.backoffMax)
  assert.match((await outcome)[0], /^5-/)
})

test('nothing is sent while the browser is offline, and what was not sent stays certain', async t => {
  const { box, hub, clock } = outbox(t, accept)
  browser.onLine = false
  t.after(() => { browser.onLine = true })
  const outcome = outcomes([box.add(item(1)), box.add(item(2))])
  await clock.pass(3_600_000)
  assert.equal(hub.attempts.length, 0)
  browser.onLine = true
  box.wake()
  await settle()
  assert.deepEqual((await outcome).length, 2)
  assert.deepEqual(sent(hub), [[1, 2]])
})

test('an ephemeral event has no key, and is given up after seconds', async t => {
  const { box, hub, clock } = outbox(t, fail('unavailable'))
  const outcome = outcomes([box.add({ channel: 'a', data: true, ephemeral: true })])
  await clock.pass(60_000)
  assert.equal(hub.attempts[0][0].idempotency_key, undefined)
  assert.ok(['unavailable', 'timeout'].includes((await outcome)[0]))
  const attempts = hub.attempts.length
  await clock.pass(60_000)
  assert.equal(hub.attempts.length, attempts)
})

test('a thousand events wait at most', async t => {
  const { box } = outbox(t, hang)
  for (let n = 0; n < 1000; n++) box.add(item(n)).catch(() => {})
  await assert.rejects(box.add(item(1000)), { code: 'queue_full' })
})

test('at the end what never went out is closed, and of what is under way nobody knows', async t => {
  const { box } = outbox(t, hang)
  const first = box.add(item(1))
  await settle()
  const second = box.add(item(2))
  const outcome = outcomes([first, second])
  box.close()
  assert.deepEqual(await outcome, ['unknown_outcome', 'closed'])
  await assert.rejects(box.add(item(3)), { code: 'closed' })
})

test('an answer that is not the hub\'s stops nothing', async t => {
  const { box, hub, clock } = outbox(t, () => ({ hello: 'captive portal' }), () => [], accept)
  const outcome = outcomes([box.add(item(1))])
  await clock.pass(60_000)
  assert.match((await outcome)[0], /^5-/)
  assert.equal(hub.attempts.length, 3)
})

test('one event goes over the WebSocket where there is one, a large one does not', async t => {
  const { box, hub } = outbox(t, accept)
  const socket = []
  hub.session.publish = async body => { socket.push(body); return { id: '6-1' } }
  assert.equal(await box.add(item(1)), '6-1')
  assert.equal(hub.attempts.length, 0)
  await box.add({ channel: 'a', text: 'x'.repeat(70_000) })
  assert.deepEqual([socket.length, hub.attempts.length], [1, 1])
})

test('a WebSocket that breaks leaves the same key to a request', async t => {
  const { box, hub, clock } = outbox(t, accept)
  const keys = []
  hub.session.publish = body => {
    hub.session.publish = () => null
    keys.push(body.idempotency_key)
    return Promise.reject(new HubError('network', 'the connection broke'))
  }
  const outcome = outcomes([box.add(item(1))])
  await clock.pass(60_000)
  assert.match((await outcome)[0], /^5-/)
  assert.equal(hub.attempts[0][0].idempotency_key, keys[0])
})

test('whatever happens, each event is taken once and in order', async t => {
  const taken = new Map() // the hub's: key → ID
  const order = []
  const take = items => items.map(i => {
    if (!taken.has(i.idempotency_key)) {
      order.push(i.data)
      taken.set(i.idempotency_key, `5-${order.length}`)
    }
    return { id: taken.get(i.idempotency_key) }
  })
  let seed = 1
  const roll = n => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) % n
  const { box, clock } = outbox(t, items => {
    const fate = roll(4)
    if (fate === 0) throw new HubError('unavailable', '')
    const results = take(items)
    if (fate === 1) throw new HubError('network', 'the answer was lost')
    if (fate === 2) return all({ code: 'unknown_outcome', message: '' })(items)
    return results
  })
  const promises = []
  for (let n = 0; n < 200; n++) {
    promises.push(box.add(item(n)))
    await clock.pass(roll(3) * 100)
  }
  await clock.pass(20 * 60_000)
  assert.deepEqual(order, Array.from({ length: 200 }, (_, n) => n))
  assert.deepEqual(await outcomes(promises), order.map((_, n) => `5-${n + 1}`))
})

test('an ephemeral event that may be out already is not sent twice: it has no key', async t => {
  const { box, hub, clock } = outbox(t, fail('network'), accept)
  const outcome = outcomes([box.add({ channel: 'a', data: true, ephemeral: true })])
  await clock.pass(10_000)
  assert.deepEqual(await outcome, ['unknown_outcome'])
  assert.equal(hub.attempts.length, 1)
})

test('what waits for its turn, or its token, past the life of its key does not go out', async t => {
  const { box, hub, clock } = outbox(t, fail('network'), accept)
  const { json } = hub.requests
  let slow = false
  hub.requests.json = async (...args) => {
    if (slow) await new Promise(resolve => setTimeout(resolve, 2 * timing.keyLife))
    slow = true
    return await json(...args)
  }
  const outcome = outcomes([box.add(item(1)), box.add(item(2))])
  await clock.pass(3 * timing.keyLife)
  assert.deepEqual(await outcome, ['unknown_outcome', 'unknown_outcome'])
  assert.equal(hub.attempts.length, 1)
})

test('waking does not cut short what the hub asked for', async t => {
  const { box, hub, clock } = outbox(t, fail('rate_limited', { retryAfter: 5000 }), accept)
  box.add(item(1))
  await clock.pass(1000)
  box.wake()
  await clock.pass(3900)
  assert.equal(hub.attempts.length, 1)
  await clock.pass(200)
  assert.equal(hub.attempts.length, 2)
})
