package docs

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
)

// The opcodes of RFC 6455, section 5.2, that a transcript needs.
const (
	opText  = 1
	opClose = 8
	opPing  = 9
)

// appendFrame appends a client's frame, masked with zeros.
func appendFrame(b []byte, opcode byte, payload string) []byte {
	b = append(b, 0x80|opcode)
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	return append(append(b, 0, 0, 0, 0), payload...)
}

// readFrame returns the next frame that is no ping: a message as it is, a
// close frame as "close CODE REASON".
func readFrame(r *bufio.Reader) (string, error) {
	for {
		opcode, payload, err := readAnyFrame(r)
		switch {
		case err != nil:
			return "", err
		case opcode == opText:
			return string(payload), nil
		case opcode == opClose && len(payload) >= 2:
			return "close " + strconv.Itoa(int(binary.BigEndian.Uint16(payload))) + " " + string(payload[2:]), nil
		case opcode != opPing:
			return "", fmt.Errorf("a frame with opcode %d: %q", opcode, payload)
		}
	}
}

func readAnyFrame(r *bufio.Reader) (opcode byte, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	if head[0]&0xf0 != 0x80 || head[1]&0x80 != 0 {
		return 0, nil, fmt.Errorf("a frame begins with %x", head)
	}
	n := uint64(head[1])
	long := map[uint64]int{126: 2, 127: 8}[n]
	if long > 0 {
		var size [8]byte
		if _, err := io.ReadFull(r, size[8-long:]); err != nil {
			return 0, nil, err
		}
		n = binary.BigEndian.Uint64(size[:])
	}
	if n > 1<<20 {
		return 0, nil, fmt.Errorf("a frame of %d bytes", n)
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(r, payload)
	return head[0] & 0xf, payload, err
}
