import { bearable } from './wait.js'

/**
 * An error with a code of docs/protocol.md, or one of the client's own:
 * `closed`, `queue_full`, `network`, `timeout`, `token`, `slow_reader`.
 */
export class HubError extends Error {
  constructor (code, message, { status = 0, retryAfter = 0, foreign = false } = {}) {
    super(message)
    this.name = 'HubError'
    this.code = code
    this.status = status
    this.retryAfter = retryAfter // ms
    this.foreign = foreign // a proxy's answer, not the hub's
  }
}

export const closed = () => new HubError('closed', 'the connection was closed')

/** Codes that pass by themselves: the same request can succeed later. */
export const passing = new Set(['network', 'timeout', 'token', 'rate_limited', 'connection_limit', 'unavailable', 'unknown_outcome', 'internal'])

/** Codes after which nobody knows whether something was published. */
export const uncertain = new Set(['network', 'timeout', 'unknown_outcome', 'internal'])

/** The error that an answer tells. */
export async function errorOf (response) {
  const after = response.headers.get('Retry-After') // seconds, or a date (RFC 9110, section 10.2.3)
  const retryAfter = bearable(/^\d+$/.test(after) ? 1000 * after : Date.parse(after) - Date.now())
  const { status } = response
  try {
    const { code, message } = (await response.json()).error
    if (code) return new HubError(code, message, { status, retryAfter })
  } catch {} // a proxy's page
  return new HubError(codeOf(status), `the answer has status ${status}`, { status, retryAfter, foreign: true })
}

/** What a proxy's status means. Behind a 502 the hub may have done what it was asked. */
function codeOf (status) {
  const codes = { 400: 'bad_request', 401: 'unauthorized', 403: 'forbidden', 404: 'not_found', 409: 'conflict', 413: 'too_large', 429: 'rate_limited', 503: 'unavailable' }
  return codes[status] ?? (status >= 500 ? 'unknown_outcome' : 'bad_request')
}

/** What an error means for a link. A proxy's refusal is the network's, but for its 5xx and 429. */
export function kindOf ({ code, foreign, status }) {
  if (foreign && status < 500 && status !== 429) return 'broken'
  switch (code) {
    case 'unauthorized': return 'token'
    case 'forbidden':
    case 'bad_request':
    case 'not_found': return 'refused'
    case 'network': return 'broken'
    default: return 'busy'
  }
}
