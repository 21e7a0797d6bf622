/** v as a number when it plainly is one: 12.5 and "12.50", but not "$12", "1,234", "" or null. */
export function number(v: any): number | undefined {
  const n = parseFloat(v);
  return n == v ? n : undefined;
}
