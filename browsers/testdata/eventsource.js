// A plain EventSource, opened once: whatever happens, it has to come back by
// itself.

const types = [
  "message", "chat", "runnel.welcome", "runnel.heartbeat", "runnel.gap", "runnel.error", "runnel.position",
];

export function watch(hub, channels, saw, withCredentials) {
  const url = new URL(channels.length === 1 ? `/channels/${channels[0]}/events` : "/events", hub);
  url.search = hub.search;
  if (channels.length > 1) for (const channel of channels) url.searchParams.append("channel", channel);
  const source = new EventSource(url, { withCredentials });
  source.onopen = () => saw({ type: "open" });
  source.onerror = () => saw({ type: source.readyState === EventSource.CLOSED ? "dead" : "error" });
  for (const type of types) {
    source.addEventListener(type, ({ lastEventId: id, data }) => saw({ type, id, data }));
  }
}
