// A plain WebSocket to several channels that remembers each one's position
// and goes on from there.

export function talk(hub, channels, saw) {
  const positions = new Map(channels.map((channel) => [channel, undefined]));
  const url = new URL("/ws", hub);
  url.protocol = hub.protocol === "https:" ? "wss:" : "ws:";
  connect();

  function connect() {
    const socket = new WebSocket(url);
    socket.onopen = () => {
      saw({ type: "open" });
      for (const [channel, last_event_id] of positions) {
        socket.send(JSON.stringify({ type: "subscribe", channel, last_event_id }));
      }
    };
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      const id = message.id ?? message.last_event_id;
      if (message.channel && id) positions.set(message.channel, id);
      saw({ type: message.type, id, data });
      if (message.type === "error" && message.code === "unavailable") socket.close();
    };
    socket.onclose = ({ code }) => {
      const final = code === 4001 || code === 4003;
      saw({ type: final ? "dead" : "close", code });
      if (!final) setTimeout(connect, code === 4009 || code === 1013 ? 1000 : 300);
    };
  }
}
