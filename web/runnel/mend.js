import { kindOf } from './error.js'

/**
 * Does what can be done about a link that failed: asks for another token, or
 * finds the channels that cannot be read. It reports whether there is hope.
 *
 * @param {{kind: string, token: ?string}} why
 * @param {Map<string, Place>} channels
 * @param {(name: string, error: HubError) => void} refuse
 */
export async function mend ({ kind, token }, { tokens, requests }, channels, refuse) {
  if (kind === 'token' && !tokens.renewable) return false
  if (kind === 'token') await tokens.refresh(token).catch(() => {})
  if (kind === 'refused') await sortOut(requests, channels, refuse)
  return channels.size > 0
}

/** Refuses the channels that cannot be read, or not from where they stand. */
async function sortOut (requests, channels, refuse) {
  for (const [name, place] of [...channels]) {
    if (channels.get(name) !== place) continue // left meanwhile
    try {
      const from = place.position === null ? '' : `&last_event_id=${encodeURIComponent(place.position)}`
      await requests.json(`/channels/${encodeURIComponent(name)}/events?limit=1${from}`)
    } catch (error) {
      if (kindOf(error) === 'refused' && channels.get(name) === place) refuse(name, error)
    }
  }
}
