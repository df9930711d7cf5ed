// runnel.js as a page of another origin uses it, with short intervals.

const timing = {
  patience: 1000, requestTimeout: 3000, pollWait: 2000, backoffMin: 50, backoffMax: 1000,
  climbMin: 2000, climbMax: 4000, beat: 200, silence: 1000,
};

// Beside the client's options: module, where it comes from, tokens, which are handed out one after the
// other, start, where reading begins, and publish, how many events the page
// publishes to its first channel.
export async function follow(hub, channels, saw, { module = hub, tokens, publish = 0, start, ...options }) {
  const { connect } = await import(new URL("/runnel.js", module));
  if (tokens) {
    options.token = () => {
      saw({ type: "token" });
      return tokens.length > 1 ? tokens.shift() : tokens[0];
    };
  }
  const client = connect(hub.href, { timing, ...options });
  client.on("state", ({ state, transport }) => saw({ type: state, data: transport ?? "" }));
  for (const name of channels) {
    const channel = client.channel(name, start);
    channel.on("start", ({ position }) => saw({ type: "subscribed", id: position }));
    channel.on("gap", (gap) => saw({ type: "gap", data: JSON.stringify(gap) }));
    channel.on("error", (error) => saw({ type: "dead", data: error.message }));
    channel.on("*", (e) => {
      saw({ type: "event", id: e.id, data: JSON.stringify(e) });
      throw new Error("a handler that throws");
    });
  }
  for (let n = 1; n <= publish; n++) {
    client.channel(channels[0]).publish({ n }).then(
      (id) => saw({ type: "published", id, data: String(n) }),
      (error) => saw({ type: "dead", data: `publishing ${n}: ${error.code} ${error.message}` }),
    );
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
