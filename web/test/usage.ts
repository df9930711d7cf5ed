// What pages write, for the compiler alone: make test checks it against runnel.d.ts.

import { connect, HubError, type Channel, type Event, type Gap, type Hub, type Page, type State, type Transport } from '../runnel.js'

interface Order { number: number, state: 'paid' | 'sent' }

const hub: Hub = connect('https://hub.example.com', {
  token: async () => await (await fetch('/token')).text(),
  transports: ['ws', 'sse', 'poll'],
  credentials: 'include',
  user: 'ann',
  share: false,
  timing: { patience: 1000 }
})
connect()
connect('https://hub.example.com', { token: 'a string' })

const stop: () => void = hub.on('state', ({ state, transport }) => {
  const s: State = state
  const t: Transport | null = transport
  console.log(s, t, hub.state, hub.transport)
})
stop()

const orders: Channel = hub.channel('orders', { rewind: 10 })
hub.channel('orders', { since: '10m' })
hub.channel('orders', { lastEventId: orders.position ?? undefined })

orders.on('message', event => console.log(event.id, event.data, event.from, event.time))
orders.on<Order>('changed', (event: Event<Order>) => console.log(event.data.number))
orders.on('gap', (gap: Gap) => console.log(gap.missed ?? 'some', gap.reason === 'trimmed'))
orders.on('start', ({ position }) => console.log(position.length))
const off: () => void = orders.on('error', error => console.log(error.code, error.status, error instanceof HubError))
off()

export async function chat (): Promise<string | null> {
  const page: Page = await orders.history({ limit: 50, before: orders.position ?? undefined })
  if (page.gap) console.log(page.gap.missed, page.more, page.last_event_id)
  const id: string | null = await orders.publish({ number: 1 }, { event: 'changed', echo: false })
  await orders.publish('typing', { text: true, ephemeral: true })
  for await (const event of orders) {
    if (event.id === undefined) continue
    orders.close()
  }
  hub.close()
  return id
}

// @ts-expect-error: there is no such rung
connect('', { transports: ['carrier pigeon'] })
// @ts-expect-error: a name is needed
hub.channel()
// @ts-expect-error: gaps have no data
orders.on('gap', (gap: Gap) => gap.data)
// @ts-expect-error: what is published as JSON is unknown until somebody says what it is
orders.on('message', event => event.data.number)
// @ts-expect-error: the hub alone says where a channel stands
orders.position = '5-1'
