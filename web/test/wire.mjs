/** The browser's end of a WebSocket that a test speaks for. */
export class Wire {
  static OPEN = 1
  static last
  readyState = 1
  sent = []
  constructor () { Wire.last = this }
  send (text) { this.sent.push(JSON.parse(text)) }
  close () {}
}
