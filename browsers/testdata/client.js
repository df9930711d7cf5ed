// runnel.js as a page of another origin uses it, with short intervals.

const timing = {
  patience: 1000, requestTimeout: 3000, pollWait: 2000, backoffMin: 50, backoffMax: 1000,
  climbMin: 2000, climbMax: 4000, beat: 200, silence: 1000,
};

export async function follow(hub, channels, saw, options) {
  const { connect } = await import(new URL("/runnel.js", hub));
  const client = connect(hub.href, { timing, ...options });
  globalThis.client = client;
  client.on("state", ({ state, transport }) => saw({ type: state, data: transport ?? "" }));
  for (const name of channels) {
    const channel = client.channel(name);
    channel.on("start", ({ position }) => saw({ type: "subscribed", id: position }));
    channel.on("gap", (gap) => saw({ type: "gap", data: JSON.stringify(gap) }));
    channel.on("error", (error) => saw({ type: "dead", data: error.message }));
    channel.on("*", (e) => {
      saw({ type: "event", id: e.id, data: JSON.stringify(e) });
      throw new Error("a handler that throws");
    });
  }
}
