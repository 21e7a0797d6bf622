/** A request's body as data: JSON, lines of JSON (a list then), or a form with JSON in its fields. */
export function decode({ method, url, body }) {
  const out = { method, url: url.replace(/\?.*$/, '') }
  if (/^\s*[{[]/.test(body)) out.body = json(body)
  else if (body) {
    out.body = Object.fromEntries([...new URLSearchParams(body)].map(([k, v]) => [k, /^[{[]/.test(v) ? JSON.parse(v) : v]))
  }
  return out
}

function json(text) {
  try {
    return JSON.parse(text)
  } catch {
    return text.trim().split('\n').map((line) => JSON.parse(line))
  }
}

/** Says where actual lacks what expected has; undefined when it lacks nothing. Lists must be as long; null means absent. */
export function lacks(actual, expected, at = '') {
  if (expected === null) return actual === undefined || actual === null ? undefined : `${at}: must be absent, is ${JSON.stringify(actual)}`
  if (typeof expected !== 'object') return actual === expected ? undefined : `${at}: ${JSON.stringify(actual)}, expected ${JSON.stringify(expected)}`
  if (typeof actual !== 'object' || actual === null) return `${at}: ${JSON.stringify(actual)}, expected ${JSON.stringify(expected)}`
  if (Array.isArray(expected) && actual.length !== expected.length) return `${at}: ${actual.length} entries, expected ${expected.length}: ${JSON.stringify(actual)}`
  for (const key of Object.keys(expected)) {
    const found = lacks(actual[key], expected[key], `${at}.${key}`)
    if (found) return found
  }
}

/** What a decoded request carries: the entries of its batch, under whatever name the vendor has for it, or its body. */
export function entries({ body = {} }) {
  return [body.data, body.batch, body.events].find(Array.isArray) ?? body.data ?? body
}
