package main

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	"runnel/worktest"
)

// TestWorkOnFiles is on a configuration file.
func TestWorkOnFiles(t *testing.T) {
	known := []string{"listen", "origin"}
	for name, piece := range map[string]string{
		"comments": "# x\n", "blank lines": "\n", "lists": "[", "strings": `"\\" `, "items": "- &a aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", "names": "aaaa", "maps": "{a: ",
	} {
		t.Run(name, func(t *testing.T) {
			input := func(n int) []byte { return []byte(strings.Repeat(piece, n/len(piece))) }
			worktest.Linear(t, input, func(b []byte) {
				parseFile("f", b, known)
				parseFile("f", append([]byte("origin:\n"), b...), known)
			})
		})
	}
}

// TestWorkOnLines is on what runnel publish reads.
func TestWorkOnLines(t *testing.T) {
	for _, piece := range []string{"\n", "x", "\r", "x\n", "\r\n"} {
		input := func(n int) []byte { return []byte(strings.Repeat(piece, n/len(piece))) }
		worktest.Linear(t, input, func(b []byte) {
			var err error
			for in := bufio.NewReaderSize(&lineCounter{from: bytes.NewReader(b)}, 64<<10); err == nil; {
				_, err = readLine(in)
			}
		})
	}
}
