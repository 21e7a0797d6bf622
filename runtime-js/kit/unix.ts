/** A date (ISO text, Date, milliseconds or seconds) as whole Unix seconds; undefined when it is none. */
export function unix(date: any): number | undefined {
  let n = +date;
  // Seconds stay below 1e11 until the year 5138; milliseconds passed it in 1973.
  if (!(Math.abs(n) < 1e11)) n = (n || Date.parse(date)) / 1000;
  return Math.floor(n) || undefined;
}
