//go:build unix

package server

import "syscall"

// openFiles is how many files the process may have open: the hard limit,
// which Go's runtime has raised the soft one to at start (package syscall).
func openFiles() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fewOpenFiles
	}
	return int(min(limit.Cur, mostConnections*2))
}
