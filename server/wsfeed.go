package server

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/coder/websocket"
	"github.com/labstack/echo/v4"

	"runnel/auth"
)

// conversation is a WebSocket's other direction: what its client asks for. One
// goroutine reads and answers, so answers come in the order of the messages.
type conversation struct {
	server   *Server
	feed     *feed
	conn     *websocket.Conn
	socket   *socket
	claims   *auth.Claims // nil until authenticated
	only     string       // the channel that messages may leave out
	channels []string     // to subscribe to once authenticated
	start    beginning
	limit    *messageLimit // made with the first message
}

// websocket is GET /ws and GET /channels/{channel}/ws. A browser's script does
// not see the status of a handshake that failed: so all but a wrong Origin and
// a request that is no handshake is accepted first, and told by a close code.
func (s *Server) websocket(c echo.Context) error {
	r := c.Request()
	if err := s.verifier.CheckOrigin(r); err != nil {
		return err
	}
	if !isHandshake(r) {
		return badRequest("here a WebSocket handshake is expected (RFC 6455, version 13)")
	}
	v := &conversation{server: s}
	refusal := v.prepare(c)
	f := s.hub.newFeed(ws{}, v.claims, newConnectionID(v.user()))
	if refusal == nil {
		refusal = s.admit(&f.admission, r, v.claims, &s.open.websocket)
	}
	if refusal != nil && !s.admitRefused(&f.admission) {
		return refusal
	}
	v.feed = f
	if !v.accept(c) {
		f.admission.release()
		return nil
	}
	if !s.hub.add(f, func() { v.run(refusal) }) {
		f.end()
	}
	return nil
}

// isHandshake: RFC 6455 section 4.2.1. What it lets pass and is none after all,
// the library refuses.
func isHandshake(r *http.Request) bool {
	return r.ProtoMajor == 1 && r.ProtoMinor > 0 && strings.EqualFold(r.Header.Get("Upgrade"), "websocket") &&
		strings.Contains(strings.ToLower(r.Header.Get("Connection")), "upgrade") &&
		r.Header.Get("Sec-WebSocket-Version") == "13" && r.Header.Get("Sec-WebSocket-Key") != ""
}

// prepare reads who asks for what. Without a credential the first message has
// to bring it.
func (v *conversation) prepare(c echo.Context) (err error) {
	s, r := v.server, c.Request()
	if s.draining() {
		return errDraining
	}
	if c.Param("channel") != "" {
		if v.only, err = channelParam(c); err != nil {
			return err
		}
	}
	if err = checkNames(r); err != nil {
		return err
	}
	if v.claims, err = s.authenticate(r); err != nil && !errors.Is(err, auth.ErrMissing) {
		return err
	}
	query, err := readQuery(r)
	if err != nil {
		return err
	}
	if v.channels = distinct(query["channel"], s.limits.SocketChannels); v.only != "" {
		v.channels = []string{v.only}
	}
	if len(v.channels) > s.limits.SocketChannels {
		return badRequest("a WebSocket has at most %d channels", s.limits.SocketChannels)
	}
	v.start, err = readBeginning(r, query, len(v.channels))
	return err
}

func (v *conversation) user() string {
	if v.claims == nil {
		return ""
	}
	return v.claims.Subject
}

// accept makes the handshake and reports whether there is a connection; if not,
// the library has answered. Its own check of the origin is off: the verifier's
// came before.
func (v *conversation) accept(c echo.Context) bool {
	compression := websocket.CompressionDisabled
	if v.server.deflate != nil {
		compression = websocket.CompressionNoContextTakeover
	}
	conn, err := websocket.Accept(&takeover{c.Response(), v}, c.Request(), &websocket.AcceptOptions{
		InsecureSkipVerify: true,
		CompressionMode:    compression,
		OnPingReceived:     func(context.Context, []byte) bool { return !v.feed.isClosing() },
	})
	if err != nil {
		return false
	}
	conn.SetReadLimit(maxMessage(v.server.limits.Data))
	v.conn = conn
	if c.Response().Header().Get("Sec-WebSocket-Extensions") != "" {
		v.feed.transport = v.server.deflate
		v.socket.tracker.deflates = true
	}
	return true
}

// maxMessage is the size over which a message ends the connection: more than
// data of that size needs with the other members, whatever of its text is
// escaped (4 bytes become 12 at the most; control characters 1 become 6).
func maxMessage(data int) int64 { return int64(4*data + 8<<10) }

// run serves the client until the connection ends, or as long as it has
// something to say.
func (v *conversation) run(refusal error) {
	switch {
	case refusal != nil:
		v.close(refusal)
	case v.claims == nil:
		v.feed.awaitToken(v.server.limits.AuthWait, func() { v.close(errNoAuth) })
	case v.stands():
		v.begin()
	}
	v.listen()
}

// stands closes the connection if its token was revoked since it was
// looked at; one that is revoked later finds the feed.
func (v *conversation) stands() bool {
	why := v.server.standing(v.claims)
	if why != nil {
		v.close(why)
	}
	return why == nil
}

// listen reads and answers messages until there are none for now: then the
// poller calls again. Without one it stays until the connection ends.
func (v *conversation) listen() {
	for {
		switch err := v.hear(); {
		case err == nil:
		case !errors.Is(err, errIdle):
			v.part()
			return
		case v.socket.polled.listen(v):
			return
		}
	}
}

// readable implements [reader]. Pongs, which are all that an idle peer sends,
// it takes itself: a goroutine and the library would cost many times as much.
func (v *conversation) readable() {
	for v.socket.takePongs() {
		if v.socket.polled.listen(v) {
			return
		}
	}
	v.feed.hub.tasks.Go(v.listen)
}

var errNoAuth = unauthorized("no token came in time", "")

// close ends the connection with the close code of err.
func (v *conversation) close(err error) {
	if e := describe(err); v.feed.close(e) {
		v.note(e)
	}
}

// note counts an error and logs it where an operator should know.
func (v *conversation) note(e *apiError) {
	v.server.metrics.reject(e.code)
	if e.status >= http.StatusInternalServerError && e.close != closeDraining {
		v.server.outages.Do(func() {
			v.server.log.Error("message failed", "connection", v.feed.id, "code", e.code, "cause", e.cause)
		})
	}
}

// hear reads and answers one message. Of a peer that is being closed it waits
// for the goodbye alone: taking its messages apart would be work for nothing.
func (v *conversation) hear() error {
	if v.feed.isClosing() {
		return v.socket.hearOut()
	}
	v.feed.awaitTaken() // or there is no room for an answer
	// It ends with the feed, which closes what is read from. A context would be
	// set up and taken down for every frame.
	kind, data, err := v.conn.Read(context.Background())
	switch {
	case v.feed.isClosing():
	case errors.Is(err, errIdle):
		return err
	case err != nil:
		return v.cannotRead(err)
	case kind == websocket.MessageText && !utf8.Valid(data):
		v.close(errNotText)
	default:
		v.answer(kind, data)
	}
	return nil
}

// errNotText closes a peer whose text is none (RFC 6455 section 8.1).
var errNotText = badRequest("text has to be UTF-8").closing(closeNotText)

// cannotRead says goodbye to a peer that broke the rules of the protocol. Where
// the connection is over, it returns why.
func (v *conversation) cannotRead(err error) error {
	over := v.socket.over
	switch broken, ok := errors.AsType[*apiError](over); {
	case ok:
		v.close(broken)
	case over != nil:
		return err
	default: // what the library alone finds: it cannot be unpacked
		v.close(wrongFrame("the message cannot be read"))
	}
	return nil
}

// part ends the connection. A peer that has said goodbye, or was closed for
// what it did, gets the last words.
func (v *conversation) part() {
	v.conn.CloseNow()
	if late := v.socket.late; late != nil {
		late.Stop()
	}
	if v.feed.isClosing() {
		v.feed.part()
	} else {
		v.feed.end()
	}
}
