import { storage } from './browser.mjs'
import { connect } from '../runnel.js'
import { Clock } from './clock.mjs'
import { World } from './world.mjs'

/** A page that reads channels of the hub in a world of its own. */
export function page (t, { modes = {}, options = {}, remembered, channels = ['a'] } = {}) {
  const clock = new Clock()
  const world = Object.assign(new World(), modes)
  storage.clear()
  if (remembered) storage.setItem('runnel http://hub.example.com', `${remembered} ${Date.now() + 1000_000}`)
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

export const upTo = n => Array.from({ length: n }, (_, i) => i + 1)
