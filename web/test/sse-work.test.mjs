import './browser.mjs'
import test from 'node:test'
import assert from 'node:assert/strict'
import { SSEParser } from '../runnel/parser.js'

const piece = 'x'.repeat(256)

/** What it costs to read so many lines, each of so many bytes that come in pieces. */
function cost (lines, size) {
  const before = process.cpuUsage()
  for (let i = 0; i < lines; i++) {
    const parser = new SSEParser(() => {})
    for (let n = 0; n < size; n += piece.length) parser.push(piece)
    parser.push('\n\n')
  }
  const { user, system } = process.cpuUsage(before)
  return user + system
}

test('a long line that comes in pieces is gone through once', () => {
  let [one, parts] = [Infinity, Infinity]
  for (let run = 0; run < 3 || (run < 50 && one > 20 / 16 * parts); run++) {
    parts = Math.min(parts, cost(16, 64 * 1024))
    one = Math.min(one, cost(1, 1024 * 1024))
  }
  assert.ok(one <= 20 / 16 * parts, `a line of 1 MiB takes ${one} µs, 16 of 64 KiB ${parts}`)
})
