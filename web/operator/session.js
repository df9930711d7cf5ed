// Who looks: an admin token, kept for this tab alone, or none in demo mode. It
// goes in a header; an EventSource, which has none, gets a ticket.

const place = "runnel.operator";

export class Refused extends Error {}

let token = sessionStorage.getItem(place) ?? "";

export const known = () => token !== "";

export function remember(text) {
  token = text.trim();
  sessionStorage.setItem(place, token);
}

export function forget() {
  token = "";
  sessionStorage.removeItem(place);
}

// ask returns the hub's answer; it throws its sentence, as Refused when the
// token does not do.
export async function ask(path, options = {}) {
  const headers = { ...options.headers };
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(path, { ...options, headers, signal: AbortSignal.timeout(15_000) })
    .catch(() => { throw new Error("The hub cannot be reached."); });
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  const sentence = answer.error?.message ?? `The hub answered ${response.status}.`;
  throw response.status === 401 || response.status === 403 ? new Refused(sentence) : new Error(sentence);
}

// address is where an EventSource finds events of channels: with a ticket for
// these alone, good for coming back too, until the token ends.
export async function address(channels, start) {
  const query = new URLSearchParams(channels.map((channel) => ["channel", channel]));
  for (const [name, value] of Object.entries(start)) query.set(name, value);
  if (token) {
    const body = JSON.stringify({ channels });
    const { ticket } = await ask("/tickets", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    query.set("ticket", ticket);
  }
  return `/events?${query}`;
}
