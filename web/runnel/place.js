/**
 * Where a reader stands in a channel. It says what is new to it: feeds may
 * overlap, and events come once all the same.
 */
export class Place {
  /** @param {?string} position */
  constructor (position = null) { this.position = position }

  /** Takes a message of a feed and reports whether it is new. */
  take (kind, message) {
    switch (kind) {
      case 'start': // a cursor grows old, and one is enough for all channels that had no event
        if (!isID(this.position)) this.position = message.position
        return true
      case 'event':
        if (message.id === undefined) return true // ephemeral
        if (!later(message.id, this.position)) return false
        this.position = message.id
        return true
      case 'position':
        if (later(message.last_event_id, this.position)) this.position = message.last_event_id
        return false
      case 'gap':
        if (this.doubts(message)) return false
        this.position = message.last_event_id
        return true
    }
    return true
  }

  /** Whether a gap leads back from elsewhere: told before, or of a rollback that leads further back from here. */
  doubts ({ after, last_event_id: last }) {
    return this.position !== null && after !== this.position && !later(last, this.position)
  }
}

/**
 * Whether a position stands behind another one of the same channel. The running
 * number decides; where a cursor stands for one of them, nobody can tell.
 */
export function later (a, b) {
  const x = number(a)
  const y = number(b)
  return x === null || y === null || x > y
}

function number (position) {
  const match = /^\d+-(\d+)$/.exec(position ?? '')
  return match && Number(match[1])
}

/** Whether a position is an event's ID or a base, not a cursor of several channels. */
export const isID = position => number(position) !== null
