package auth

import "strings"

// maxChannel is how many bytes a channel name can have.
const maxChannel = 128

// UserChannel is the private channel of the user whose token says sub:
// "user:" and sub, with "~" and two upper-case hex digits for every byte that
// is "~", ":" or no character of channel names. No two subs share a channel. A
// sub whose channel's name would be too long has none, as has the empty one:
// the answer is then "", which is no channel.
func UserChannel(sub string) string {
	const hex = "0123456789ABCDEF"
	if sub == "" || len(userPrefix)+len(sub) > maxChannel {
		return ""
	}
	var b strings.Builder
	b.WriteString(userPrefix)
	for i := range len(sub) {
		if c := sub[i]; nameByte(c) && c != '~' && c != ':' {
			b.WriteByte(c)
		} else {
			b.WriteByte('~')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	if b.Len() > maxChannel {
		return ""
	}
	return b.String()
}
