// A firewall of the visitor's own: a proxy that the hub makes for this page.

async function ask(method, path, body) {
  const answer = await fetch(path, {
    method,
    headers: body ? { "Content-Type": "application/json" } : {},
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const { error } = await answer.json().catch(() => ({}));
  throw new Error(answer.status === 404 && method === "POST" ? "This hub has no lab: it needs one without TLS." : (error?.message ?? `The hub answered ${answer.status}.`));
}

export class Firewall {
  static async make() {
    return new Firewall(await ask("POST", "/lab/proxies"));
  }

  constructor({ id, url }) {
    this.id = id;
    this.url = url;
  }

  set(faults) {
    return ask("PUT", `/lab/proxies/${this.id}`, faults);
  }

  // end outlives the page.
  end() {
    fetch(`/lab/proxies/${this.id}`, { method: "DELETE", keepalive: true }).catch(() => {});
  }
}
