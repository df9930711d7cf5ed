/** A client of a Runnel hub that gets through firewalls and never loses its place. */

export type Transport = 'ws' | 'sse' | 'poll'
export type State = 'connecting' | 'connected' | 'offline' | 'refused' | 'closed'

export interface Options {
  /** The token, or a function that returns one; it is called again when that expires or is refused. */
  token?: string | (() => string | Promise<string>)
  /** The rungs to try, from the best on. All of them by default. */
  transports?: Transport[]
  /** Whether cookies go along to another origin, as for fetch. */
  credentials?: RequestCredentials
  /** Who the user is, where no token says so: tabs of the same user share a connection. */
  user?: string
  /** Whether tabs share a connection; true by default. */
  share?: boolean
  /** Intervals in milliseconds, for tests. */
  timing?: Partial<Record<'patience' | 'requestTimeout' | 'pollWait' | 'backoffMin' | 'backoffMax' | 'winnerFor' | 'climbMin' | 'climbMax' | 'keyLife' | 'beat' | 'silence', number>>
}

export interface Event<T = unknown> {
  channel: string
  /** Its place in the channel; an ephemeral event has none. */
  id?: string
  /** Its type, `message` by default. */
  event: string
  /** What was published: the JSON value, or the text. */
  data: T
  /** The user who published it. */
  from?: string
  time?: string
}

export interface Gap {
  channel: string
  after: string | null
  last_event_id: string
  resumed_at: string | null
  /** How many events are gone, null where nobody can know. */
  missed: number | null
  reason: 'trimmed' | 'expired' | 'unknown' | 'rollback'
}

export interface Page {
  events: Event[]
  last_event_id: string
  gap: Gap | null
  more: boolean
}

export interface Start {
  lastEventId?: string
  since?: string
  rewind?: number
}

export interface PublishOptions {
  /** The type: at most 128 bytes, no white space at its ends, no control or format characters. */
  event?: string
  ephemeral?: boolean
  /** false: this tab does not get it. */
  echo?: boolean
  /** The data is a string to be published as it is, not as JSON. */
  text?: boolean
}

export class HubError extends Error {
  readonly code: string
  readonly status: number
  readonly retryAfter: number
}

export interface Channel extends AsyncIterable<Event> {
  readonly name: string
  readonly position: string | null
  on (type: 'gap', handler: (gap: Gap) => void): () => void
  /** Reading has begun, or begun again, at the position. */
  on (type: 'start', handler: (start: { position: string }) => void): () => void
  /** The channel cannot be read, and is read no more until the next handler. */
  on (type: 'error', handler: (error: HubError) => void): () => void
  on<T = unknown> (type: string, handler: (event: Event<T>) => void): () => void
  off (type: string, handler: (value: never) => void): void
  publish (data: unknown, options?: PublishOptions): Promise<string | null>
  history (query?: { limit?: number, before?: string, lastEventId?: string }): Promise<Page>
  /** Stops reading, and takes all handlers away. With the next one reading begins again where it was. */
  close (): void
}

export interface Hub {
  readonly state: State
  readonly transport: Transport | null
  channel (name: string, start?: Start): Channel
  on (type: 'state', handler: (state: { state: State, transport: Transport | null }) => void): () => void
  off (type: 'state', handler: (value: never) => void): void
  close (): void
}

export function connect (url?: string, options?: Options): Hub
