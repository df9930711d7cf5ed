import './browser.mjs'
import test from 'node:test'
import assert from 'node:assert/strict'
import { Place } from '../runnel/place.js'
import { Socket } from '../runnel/socket.js'
import { messages } from './transcripts.mjs'
import { Wire } from './wire.mjs'

const hub = { url: 'http://hub.example.com', tokens: { get: async () => null }, timing: { requestTimeout: 1000, patience: 1000 } }

/** An open socket that has joined the channels, and what its owner hears. */
async function open (t, channels) {
  const browsers = globalThis.WebSocket
  globalThis.WebSocket = Wire
  const heard = []
  const socket = new Socket(hub, new Map(), {
    working: () => heard.push('working'),
    expiring: () => heard.push('expiring'),
    down: ({ kind }) => heard.push(`down ${kind}`),
    message: (channel, place, kind, message) => heard.push([channel, kind, message])
  })
  t.after(() => { socket.close(); globalThis.WebSocket = browsers })
  await socket.open()
  const say = message => Wire.last.onmessage({ data: JSON.stringify(message) })
  say({ type: 'welcome', connection: 'c', user: null, node: 'n', heartbeat: 25 })
  for (const channel of channels) {
    socket.join(channel, new Place())
    say({ type: 'subscribed', ref: Wire.last.sent.at(-1).ref, channel, last_event_id: '1-0' })
  }
  heard.length = 0
  return { socket, say, heard }
}

const said = new Map() // by transcript
for (const m of messages()) said.set(m.name, [...(said.get(m.name) ?? []), m])

test('there are transcripts of WebSockets', () => assert.ok(said.size >= 5 && messages().length > 30))

for (const [name, texts] of said) {
  test(`what the hub says in the transcript ${name}`, async t => {
    const all = texts.map(({ text }) => JSON.parse(text)).map(({ ref, ...message }) => message) // the refs are another client's
    const channels = [...new Set(all.map(m => m.channel).filter(Boolean))]
    const { socket, say, heard } = await open(t, channels)
    all.forEach(say)
    const told = heard.filter(h => Array.isArray(h) && h[1] !== 'error')
    assert.deepEqual(told, all.filter(m => ['event', 'gap', 'position'].includes(m.type)).map(m => [m.channel, m.type, m]))
    const { connection, heartbeat } = all.findLast(m => m.type === 'welcome') ?? { connection: 'c', heartbeat: 25 }
    assert.deepEqual([socket.connection, socket.heartbeat], [connection, 1000 * heartbeat])
    assert.equal(heard.filter(h => h === 'expiring').length, all.filter(m => m.type === 'expiring').length)
    assert.ok(!heard.some(h => String(h).startsWith('down')))
  })
}
