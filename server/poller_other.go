//go:build !linux

package server

import (
	"context"
	"errors"
	"syscall"
)

// poller is for Linux; elsewhere connections have a goroutine each.
type poller struct{}

type watch struct{}

func newPoller() *poller { return nil }

func (*poller) add(syscall.RawConn, func()) *watch { return nil }
func (*poller) run(context.Context)                {}
func (*watch) again() error                        { return errors.ErrUnsupported }
func (*watch) forget()                             {}

func readNow(syscall.RawConn, []byte) (int, error) { return 0, errors.ErrUnsupported }
