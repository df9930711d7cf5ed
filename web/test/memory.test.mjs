import './browser.mjs'
import test from 'node:test'
import assert from 'node:assert/strict'
import v8 from 'node:v8'
import vm from 'node:vm'
import { connect } from '../runnel.js'
import { settle } from './clock.mjs'
import { Wire } from './wire.mjs'

v8.setFlagsFromString('--expose_gc')
const collect = vm.runInNewContext('gc')

function used () {
  collect()
  return process.memoryUsage().heapUsed
}

test('a million events leave nothing behind', async t => {
  const browsers = globalThis.WebSocket
  globalThis.WebSocket = Wire
  const hub = connect('http://hub.example.com', { share: false, transports: ['ws'] })
  t.after(() => { hub.close(); globalThis.WebSocket = browsers })
  let count = 0
  hub.channel('a').on('message', () => count++)
  await settle()
  const say = message => Wire.last.onmessage({ data: JSON.stringify(message) })
  say({ type: 'welcome', connection: 'c', user: null, node: 'n', heartbeat: 25 })
  say({ type: 'subscribed', ref: Wire.last.sent.at(-1).ref, channel: 'a', last_event_id: '1732137600000-0' })
  const events = (from, to) => { for (let n = from; n <= to; n++) say({ type: 'event', channel: 'a', id: `1732137600000-${n}`, event: 'message', data: { n } }) }
  events(1, 100_000)
  const first = used()
  events(100_001, 1_100_000)
  const grown = used() - first
  assert.equal(count, 1_100_000)
  assert.ok(grown < 1 << 20, `the heap has grown by ${grown} bytes`)
})
