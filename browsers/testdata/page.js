// Opens what the test asked for and reports everything it sees, in order.

import { follow } from "/client.js";
import { watch } from "/eventsource.js";
import { talk } from "/websocket.js";

const query = new URLSearchParams(location.search);
const reports = new URL("/sights?page=" + query.get("page"), query.get("stage") ?? location.href);
const unsent = [];
let sending = false;

async function saw(sight) {
  unsent.push(sight);
  if (sending) return;
  sending = true;
  while (unsent.length > 0) {
    const body = JSON.stringify(unsent.splice(0));
    await fetch(reports, { method: "POST", mode: "no-cors", body });
  }
  sending = false;
}

const hub = new URL(query.get("hub"));
const channels = query.getAll("channel");
addEventListener("error", (event) => saw({ type: event.message.includes("that throws") ? "thrown" : "script", data: event.message }));
addEventListener("unhandledrejection", (event) => saw({ type: "script", data: String(event.reason?.stack ?? event.reason) }));
switch (query.get("kind")) {
  case "websocket": talk(hub, channels, saw); break;
  case "eventsource": watch(hub, channels, saw, query.has("credentials")); break;
  default: follow(hub, channels, saw, JSON.parse(query.get("kind")));
}
