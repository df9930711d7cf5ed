import { bearable } from './wait.js'

/**
 * Reads a stream of server-sent events
 * (https://html.spec.whatwg.org/multipage/server-sent-events.html) piece by
 * piece, without a byte order mark, which decoders take away. A block that a cut
 * leaves unfinished is dropped.
 */
export class SSEParser {
  #begun = [] // of the line that has not ended, in pieces: to look through it anew for each would be work without end
  #cr = '' // what the text ended with, when it may be half of a CR LF
  #onBlock
  #block = fresh()

  /** @param {(block: {event: string, data: string, id?: string, retry?: number}) => void} onBlock */
  constructor (onBlock) { this.#onBlock = onBlock }

  push (text) {
    const lines = (this.#cr + text).split(/\r\n|\n|\r(?!$)/)
    this.#begun.push(lines[0])
    if (lines.length > 1) {
      lines[0] = this.#begun.join('')
      this.#begun = [lines.pop()]
      for (const line of lines) this.#line(line)
    }
    const last = this.#begun.pop()
    this.#cr = last.endsWith('\r') ? '\r' : ''
    this.#begun.push(this.#cr ? last.slice(0, -1) : last)
  }

  #line (line) {
    if (line === '') {
      const { lines, ...block } = this.#block
      this.#block = fresh()
      if (lines.length > 0 || block.retry !== undefined) this.#onBlock({ ...block, data: lines.join('\n') })
      return
    }
    const colon = line.indexOf(':')
    if (colon === 0) return
    const name = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1))
    switch (name) {
      case 'data': this.#block.lines.push(value); break
      case 'event': this.#block.event = value || 'message'; break
      case 'id': if (!value.includes('\0')) this.#block.id = value; break
      case 'retry': if (/^\d+$/.test(value)) this.#block.retry = bearable(Number(value))
    }
  }
}

const fresh = () => ({ event: 'message', lines: [] })
