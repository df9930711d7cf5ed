import test from 'node:test'
import assert from 'node:assert/strict'
import { Emitter } from '../runnel/emitter.js'
import { Room } from '../demo/room.js'

test('a room whose channel cannot be read says so, instead of staying empty', async () => {
  const channel = new Emitter()
  channel.history = async () => { throw new Error('no right to subscribe to a') }
  const notes = []
  const room = new Room({ channel: () => channel }, 'a', () => {})
  const opened = room.open({ clear () {}, note: text => notes.push(text) })
  channel.emit('error', new Error('no right to subscribe to a'))
  await opened
  assert.match(notes.join(), /cannot be read now: no right/)
})
