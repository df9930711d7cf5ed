// How numbers, times and channels are written.

const integers = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

export const whole = (number) => integers.format(number);
export const tenth = (number) => tenths.format(number);
export const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

export function duration(seconds) {
  const [days, hours, minutes] = [86400, 3600, 60].map((unit) => Math.floor(seconds / unit));
  if (days > 0) return `${days} d ${hours % 24} h`;
  if (hours > 0) return `${hours} h ${minutes % 60} min`;
  if (minutes > 0) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(seconds)} s`;
}

// channelPath leaves the bytes as they are that a path may hold.
export function channelPath(channel) {
  const name = encodeURIComponent(channel).replace(/%(3A|40|24)/g, (escaped) => decodeURIComponent(escaped));
  return `/channels/${name}`;
}
