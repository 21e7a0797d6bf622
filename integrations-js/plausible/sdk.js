// npm carries the tracker as an ES module; the CDN's file starts itself with
// what the snippet left in plausible.o, for the domain it was made for, and
// takes over what waits in plausible.q.
import { init, track } from 'vendor'

const { q = [], o } = window.plausible
init({ domain: 'shop.example', ...o })
for (const call of q) track(...call)
