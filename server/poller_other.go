//go:build !linux

package server

import (
	"context"
	"errors"
	"net"
)

// The poller and its descriptors are for Linux; elsewhere connections have a
// goroutine each.
type (
	poller     struct{}
	descriptor struct{ streamOutlet }
)

func newPoller() *poller                  { return nil }
func (*poller) run(context.Context) error { return nil }

func takeDescriptor(net.Conn, *poller) (*descriptor, bool) { return nil, false }

func (*descriptor) fetch() int                   { return 0 }
func (*descriptor) tryWrite([]byte) (int, error) { return 0, errors.ErrUnsupported }
func (*descriptor) awaitWritable(*feed) error    { return errors.ErrUnsupported }
func (*descriptor) readNow([]byte) (int, error)  { return 0, errors.ErrUnsupported }
func (*descriptor) listen(reader) bool           { return false }

func boundUnsent(uintptr) {}

// outputQueue is known on Linux only; elsewhere TCP itself gives up on a peer
// that vanished, after minutes.
func outputQueue(int) (n int, known bool) { return 0, false }
