import './browser.mjs'
import test from 'node:test'
import assert from 'node:assert/strict'
import { Place, later } from '../runnel/place.js'

const at = n => `1732137600000-${n}`
const event = n => ['event', { id: at(n) }]

test('a later position has the higher number, whatever the time says', () => {
  assert.equal(later('1732137600000-10', '1732137600000-9'), true)
  assert.equal(later('1732137600000-9', '1732137600000-10'), false)
  assert.equal(later(at(9), at(9)), false)
  assert.equal(later('1732137500000-10', '1732137600000-9'), true)
})

test('against nothing, or a cursor, everything may be later', () => {
  assert.equal(later(at(1), null), true)
  assert.equal(later(at(1), 'YTox'), true)
})

test('events that come twice are new once', () => {
  const place = new Place(at(3))
  assert.equal(place.take(...event(3)), false)
  assert.equal(place.take(...event(4)), true)
  assert.equal(place.take(...event(4)), false)
  assert.equal(place.take(...event(2)), false)
  assert.equal(place.position, at(4))
})

test('an ephemeral event is new and moves nothing', () => {
  const place = new Place(at(3))
  assert.equal(place.take('event', { event: 'typing' }), true)
  assert.equal(place.position, at(3))
})

test('a start is where reading begins, and nothing to who has begun', () => {
  const place = new Place()
  place.take('start', { position: at(5) })
  assert.equal(place.position, at(5))
  place.take('start', { position: at(9) })
  assert.equal(place.position, at(5))
})

test('a position moves on, never back, and is no event', () => {
  const place = new Place(at(5))
  assert.equal(place.take('position', { last_event_id: at(7) }), false)
  assert.equal(place.take('position', { last_event_id: at(6) }), false)
  assert.equal(place.position, at(7))
})

test('a gap leads on', () => {
  const place = new Place(at(5))
  assert.equal(place.take('gap', { after: at(5), last_event_id: at(9) }), true)
  assert.equal(place.take(...event(9)), false)
  assert.equal(place.take(...event(10)), true)
})

test('a rollback leads back from where we stand, and the numbers come again', () => {
  const place = new Place(at(57))
  assert.equal(place.take('gap', { after: at(57), last_event_id: at(50) }), true)
  assert.equal(place.take('event', { id: '1732137700000-51' }), true)
  assert.equal(place.position, '1732137700000-51')
})

test('the gap of a feed that stands elsewhere does not lead back', () => {
  const place = new Place(at(57))
  assert.equal(place.take('gap', { after: at(40), last_event_id: at(50) }), false)
  assert.equal(place.position, at(57))
})

test('two feeds that overlap give each event once and in order', () => {
  const all = Array.from({ length: 50 }, (_, i) => i + 1)
  for (let old = 0; old <= 50; old += 5) {
    for (let fresh = 0; fresh <= 50; fresh += 7) {
      const place = new Place(at(0))
      const seen = []
      const a = all.slice(0, old)
      const b = all.slice(Math.min(fresh, old))
      while (a.length + b.length > 0) {
        const from = a.length > 0 && (b.length === 0 || (a.length + b.length) % 3 !== 0) ? a : b
        const n = from.shift()
        if (place.take(...event(n))) seen.push(n)
      }
      assert.ok(seen.every((n, i) => i === 0 || n > seen[i - 1]), `${old} ${fresh}: ${seen}`)
      assert.equal(seen.at(-1), 50)
    }
  }
})
