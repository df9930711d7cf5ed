import { dashboard } from "./dashboard.js";
import { publishBox } from "./publish.js";
import { rooms } from "./rooms.js";
import { Sides } from "./sides.js";

const part = (id) => document.getElementById(id);

dashboard(part("dashboard"), {
  node: document.body.dataset.node,
  moved: (node) => {
    part("node").textContent = node;
    part("dashboard-channel").textContent = `$node:${node}`;
    about();
  },
});
const sides = new Sides(part("socket"), part("sse"));
rooms(part("chat"), {
  opened: (channel) => {
    part("sides-channel").textContent = channel;
    sides.read(channel);
  },
});
publishBox(part("publish"), { publishing: (channel, type) => sides.hear(channel, type) });
about();

async function about() {
  const response = await fetch("/healthz").catch(() => null);
  if (!response?.ok) return;
  const { version, store } = await response.json();
  if (version) part("version").textContent = version;
  if (store) part("store").textContent = store;
}
