// Package auth says who a request comes from and what it may do.
//
// Begin with [New], which gives a [Verifier] over the configured keys. Its
// [Verifier.Request] reads the first credential of a request and
// [Verifier.Verify] checks a token that came another way, such as a
// WebSocket's first message; both give [Claims], whose methods answer what may
// be read and published. [Verifier.CheckOrigin] and [Verifier.AllowedOrigin]
// are the rules for web pages, [Verifier.IssueTicket] makes what stands for a
// token in a URL, and [Config.Sign] makes tokens for trying things out.
//
// What holds:
//
//   - The key decides the algorithm, never the token: an HMAC is checked
//     against secrets only, a signature against public keys of its kind only.
//   - Where keys are fetched from is configuration; no header of a token is
//     ever followed.
//   - A credential that is present and bad is refused, whatever comes after it.
//   - "user:" and "$" channels are reached by an exact right only; no wildcard
//     opens them by accident.
//   - Errors carry a sentence for the client and never a token or a key.
//
// With no key at all the hub is in demo mode: everybody may do everything, but
// only through a loopback Host and from a loopback Origin, because any page on
// the web can reach a developer's loopback.
//
// The package knows neither routes nor transports.
package auth
