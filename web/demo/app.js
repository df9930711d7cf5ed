import { dashboard } from "./dashboard.js";
import { greet } from "./greet.js";
import { publishBox } from "./publish.js";
import { rooms } from "./rooms.js";
import { Sides } from "./sides.js";

const part = (id) => document.getElementById(id);

const sides = new Sides(part("socket"), part("sse"));
const box = publishBox(part("try"), { publishing: (channel, type) => sides.hear(channel, type) });
rooms(part("chat"), {
  opened: (channel) => {
    part("sides-channel").textContent = channel;
    sides.read(channel);
    box.name(channel);
    greet(channel);
  },
});
dashboard(part("dashboard"), {
  node: part("dashboard").dataset.node,
  moved: (node) => {
    part("node").textContent = node;
    part("dashboard-channel").textContent = `$node:${node}`;
  },
});
