// The golden transcripts of docs/protocol.md, as the hub replays them too.

import { readFileSync } from 'node:fs'

const document = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8')

/** All transcripts: name and lines {sign, text}. */
export const transcripts = [...document.matchAll(/^```transcript (\S+)\n([\s\S]*?)^```/gm)].map(([, name, body]) => ({
  name,
  steps: body.trimEnd().split('\n').map(line => {
    const [, sign, text] = /^(\S+) ?(.*)$/.exec(line)
    return { sign, text: fill(text) }
  })
}))

/** Puts something that is valid in the place of what differs from run to run. */
function fill (text) {
  return text
    .replace(/<id-?(\d*)>/g, (_, n) => `1732137600000-${n || 7}`)
    .replace(/<time>|<date>/g, '2026-11-21T07:00:00.000Z')
    .replace(/<retry(-\d+)?>/g, '1500')
    .replace(/<number>/g, '30')
    .replace(/<([a-z]+(-\w+)?)>/g, '$1')
}

/** The bodies that the hub sends of a content type, one for each answer: a stream's until the next request. */
export function bodies (kind) {
  const found = []
  for (const { name, steps } of transcripts) {
    let accept = false
    let body = null
    for (const { sign, text } of steps) {
      if (sign === '>') {
        if (/ HTTP\/1\.1$/.test(text)) [accept, body] = [false, null]
        if (text === 'Accept: text/event-stream') accept = true
      }
      if (sign !== '<' && sign !== '<?') continue
      if (body !== null) body.text += text + '\n'
      else if (text === '') {
        body = { name, text: '' }
        if ((kind === 'stream') === accept) found.push(body)
      }
    }
  }
  return found.filter(b => b.text !== '')
}

/** The messages that the hub sends over WebSockets. */
export function messages () {
  return transcripts.filter(t => t.steps.some(s => s.text.startsWith('HTTP/1.1 101'))).flatMap(({ name, steps }) => {
    const opened = steps.findIndex((s, i) => i > 0 && s.sign === '<' && s.text === '')
    return steps.slice(opened).filter(s => s.sign.startsWith('<') && s.text.startsWith('{')).map(s => ({ name, text: s.text }))
  })
}
