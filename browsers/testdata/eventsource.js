// A plain EventSource, opened once: whatever happens, it has to come back by
// itself. But for one thing: Firefox gives up a feed of another origin where a
// connection fails before an answer (it takes that for a refusal by CORS). A
// page can but make a new one then, which goes on from the last event.

const types = [
  "message", "chat", "runnel.welcome", "runnel.heartbeat", "runnel.gap", "runnel.error", "runnel.position",
];
const isFirefox = navigator.userAgent.includes("Firefox");

export function watch(hub, channels, saw, withCredentials) {
  const url = new URL(channels.length === 1 ? `/channels/${channels[0]}/events` : "/events", hub);
  url.search = hub.search;
  if (channels.length > 1) for (const channel of channels) url.searchParams.append("channel", channel);
  const givesUpOnFailedConnections = isFirefox && url.origin !== location.origin;
  let letIn = false;
  open();

  function open() {
    const source = new EventSource(url, { withCredentials });
    source.onopen = () => {
      letIn = true;
      saw({ type: "open" });
    };
    source.onerror = () => {
      if (source.readyState !== EventSource.CLOSED) return saw({ type: "error" });
      if (!letIn || !givesUpOnFailedConnections) return saw({ type: "dead" });
      saw({ type: "anew" });
      setTimeout(open, 500);
    };
    for (const type of types) {
      source.addEventListener(type, ({ lastEventId: id, data }) => {
        if (id) url.searchParams.set("last_event_id", id);
        saw({ type, id, data });
      });
    }
  }
}
