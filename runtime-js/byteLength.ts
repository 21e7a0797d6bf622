/** An upper bound of the bytes of a text in UTF-8, without encoding it. */
export function byteLength(text: string): number {
  return text.length + 2 * (text.match(/[^\x00-\x7f]/g) || []).length;
}
