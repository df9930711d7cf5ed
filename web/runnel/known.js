/** Refuses options that do not exist: who misspells where to begin would begin live. */
export function known (options, names) {
  for (const name of Object.keys(options)) {
    if (!names.includes(name)) throw new TypeError(`there is no option ${name}; there are ${names.join(', ')}`)
  }
  return options
}
