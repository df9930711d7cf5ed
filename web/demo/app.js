import { dashboard } from "./dashboard.js";
import { publishBox } from "./publish.js";
import { room } from "./room.js";

const part = (id) => document.getElementById(id);

dashboard(part("dashboard"), {
  node: document.body.dataset.node,
  moved: (node) => {
    part("node").textContent = node;
    part("dashboard-channel").textContent = `$node:${node}`;
    about();
  },
});
const lobby = room({ socket: part("socket"), sse: part("sse"), say: part("say") });
publishBox(part("publish"), { publishing: lobby.hear });
about();

async function about() {
  const response = await fetch("/healthz").catch(() => null);
  if (!response?.ok) return;
  const { version, store } = await response.json();
  if (version) part("version").textContent = version;
  if (store) part("store").textContent = store;
}
