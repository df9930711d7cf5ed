import test from 'node:test'
import assert from 'node:assert/strict'
import { Score } from '../lab/score.js'

test('lost is what was passed over, doubled what came again', () => {
  const score = new Score()
  for (const n of [1, 2, 4, 4]) score.receive(n, 0)
  assert.deepEqual([score.received, score.lost, score.doubled], [3, 1, 1])
})

test('an event that was on its way when the network changed recovers nothing', () => {
  const score = new Score()
  score.begun = 3
  score.sent = 2
  score.changed(1000)
  score.receive(3, 1010)
  assert.equal(score.recovery, null)
  assert.equal(score.waiting(1200), 200)
  score.begun = 4
  score.receive(4, 1500)
  assert.equal(score.recovery, 500)
  assert.equal(score.waiting(1600), null)
})
