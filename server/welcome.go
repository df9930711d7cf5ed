package server

import (
	"strconv"
	"time"

	"runnel/auth"
)

// welcomeJSON is what a client learns first about its connection.
func (s *Server) welcomeJSON(f *feed) []byte {
	b := appendJSONString([]byte(`{"type":"welcome","connection":`), f.id)
	b = appendUser(append(b, `,"user":`...), f.claims)
	b = appendJSONString(append(b, `,"node":`...), s.node)
	b = appendSeconds(append(b, `,"heartbeat":`...), s.hub.pace.Heartbeat)
	return append(b, '}')
}

// appendUser appends the user's name, null where there is none.
func appendUser(b []byte, claims *auth.Claims) []byte {
	if claims.Subject == "" {
		return append(b, "null"...)
	}
	return appendJSONString(b, claims.Subject)
}

// appendSeconds appends a duration as a JSON number of seconds.
func appendSeconds(b []byte, d time.Duration) []byte {
	return strconv.AppendFloat(b, d.Seconds(), 'f', -1, 64)
}
