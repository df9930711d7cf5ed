//go:build linux

package main

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain is the program itself where a test starts it as the ceiling.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "ceiling" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}
