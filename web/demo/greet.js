// The first message of the lobby: who opens it empty sees at once what an
// event looks like, over both transports.

import { channelPath } from "../look/text.js";
import { post } from "./post.js";

const lobby = "chat:lobby";
const welcome = { name: "this page", text: "Hello! What you publish or say comes here, with the same ID on both sides." };

// greet publishes it in the lobby, under a key: of pages that are opened
// together one does.
export async function greet(channel) {
  if (channel !== lobby) return;
  try {
    const response = await fetch(`${channelPath(channel)}/events?limit=1`);
    const { events } = await response.json();
    if (events.length === 0) await post(channel, "chat", "application/json", JSON.stringify(welcome), "welcome");
  } catch {} // the panels say that the hub cannot be reached
}
