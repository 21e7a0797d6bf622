// npm carries the tracker's functions without the queue that sp.js has around
// them: calls are ["function:tracker", ...arguments], trackers an argument.
import * as sp from 'vendor'

const take = ([name, ...args]) => {
  const [method, tracker] = name.split(':')
  sp[method](...args, ...(tracker ? [[tracker]] : []))
}
const { q } = window.snowplow
window.snowplow = (...call) => take(call)
q.forEach((call) => take([...call]))
