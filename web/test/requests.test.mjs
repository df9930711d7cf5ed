import { timing } from './browser.mjs'
import test from 'node:test'
import assert from 'node:assert/strict'
import { HubError, errorOf, kindOf, passing } from '../runnel/error.js'
import { Requests } from '../runnel/requests.js'
import { Tokens, subjectOf } from '../runnel/tokens.js'
import { Clock, settle } from './clock.mjs'
import { bodies } from './transcripts.mjs'

function withFetch (t, answer) {
  const before = globalThis.fetch
  globalThis.fetch = answer
  t.after(() => { globalThis.fetch = before })
}

function requests (source) {
  const hub = { url: 'https://hub.example.com', options: { credentials: 'same-origin' }, timing }
  hub.tokens = new Tokens(source, timing.requestTimeout)
  return new Requests(hub)
}

const json = (value, init) => new Response(JSON.stringify(value), init)
const refusal = () => json({ error: { code: 'unauthorized', message: 'the token has expired' } }, { status: 401 })

test('a token that is a string is sent as it is, and cannot be replaced', async () => {
  const tokens = new Tokens('abc', 1000)
  assert.equal(await tokens.get(), 'abc')
  assert.equal(tokens.renewable, false)
  assert.equal(await tokens.refresh(), 'abc')
  assert.equal(await new Tokens(undefined, 1000).get(), null)
})

test('a token is asked for once, however many need it', async () => {
  let asked = 0
  const tokens = new Tokens(async () => `t${++asked}`, 1000)
  assert.deepEqual(await Promise.all([tokens.get(), tokens.get(), tokens.refresh()]), ['t1', 't1', 't1'])
  assert.equal(await tokens.get(), 't1')
  assert.deepEqual(await Promise.all([tokens.refresh('t1'), tokens.refresh('t1')]), ['t2', 't2'])
  assert.equal(await tokens.refresh('t1'), 't2', 'somebody has replaced that one')
  assert.equal(asked, 2)
})

test('a source that has only tokens about to expire is not asked in a loop', async t => {
  const clock = new Clock()
  t.after(() => clock.release())
  let asked = 0
  const tokens = new Tokens(() => `t${++asked}`, 1000)
  assert.equal(await tokens.get(), 't1')
  assert.equal(await tokens.renew('t1'), null)
  await clock.pass(30_000)
  assert.equal(await tokens.renew('t1'), 't2')
  assert.equal(await tokens.renew('t1'), 't2')
  assert.equal(await tokens.renew('t2'), null)
  assert.equal(asked, 2)
})

test('a source that fails or hangs is something that passes', async t => {
  const clock = new Clock()
  t.after(() => clock.release())
  const sources = [() => { throw new Error('no') }, () => Promise.reject(new Error('no')), () => new Promise(() => {})]
  for (const source of sources) {
    const tokens = new Tokens(source, 1000)
    const failing = assert.rejects(tokens.get(), error => error.code === 'token' && passing.has('token') && kindOf(error) === 'busy')
    await clock.pass(1000)
    await failing
  }
})

test('the user of a token is its sub', () => {
  const token = claims => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.x`
  assert.equal(subjectOf(token({ sub: 'ann' })), 'ann')
  assert.equal(subjectOf(token({ sub: 'Jürgen ÿ?>' })), 'Jürgen ÿ?>')
  for (const other of [token({}), 'an-api-key', '', 'a.b.c', null]) assert.equal(subjectOf(other), null)
})

test('the token stands in a header and never in the URL', async t => {
  const seen = []
  withFetch(t, async (url, init) => { seen.push([url, init.headers.Authorization]); return json({ ok: 1 }) })
  assert.deepEqual(await requests('abc').json('/events?channel=a'), { ok: 1 })
  assert.deepEqual(seen, [['https://hub.example.com/events?channel=a', 'Bearer abc']])
})

test('after a 401 one other token is tried, and no third', async t => {
  let asked = 0
  const used = []
  withFetch(t, async (url, { headers }) => { used.push(headers.Authorization); return refusal() })
  await assert.rejects(requests(() => `t${++asked}`).json('/events'), { code: 'unauthorized', status: 401 })
  assert.deepEqual(used, ['Bearer t1', 'Bearer t2'])
})

test('two requests run at a time, the others in their turn', async t => {
  let running = 0
  let most = 0
  withFetch(t, async () => {
    most = Math.max(most, ++running)
    await settle()
    running--
    return json({})
  })
  const r = requests()
  await Promise.all(Array.from({ length: 20 }, () => r.json('/events')))
  assert.equal(most, 2)
})

test('a request that hangs is aborted, in its head or in its body', async t => {
  const clock = new Clock()
  t.after(() => clock.release())
  const hanging = signal => new Promise((resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  for (const answer of [(_, { signal }) => hanging(signal), async (_, { signal }) => ({ ok: true, json: () => hanging(signal) })]) {
    withFetch(t, answer)
    const failing = assert.rejects(requests().json('/events'), { code: 'timeout' })
    await clock.pass(timing.requestTimeout)
    await failing
    assert.equal(clock.waiting, 0)
  }
})

test('what the network does is told from what the hub says', async t => {
  withFetch(t, async () => { throw new TypeError('Failed to fetch') })
  await assert.rejects(requests().json('/events'), { code: 'network' })
  withFetch(t, async () => new Response('{"half":'))
  await assert.rejects(requests().json('/events'), { code: 'network' })
})

test('an error has its code and sentence, and how long to wait', async () => {
  const error = await errorOf(json({ error: { code: 'connection_limit', message: 'too many' } }, { status: 429, headers: { 'Retry-After': '7' } }))
  assert.ok(error instanceof HubError)
  assert.deepEqual([error.code, error.message, error.status, error.retryAfter, error.foreign], ['connection_limit', 'too many', 429, 7000, false])
})

test('what a link makes of an answer', async () => {
  const hub = code => errorOf(json({ error: { code, message: '' } }, { status: 418 }))
  const proxy = status => errorOf(new Response('<html>', { status }))
  for (const [error, kind] of [
    [hub('unauthorized'), 'token'], [hub('forbidden'), 'refused'], [hub('bad_request'), 'refused'], [hub('unavailable'), 'busy'], [hub('rate_limited'), 'busy'],
    [proxy(403), 'broken'], [proxy(404), 'broken'], [proxy(407), 'broken'], [proxy(414), 'broken'], [proxy(429), 'busy'], [proxy(502), 'busy'], [proxy(503), 'busy'], [proxy(504), 'busy']
  ]) {
    assert.equal(kindOf(await error), kind, `${(await error).code} ${(await error).status}`)
  }
})

test('the errors of the transcripts are understood', async () => {
  let n = 0
  for (const { name, text } of bodies('page')) {
    if (!text.startsWith('{"error"')) continue
    n++
    const error = await errorOf(new Response(text, { status: 400 }))
    assert.match(error.code, /^[a-z_]+$/, name)
    assert.ok(error.message.length > 0 && !error.foreign, name)
  }
  assert.ok(n > 8, `there are ${n}`)
})
