package streams

// Holds returns what the budget counts, and how many channels there are.
func (m *Memory) Holds() (bytes int64, channels int) {
	for range m.channels.Range {
		channels++
	}
	return m.used.Load(), channels
}
