package streams

import (
	"context"
	"slices"
	"strings"
)

// Stored implements [Log]: the channels in the order of their names. It looks
// at every name, and keeps few of them at a time.
func (m *Memory) Stored(ctx context.Context, l Listing) (Stored, error) {
	if err := m.refuse(ctx); err != nil {
		return Stored{}, err
	}
	var found []StoredChannel
	for name := range m.channels.Range {
		if name := name.(string); name <= l.After || !strings.HasPrefix(name, l.Prefix) {
			continue
		}
		if c := m.find(name.(string)); c != nil {
			if c.head.Last.N > 0 {
				found = append(found, StoredChannel{c.name, c.head.Last, len(c.events)})
			}
			c.mu.Unlock()
		}
		if len(found) > 4*l.Limit {
			found = firstByName(found, l.Limit+1)
		}
	}
	return storedPage(firstByName(found, l.Limit+1), l.Limit), nil
}

// firstByName sorts the channels and keeps the first n.
func firstByName(all []StoredChannel, n int) []StoredChannel {
	sortByName(all)
	return all[:min(n, len(all))]
}

func sortByName(all []StoredChannel) {
	slices.SortFunc(all, func(x, y StoredChannel) int { return strings.Compare(x.Name, y.Name) })
}

// storedPage is a page of a list in the order of names, where one channel over
// the limit says that there are more.
func storedPage(found []StoredChannel, limit int) Stored {
	if len(found) <= limit {
		return Stored{Channels: found}
	}
	found = found[:limit]
	return Stored{found, found[limit-1].Name}
}
