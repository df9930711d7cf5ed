import './browser.mjs'
import test from 'node:test'
import assert from 'node:assert/strict'
import v8 from 'node:v8'
import vm from 'node:vm'
import { Channel } from '../runnel/channel.js'
import { timing } from './browser.mjs'

v8.setFlagsFromString('--expose_gc')
const collect = vm.runInNewContext('gc')

function used () {
  collect()
  return process.memoryUsage().heapUsed
}

test('a million events leave nothing behind', () => {
  const hub = { timing, closed: false, tabs: { join () {}, leave () {} } }
  const channel = new Channel(hub, 'a')
  let count = 0
  channel.on('message', () => count++)
  channel.receive('start', { position: '1732137600000-0' }, null)
  const events = (from, to) => {
    for (let n = from; n <= to; n++) {
      const before = channel.position
      channel.receive('event', { type: 'event', channel: 'a', id: `1732137600000-${n}`, event: 'message', data: { n } }, before)
    }
  }
  events(1, 100_000)
  const first = used()
  events(100_001, 1_100_000)
  const grown = used() - first
  assert.equal(count, 1_100_000)
  assert.ok(grown < 1 << 20, `the heap has grown by ${grown} bytes`)
})
