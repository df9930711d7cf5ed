import './browser.mjs'
import test from 'node:test'
import assert from 'node:assert/strict'
import { SSEParser } from '../runnel/parser.js'
import { bodies } from './transcripts.mjs'

function parse (...pieces) {
  const blocks = []
  const parser = new SSEParser(block => blocks.push(block))
  for (const piece of pieces) parser.push(piece)
  return blocks
}

// Another reading of the same standard, of a whole text at once.
function expected (text) {
  const blocks = []
  let block = { event: 'message', data: [] }
  const lines = text.replace(/^\ufeff/, '').replace(/\r\n?/g, '\n').split('\n').slice(0, -1)
  for (const line of lines) {
    if (line === '') {
      if (block.data.length > 0 || 'retry' in block) blocks.push({ ...block, data: block.data.join('\n') })
      block = { event: 'message', data: [] }
      continue
    }
    const [, field, value] = /^([^:]*)(?:: ?([^]*))?$/.exec(line)
    if (field === 'data') block.data.push(value ?? '')
    if (field === 'event') block.event = value || 'message'
    if (field === 'id' && !(value ?? '').includes('\0')) block.id = value ?? ''
    if (field === 'retry' && /^\d+$/.test(value ?? '')) block.retry = Number(value)
  }
  return blocks
}

/** Numbers by chance, the same in every run. */
function dice (seed) {
  return n => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    return Math.floor(seed / 2 ** 32 * n)
  }
}

test('a block has its type, data and id', () => {
  assert.deepEqual(parse('event: note\ndata: a\ndata:b\nid: 5-1\n\n'), [{ event: 'note', data: 'a\nb', id: '5-1' }])
  assert.deepEqual(parse('data\n\n'), [{ event: 'message', data: '' }])
  assert.deepEqual(parse('data:  two spaces\n\n'), [{ event: 'message', data: ' two spaces' }])
})

test('comments, ids alone and fields nobody knows are no blocks', () => {
  assert.deepEqual(parse(': hello\n\nid: 5-1\n\ncolour: red\n\n'), [])
})

test('retry is a number of milliseconds and comes alone too', () => {
  assert.deepEqual(parse('retry: 1500\n\nretry: soon\n\n'), [{ event: 'message', data: '', retry: 1500 }])
})

test('what a cut leaves unfinished is dropped', () => {
  assert.deepEqual(parse('data: 1\nid: 5-1\n\ndata: 2\nid: 5-2\n'), [{ event: 'message', data: '1', id: '5-1' }])
})

test('CR, LF and CR LF end lines, wherever the stream is cut in pieces', () => {
  const text = 'data: a\rdata: b\r\n\r\ndata: c\n\n'
  for (let i = 0; i <= text.length; i++) {
    assert.deepEqual(parse(text.slice(0, i), text.slice(i)).map(b => b.data), ['a\nb', 'c'], `cut at ${i}`)
  }
})

test('any text in any pieces means what it means as a whole', () => {
  const words = ['data: x', 'data:', 'event: y', 'event', 'id: 5-1', 'id: a\0b', 'retry: 10', 'retry: x', ':c', '', '', '\ufeff', 'data: \u2028é😀', 'data', ' data: z']
  const ends = ['\n', '\r\n', '\n', '\r']
  for (let seed = 0; seed < 2000; seed++) {
    const roll = dice(seed)
    let text = ''
    for (let n = roll(20); n >= 0; n--) text += words[roll(words.length)] + ends[roll(ends.length)]
    const pieces = []
    for (let rest = text + '\n'; rest !== '';) {
      const n = 1 + roll(12)
      pieces.push(rest.slice(0, n))
      rest = rest.slice(n)
    }
    assert.deepEqual(parse(...pieces), expected(text + '\n'), JSON.stringify(text))
  }
})

test('the transcripts of the protocol are understood', () => {
  const streams = bodies('stream').filter(b => b.text.startsWith('retry:'))
  assert.ok(streams.length >= 8, `there are ${streams.length}`)
  for (const { name, text } of streams) {
    const blocks = parse(...text.split(/(?<=[aeiou:\n])/))
    assert.deepEqual(blocks, expected(text), name)
    assert.equal(blocks[0].retry, 1500, name)
    assert.match(blocks[0].event, /^runnel\.(welcome|error)$/, name)
    for (const { event, data } of blocks) {
      assert.notEqual(data, '', name)
      if (event.startsWith('runnel.')) assert.ok(JSON.parse(data), name)
    }
  }
})
