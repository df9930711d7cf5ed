package server

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails the run when a goroutine outlives its owner.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
