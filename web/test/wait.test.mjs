import { storage, timing } from './browser.mjs'
import test from 'node:test'
import assert from 'node:assert/strict'
import { Remembered } from '../runnel/ladder.js'
import { Backoff, Pause, bearable } from '../runnel/wait.js'
import { Clock, settle } from './clock.mjs'

test('waits double up to their bound, by chance from nothing on', () => {
  const longest = new Backoff(timing, () => 1)
  const waits = Array.from({ length: 9 }, () => longest.next())
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000])
  const shortest = new Backoff(timing, () => 0)
  assert.deepEqual([shortest.next(), shortest.next()], [0, 0])
  longest.reset()
  assert.equal(longest.next(), 500)
})

test('a wait that was asked for is kept, and jittered beyond', () => {
  const backoff = new Backoff(timing, () => 0.5)
  assert.equal(backoff.next(2000), 2250)
})

test('the waits of many clients are spread over the whole bound', () => {
  const waits = Array.from({ length: 1000 }, () => new Backoff(timing).next())
  assert.ok(waits.every(ms => ms >= 0 && ms < 500))
  for (let slot = 0; slot < 500; slot += 100) {
    assert.ok(waits.filter(ms => ms >= slot && ms < slot + 100).length > 100, `from ${slot} on`)
  }
})

test('ten thousand failures later a wait is still the longest one', () => {
  const backoff = new Backoff(timing, () => 1)
  for (let i = 0; i < 10_000; i++) backoff.next()
  assert.equal(backoff.next(), 30_000)
})

test('a pause ends with its time, or when it is cut', async t => {
  const clock = new Clock()
  t.after(() => clock.release())
  const pause = new Pause()
  let over = 0
  pause.wait(1000).then(() => over++)
  await clock.pass(999)
  assert.equal(over, 0)
  await clock.pass(1)
  assert.equal(over, 1)
  pause.wait(1000).then(() => over++)
  pause.cut()
  await settle()
  assert.equal(over, 2)
  assert.equal(clock.waiting, 0)
})

test('the rung that worked is remembered for half an hour, on later pages too', async t => {
  const clock = new Clock()
  t.after(() => clock.release())
  storage.clear()
  const hub = { url: 'https://hub.example.com', timing }
  const first = new Remembered(hub)
  assert.equal(first.rung, null)
  first.rung = 'sse'
  assert.equal(first.rung, 'sse')
  assert.equal(new Remembered(hub).rung, 'sse')
  assert.equal(new Remembered({ ...hub, url: 'https://other.example.com' }).rung, null)
  await clock.pass(30 * 60_000 - 1)
  assert.equal(new Remembered(hub).rung, 'sse')
  await clock.pass(1)
  assert.equal(new Remembered(hub).rung, null)
  assert.equal(first.rung, null)
})

test('nonsense in the storage, or a time too far ahead, is no memory', t => {
  const hub = { url: 'https://hub.example.com', timing }
  for (const stored of ['', 'sse', 'sse soon', `sse ${Date.now() + 40 * 60_000}`]) {
    storage.setItem('runnel https://hub.example.com', stored)
    assert.equal(new Remembered(hub).rung, null, stored)
  }
  storage.clear()
})

test('a page without storage remembers by itself', t => {
  const { getItem, setItem } = storage
  storage.getItem = storage.setItem = () => { throw new Error('not allowed') }
  t.after(() => Object.assign(storage, { getItem, setItem }))
  const memory = new Remembered({ url: 'https://hub.example.com', timing })
  memory.rung = 'poll'
  assert.equal(memory.rung, 'poll')
})

test('a pause that is woken ends when it may, one that is cut at once', async t => {
  const clock = new Clock()
  t.after(() => clock.release())
  const pause = new Pause()
  let over = 0
  pause.wake()
  pause.wait(1000, 300).then(() => over++)
  await clock.pass(100)
  pause.wake()
  await clock.pass(199)
  assert.equal(over, 0)
  await clock.pass(1)
  assert.equal(over, 1)
  pause.wait(1000, 300).then(() => over++)
  await clock.pass(400)
  pause.wake()
  await settle()
  assert.equal(over, 2)
  pause.wait(1000, 300).then(() => over++)
  pause.cut()
  await settle()
  assert.deepEqual([over, clock.waiting], [3, 0])
})

test('what somebody asks to wait is borne within reason', () => {
  assert.deepEqual([NaN, -5, 0, 2000, 9e15, Infinity].map(bearable), [0, 0, 0, 2000, 86_400_000, 86_400_000])
})
