// Publishing by request, and the curl command that does the same.

import { channelPath } from "../look/text.js";

export function address(channel, event) {
  const url = new URL(`${channelPath(channel)}/events`, location.href);
  if (event) url.searchParams.set("event", event);
  return url;
}

// post returns the hub's answer, {id, channel}, with its status; it throws
// the hub's own sentence when it refused. With a key it can be repeated.
export async function post(channel, event, type, body, key) {
  const headers = { "Content-Type": type, ...(key && { "Idempotency-Key": key }) };
  const response = await fetch(address(channel, event), { method: "POST", headers, body })
    .catch(() => { throw new Error("The hub cannot be reached."); });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error?.message ?? `The hub answered ${response.status}.`);
  return { ...answer, status: response.status };
}

export function curlPublish(channel, event, type, body) {
  // curl would read a file where the data begins with "@".
  const data = body.startsWith("@") ? "--data-raw" : "-d";
  return `curl -H ${quote(`Content-Type: ${type}`)} \\\n  ${data} ${quote(body)} \\\n  ${quote(address(channel, event).href)}`;
}

export function curlWatch(channel) {
  return `curl -N -H 'Accept: text/event-stream' \\\n  ${quote(address(channel).href)}`;
}

// quote writes one word of a POSIX shell.
function quote(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
