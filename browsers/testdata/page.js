// Opens what the test asked for and reports everything it sees, in order.

import { watch } from "/eventsource.js";
import { talk } from "/websocket.js";

const query = new URLSearchParams(location.search);
const unsent = [];
let sending = false;

async function saw(sight) {
  unsent.push(sight);
  if (sending) return;
  sending = true;
  while (unsent.length > 0) {
    const body = JSON.stringify(unsent.splice(0));
    await fetch(`/sights?page=${query.get("page")}`, { method: "POST", body });
  }
  sending = false;
}

addEventListener("error", (event) => saw({ type: "script", data: event.message }));
const open = query.get("kind") === "websocket" ? talk : watch;
open(new URL(query.get("hub")), query.getAll("channel"), saw, query.has("credentials"));
