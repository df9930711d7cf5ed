package server

import (
	"context"
	"crypto/tls"
	"errors"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"
)

// finishWait is how long requests under way may take to finish after the
// drain; a publish waits for the log no longer than Limits.PublishWait.
const finishWait = 5 * time.Second

// Serve serves the public surface on ln until ctx ends, then drains: /readyz
// fails at once, feeds are told to move over the time of Config.Drain while
// the node still listens, requests under way finish. It returns when
// everything has ended; nil after a drain, else why it could not serve. It
// closes ln. To be called once.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	defer s.Close()
	return s.serve(ctx, seating{sparing{ln, s.places}}, s.handler, s.certificate, s.drain)
}

// ServeAdmin serves AdminHandler on ln, without TLS, until ctx ends. It closes
// ln. To see a drain, an operator lets it end after Serve.
func (s *Server) ServeAdmin(ctx context.Context, ln net.Listener) error {
	return s.serve(ctx, sparing{ln, s.places}, s.admin, nil, func(*http.Server) {})
}

func (s *Server) serve(ctx context.Context, ln net.Listener, h http.Handler, cert *certificate, drain func(*http.Server)) error {
	srv := s.httpServer(h, cert)
	ended := make(chan error, 1)
	go func() {
		if cert != nil {
			ended <- srv.ServeTLS(ln, "", "")
		} else {
			ended <- srv.Serve(ln)
		}
	}()
	select {
	case err := <-ended:
		return errors.Join(err, srv.Close())
	case <-ctx.Done():
	}
	drain(srv)
	err := s.shutDown(srv)
	<-ended
	return err
}

// drain has feeds move. Requests go on being answered meanwhile, each the last
// one of its connection.
func (s *Server) drain(srv *http.Server) {
	srv.SetKeepAlivesEnabled(false)
	s.log.Info("draining", "over", s.drainOver, "connections", s.admissions.count())
	ctx, cancel := context.WithTimeout(context.Background(), s.drainOver+finishWait)
	defer cancel()
	s.hub.drain(ctx, s.drainOver)
	s.hub.close() // what did not go in time; later ones are not let in
}

// shutDown stops listening and lets requests finish, then cuts what is left.
func (s *Server) shutDown(srv *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), finishWait)
	defer cancel()
	err := srv.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		s.log.Warn("requests under way did not finish in time and were cut", "waited", finishWait)
		return srv.Close()
	}
	return err
}

// httpServer has no ReadTimeout or WriteTimeout: they would end feeds. Bodies
// and answers have deadlines of their own.
func (s *Server) httpServer(h http.Handler, cert *certificate) *http.Server {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: s.limits.HeaderWait,
		IdleTimeout:       s.limits.IdleWait,
		MaxHeaderBytes:    s.limits.HeaderBytes,
		ConnState:         s.places.watch,
		ErrorLog:          log.New(slogWriter{s.log}, "", 0),
	}
	if cert == nil {
		return srv
	}
	srv.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: cert.get, NextProtos: []string{"h2", "http/1.1"}}
	// A write of TLS, or of HTTP/2, is one that waits: with less in the kernel it
	// waits no longer than the peer takes to show that it moves.
	srv.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		control(conn, boundUnsent)
		return ctx
	}
	srv.HTTP2 = &http.HTTP2Config{
		// A browser opens all its feeds on one connection.
		MaxConcurrentStreams: 128,
		// HTTP/2 connections cannot be taken over, so a dead peer is found
		// here: no frame for 30 s, no answer to a ping within 30 more, or no
		// byte taken for 90 s (protocol.md).
		SendPingTimeout:  30 * time.Second,
		PingTimeout:      30 * time.Second,
		WriteByteTimeout: 90 * time.Second,
	}
	return srv
}

// slogWriter takes the lines of libraries that log for themselves. They tell
// of handshakes and requests that scanners break off: for the curious.
type slogWriter struct{ log *slog.Logger }

func (w slogWriter) Write(line []byte) (int, error) {
	w.log.Debug(strings.TrimSpace(string(line)))
	return len(line), nil
}
